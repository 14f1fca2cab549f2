"""The steps of an audit in one line, a mark a step."""

from __future__ import annotations

from esper_audit.data.audits import Audit
from esper_audit.data.steps import Phase
from esper_audit.report.sections import Line, Span, Style
from esper_audit.report.words.marks import STEP_MARKS, STEP_STYLES


def strip(audit: Audit) -> Line:
    """A mark for each step; a bar wherever warm-up begins or ends."""
    marks: list[Span] = []
    phase = Phase.WARM_UP
    for step in audit.steps:
        if step.phase is not phase:
            marks.append(Span("|", Style.MUTED))
            phase = step.phase
        marks.append(Span(STEP_MARKS[step.verdict], STEP_STYLES[step.verdict]))
    return Line(tuple(marks))
