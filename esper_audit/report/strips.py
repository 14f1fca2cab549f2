"""The steps of an audit in one line, a mark a step."""

from __future__ import annotations

from esper_audit.data.audits import Audit
from esper_audit.data.steps import Phase
from esper_audit.data.verdicts import StepVerdict

MARKS = {
    StepVerdict.COMPILED: "C",
    StepVerdict.REUSED: "·",
    StepVerdict.RECOMPILED: "R",
    StepVerdict.EAGER: "E",
    StepVerdict.STALE: "S",
    StepVerdict.UNKNOWN: "?",
}
STYLES = {
    StepVerdict.COMPILED: "cyan",
    StepVerdict.REUSED: "green",
    StepVerdict.RECOMPILED: "red",
    StepVerdict.EAGER: "magenta",
    StepVerdict.STALE: "bold red",
    StepVerdict.UNKNOWN: "yellow",
}
LEGEND = "C compiled, · reused, R recompiled, E eager, S stale, ? unknown; | warm-up begins or ends"


def strip(audit: Audit) -> list[tuple[str, str]]:
    """(mark, style) pairs; a bar wherever warm-up begins or ends."""
    marks: list[tuple[str, str]] = []
    phase = Phase.WARM_UP
    for step in audit.steps:
        if step.phase is not phase:
            marks.append(("|", "dim"))
            phase = step.phase
        marks.append((MARKS[step.verdict], STYLES[step.verdict]))
    return marks
