"""What an assertion says that did not hold; empty where it did."""

from __future__ import annotations

from collections.abc import Sequence

from esper_audit.diagnoses import Diagnosis
from esper_audit.diagnosis import doubts, judge_program, ran_compiled, recompiles
from esper_audit.diagnosis.phases import is_steady
from esper_audit.events import Recording
from esper_audit.findings import Finding, ProgramBudget
from esper_audit.report.blocks import blocks

_NOT_PROVEN = (
    "No compiled code ran here, so nothing is proven. Call what torch.compile returned, not the"
    " original; a function that runs eagerly for good has no recompiles either."
)


def at_most(
    recording: Recording, allowed: int, warm_up_calls: int | None = None, root: str = ""
) -> str:
    """Why a recording does not prove that at most so many recompiles happened.

    ``warm_up_calls``: calls of each frame, before which recompiles are free.
    """
    audit = judge_program(recording, ProgramBudget(warm_up_calls=warm_up_calls))
    counted = [
        each
        for each in recording.compiles
        if warm_up_calls is None or is_steady(each, warm_up_calls)
    ]
    made = recompiles(counted)
    limited = [each for each in audit.findings if each.id is Diagnosis.EAGER_AFTER_LIMIT]
    causes = [each for each in audit.findings if each.pattern is not None]
    if made > allowed or limited:
        after = f" after {warm_up_calls} calls of warm-up" if warm_up_calls is not None else ""
        said = f"{made} recompile{'s' * (made != 1)}{after}, at most {allowed} allowed"
        if limited:
            said += "; the recompile limit was hit, so further ones are not counted"
        return _with_causes(said, [*causes, *limited], root)
    return _unproven(recording, audit.findings, root)


def no_eager_fallback(recording: Recording, root: str = "") -> str:
    """Why a recording does not prove that nothing that was compiled ran eagerly."""
    findings = judge_program(recording).findings
    eager = [each for each in findings if each.id.value.startswith("eager-")]
    if eager:
        return _with_causes("Code that was compiled ran eagerly", eager, root)
    return _unproven(recording, findings, root)


def _unproven(recording: Recording, findings: Sequence[Finding], root: str) -> str:
    """What is missing of a proof; empty where nothing is."""
    for doubt in doubts(recording):
        return f"Nothing is proven: {doubt}"
    return "" if ran_compiled(recording) else _with_causes(_NOT_PROVEN, findings, root)


def _with_causes(said: str, findings: Sequence[Finding], root: str) -> str:
    return "\n".join(filter(None, [said, blocks(findings, root)]))
