"""What an assertion says that did not hold; empty where it did."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from esper_audit.data.audits import ProgramAudit
from esper_audit.data.clean import clean
from esper_audit.data.diagnoses import Diagnosis
from esper_audit.data.expectations import ProgramBudget
from esper_audit.data.findings import Finding
from esper_audit.data.reasons import Counted
from esper_audit.data.recording import Recording
from esper_audit.data.verdicts import AuditVerdict
from esper_audit.diagnosis import (
    EAGER,
    KINDS,
    is_of_kind,
    judge_program,
    ran_compiled,
    root_causes,
)
from esper_audit.report.blocks import blocks
from esper_audit.report.words.numbers import several
from esper_audit.report.words.reasons import all_in_words

_MOST = 8
"""Causes that are told while a program goes on: its recording holds them all."""

_NOT_COMPILED = (
    "Call what torch.compile returned, not the original; a function that torch permanently skips"
    " has no recompiles either."
)


def at_most(
    recording: Recording, allowed: int, warm_up_calls: int | None = None, root: str = ""
) -> str:
    """Why a recording does not prove that at most so many recompiles happened.

    ``warm_up_calls``: calls of each frame, before which recompiles are free.
    """
    if warm_up_calls is None:
        budget = ProgramBudget(recompiles=allowed)
    else:
        budget = ProgramBudget(recompiles_after_warm_up=allowed, warm_up_calls=warm_up_calls)
    return _complaint(judge_program(recording, budget), root)


@dataclass(frozen=True, slots=True)
class Excess:
    """Why a recording is over its budget, or proves nothing; ``kinds`` tells one from another."""

    kinds: frozenset[tuple[str, str]]
    text: str
    is_proven: bool


def excess(recording: Recording, budget: ProgramBudget, root: str = "") -> Excess | None:
    """What is over budget up to now, with its costliest causes; None where nothing is.

    Where only a bound after warm-up is exceeded, the causes are those after warm-up.
    """
    audit = judge_program(recording, budget)
    if audit.verdict is AuditVerdict.PASSED:
        return None
    kinds = frozenset((reason.why.value, str(reason.counted or "")) for reason in audit.reasons)
    if audit.verdict is not AuditVerdict.FAILED:
        return Excess(kinds, _complaint(audit, root), is_proven=False)
    is_late = {reason.counted for reason in audit.reasons} == {Counted.RECOMPILES_AFTER_WARM_UP}
    causes = root_causes(recording.compiles, after_warm_up_only=is_late)
    telling = [*causes, *(finding for finding in audit.findings if finding.id in EAGER)]
    text = _with_causes(all_in_words(audit.reasons), telling[:_MOST], root)
    if len(telling) > _MOST:
        text += f"\nand {several(len(telling) - _MOST, 'more finding')}: see the recording"
    return Excess(kinds, text, is_proven=True)


def at_most_breaks(recording: Recording, allowed: int, root: str = "") -> str:
    """Why a recording does not prove that its graphs break at most so many times."""
    audit = judge_program(recording, ProgramBudget(graph_breaks=allowed))
    if audit.verdict is not AuditVerdict.FAILED:
        return _complaint(audit, root)
    breaks = [finding for finding in audit.findings if finding.id is Diagnosis.GRAPH_BREAK]
    return _with_causes(all_in_words(audit.reasons), breaks, root)


def no_eager_fallback(recording: Recording, root: str = "") -> str:
    """Why a recording does not prove that nothing that was compiled ran eagerly."""
    audit = judge_program(recording, ProgramBudget(fail_on=("eager",)))
    eager = [finding for finding in audit.findings if finding.id in EAGER]
    if audit.verdict is AuditVerdict.FAILED:
        return _with_causes("Code that was compiled ran eagerly", eager, root)
    return _complaint(audit, root)


def fail_on(own: Recording, whole: Recording, kinds: Sequence[str], root: str = "") -> str:
    """Why a recording does not prove that it has no findings of these kinds.

    ``own`` is the part of ``whole`` that is asked about. Eager execution that began earlier counts.
    """
    eager = [kind for kind in kinds if set(KINDS[kind].diagnoses) <= set(EAGER)]
    others = [kind for kind in kinds if kind not in eager]
    said = [
        _of_kinds(recording, asked, root)
        for recording, asked in ((own, others), (whole, eager))
        if asked
    ]
    return "\n\n".join(dict.fromkeys(filter(None, said)))


def _of_kinds(recording: Recording, kinds: Sequence[str], root: str) -> str:
    audit = judge_program(recording, ProgramBudget(fail_on=tuple(kinds)))
    if audit.verdict is not AuditVerdict.FAILED:
        return _complaint(audit, root)
    found = [f for f in audit.findings if any(is_of_kind(f, kind) for kind in kinds)]
    return _with_causes(all_in_words(audit.reasons), found, root)


def _complaint(audit: ProgramAudit, root: str) -> str:
    """The reasons of a verdict and what explains them; empty where it passed."""
    if audit.verdict is AuditVerdict.PASSED:
        return ""
    telling = [
        finding for finding in audit.findings if finding.pattern is not None or finding.id in EAGER
    ]
    if audit.verdict is AuditVerdict.FAILED:
        return _with_causes(all_in_words(audit.reasons), telling, root)
    said = f"Not completed: {all_in_words(audit.reasons)}."
    if not ran_compiled(audit.recording):
        said += f" {_NOT_COMPILED}"
    return _with_causes(said, audit.findings, root)


def _with_causes(said: str, findings: Sequence[Finding], root: str) -> str:
    return "\n".join(filter(None, [clean(said), blocks(findings, root)]))
