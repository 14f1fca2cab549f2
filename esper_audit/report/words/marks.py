"""Marks and styles of verdicts, the same in every report."""

from __future__ import annotations

from esper_audit.data.findings import FrameState
from esper_audit.data.verdicts import AuditVerdict, ClaimStatus, StepVerdict
from esper_audit.report.sections import Style

AUDIT_MARKS = {
    AuditVerdict.PASSED: "✓",
    AuditVerdict.FAILED: "✗",
    AuditVerdict.SKIPPED: "–",
    AuditVerdict.ERROR: "!",
}
AUDIT_STYLES = {
    AuditVerdict.PASSED: Style.GOOD,
    AuditVerdict.FAILED: Style.BAD,
    AuditVerdict.SKIPPED: Style.MUTED,
    AuditVerdict.ERROR: Style.DOUBTFUL,
}
AUDIT_LEGEND = "✓ passed, ✗ failed, – skipped, ! error"

STEP_MARKS = {
    StepVerdict.COMPILED: "C",
    StepVerdict.REUSED: "·",
    StepVerdict.RECOMPILED: "R",
    StepVerdict.EAGER: "E",
    StepVerdict.STALE: "S",
    StepVerdict.UNKNOWN: "?",
}
STEP_STYLES = {
    StepVerdict.COMPILED: Style.NEW,
    StepVerdict.REUSED: Style.GOOD,
    StepVerdict.RECOMPILED: Style.BAD,
    StepVerdict.EAGER: Style.SLOW,
    StepVerdict.STALE: Style.WRONG,
    StepVerdict.UNKNOWN: Style.DOUBTFUL,
}
STEP_LEGEND = (
    "C compiled, · reused, R recompiled, E eager, S stale, ? unknown; | warm-up begins or ends"
)

CLAIM_STYLES = {
    ClaimStatus.CONFIRMED: Style.GOOD,
    ClaimStatus.REFUTED: Style.BAD,
    ClaimStatus.NOT_TESTED: Style.MUTED,
}

FRAME_STYLES = {
    FrameState.COMPILED: Style.GOOD,
    FrameState.NO_GRAPH: Style.MUTED,
    FrameState.CACHED_ONLY: Style.BAD,
    FrameState.EAGER: Style.BAD,
    FrameState.FAILED: Style.BAD,
}


def answer_style(verdict: AuditVerdict | None) -> Style:
    """Of an answer: what could not be judged, or only in part, is neither good nor bad."""
    if verdict is None:
        return Style.PLAIN
    return ANSWER_STYLES.get(verdict, Style.DOUBTFUL)


ANSWER_STYLES = {AuditVerdict.PASSED: Style.GOOD, AuditVerdict.FAILED: Style.BAD}
