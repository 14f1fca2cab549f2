"""The verdict on a recorded program: it passes only where compiled code is proven to run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from esper_audit.data.audits import ProgramAudit
from esper_audit.data.diagnoses import Diagnosis
from esper_audit.data.expectations import ProgramBudget
from esper_audit.data.findings import Finding
from esper_audit.data.recording import Recording
from esper_audit.data.verdicts import AuditVerdict
from esper_audit.diagnosis.attempts import attempt_findings
from esper_audit.diagnosis.causes import root_causes
from esper_audit.diagnosis.counts import Counts, count
from esper_audit.diagnosis.eager import break_findings, eager_findings
from esper_audit.diagnosis.frames import frame_summaries
from esper_audit.diagnosis.kinds import failures_of
from esper_audit.diagnosis.proof import NOT_PROVEN, doubts, ran_after_warm_up, ran_compiled


def judge_program(recording: Recording, budget: ProgramBudget | None = None) -> ProgramAudit:
    """The audit of a recorded program: frames, findings, and the verdict on its budget."""
    budget = budget or ProgramBudget()
    findings = (
        *root_causes(recording.compiles, after_warm_up_only=False),
        *eager_findings(recording),
        *attempt_findings(recording),
        *break_findings(recording.compiles),
    )
    verdict, reasons = _verdict(recording, budget, findings)
    return ProgramAudit(
        recording=recording,
        budget=budget,
        verdict=verdict,
        reasons=reasons,
        frames=frame_summaries(recording, budget.warm_up_calls),
        findings=findings,
    )


def _verdict(
    recording: Recording, budget: ProgramBudget, findings: Sequence[Finding]
) -> tuple[AuditVerdict | None, tuple[str, ...]]:
    if not budget.is_set:
        return None, ()
    failures = tuple(_failures(recording, budget, findings))
    if failures:
        return AuditVerdict.FAILED, failures
    unproven = tuple(_unproven(recording, budget))
    if unproven:
        return AuditVerdict.ERROR, unproven
    return AuditVerdict.PASSED, ("compiled code ran, within its budget",)


def _failures(
    recording: Recording, budget: ProgramBudget, findings: Sequence[Finding]
) -> Iterator[str]:
    counts = count(recording, budget.warm_up_calls)
    yield from _over_bounds(counts, budget)
    if budget.bounds:
        yield from uncounted(findings)
    yield from failures_of(findings, budget.fail_on)


def _over_bounds(counts: Counts, budget: ProgramBudget) -> Iterator[str]:
    late = " after warm-up"
    for made, refused, noun, after, allowed in (
        (counts.recompiles, counts.refused, "recompile", "", budget.recompiles),
        (
            counts.recompiles_after_warm_up,
            counts.refused_after_warm_up,
            "recompile",
            late,
            budget.recompiles_after_warm_up,
        ),
        (
            counts.compiles_after_warm_up,
            counts.refused_after_warm_up,
            "compile",
            late,
            budget.compiles_after_warm_up,
        ),
    ):
        if allowed is not None and made + refused > allowed:
            also = f" and {refused} refused" if refused else ""
            yield f"{made} {noun}{'s' * (made != 1)}{also}{after}, {allowed} allowed"


def uncounted(findings: Sequence[Finding]) -> Iterator[str]:
    """What makes a number of recompiles within its bound mean nothing: it stands still."""
    telling = [each for each in findings if each.pattern is None]
    for words, found in (
        (
            "{text} by {names}: further recompiles are not counted",
            [each for each in telling if each.limit_hit],
        ),
        (
            "{names} failed to compile, and what failed can't recompile",
            [each for each in telling if each.id is Diagnosis.COMPILE_FAILED],
        ),
        (
            "{names} was refused its first compile, and can't recompile",
            [e for e in telling if e.id is Diagnosis.COMPILE_REFUSED and not e.refused],
        ),
        (
            "{text}: recompiles are not counted there",
            [each for each in telling if each.unanswered],
        ),
    ):
        if found:
            names = ", ".join(dict.fromkeys(each.frame.name for each in found))
            yield words.format(names=names, text=found[0].text)


def _unproven(recording: Recording, budget: ProgramBudget) -> Iterator[str]:
    """Why the recording proves nothing, where it is within its budget."""
    yield from doubts(recording)
    if not ran_compiled(recording):
        yield NOT_PROVEN
    if not budget.needs_warm_up:
        return
    if budget.warm_up_calls is None and recording.steady_at is None:
        yield (
            "the program never said that warm-up is over: call esper_audit.steady_state() in it,"
            " or give --warm-up-calls"
        )
    elif not ran_after_warm_up(recording, budget.warm_up_calls):
        yield "no compiled code ran after warm-up, so nothing is proven"
