"""The verdict on a recorded program: it passes only where compiled code is proven to run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from esper_audit.data.audits import ProgramAudit
from esper_audit.data.diagnoses import Diagnosis
from esper_audit.data.expectations import ProgramBudget
from esper_audit.data.findings import Finding
from esper_audit.data.reasons import Counted, Reason, Why
from esper_audit.data.recording import Recording
from esper_audit.data.verdicts import AuditVerdict
from esper_audit.diagnosis.attempts import attempt_findings
from esper_audit.diagnosis.breaks import break_findings
from esper_audit.diagnosis.causes import root_causes
from esper_audit.diagnosis.counts import Counts, count
from esper_audit.diagnosis.eager import eager_findings
from esper_audit.diagnosis.frames import frame_summaries
from esper_audit.diagnosis.kinds import failures_of
from esper_audit.diagnosis.proof import doubts, ran_after_warm_up, ran_compiled, unproven


def judge_program(recording: Recording, budget: ProgramBudget | None = None) -> ProgramAudit:
    """The audit of a recorded program: frames, findings, and the verdict on its budget."""
    budget = budget or ProgramBudget()
    findings = (
        *_causes(recording),
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


def _causes(recording: Recording) -> Iterator[Finding]:
    found = root_causes(
        recording.compiles,
        after_warm_up_only=False,
        runs_known=recording.trace_log is None,
    )
    for finding in found:
        is_asked = finding.no_writer is not None and finding.no_writer.why is Why.NOT_RECORDED
        if recording.trace_log is not None and is_asked:
            finding = replace(finding, no_writer=Reason(why=Why.NOT_LOGGED))
        yield finding


def _verdict(
    recording: Recording, budget: ProgramBudget, findings: Sequence[Finding]
) -> tuple[AuditVerdict | None, tuple[Reason, ...]]:
    if not budget.is_set:
        return None, ()
    failures = tuple(_failures(recording, budget, findings))
    if failures:
        return AuditVerdict.FAILED, failures
    unproven = tuple(_unproven(recording, budget))
    if unproven:
        return AuditVerdict.ERROR, unproven
    return AuditVerdict.PASSED, (Reason(why=Why.WITHIN_BUDGET),)


def _failures(
    recording: Recording, budget: ProgramBudget, findings: Sequence[Finding]
) -> Iterator[Reason]:
    counts = count(recording, budget.warm_up_calls)
    if recording.trace_log is not None:
        # A log does not say when warm-up was over: only what holds for all of it can fail.
        budget = replace(budget, recompiles_after_warm_up=None, compiles_after_warm_up=None)
    yield from _over_bounds(counts, budget)
    if budget.bounds_compiles:
        yield from uncounted(findings)
    yield from failures_of(findings, budget.fail_on)


def _over_bounds(counts: Counts, budget: ProgramBudget) -> Iterator[Reason]:
    late = counts.refused_after_warm_up
    for counted, made, refused, allowed in (
        (Counted.RECOMPILES, counts.recompiles, counts.refused, budget.recompiles),
        (
            Counted.RECOMPILES_AFTER_WARM_UP,
            counts.recompiles_after_warm_up,
            late,
            budget.recompiles_after_warm_up,
        ),
        (
            Counted.COMPILES_AFTER_WARM_UP,
            counts.compiles_after_warm_up,
            late,
            budget.compiles_after_warm_up,
        ),
        (Counted.GRAPH_BREAKS, counts.graph_breaks, 0, budget.graph_breaks),
    ):
        yield from over_bound(counted, made, refused, allowed)


def over_bound(counted: Counted, made: int, refused: int, allowed: int | None) -> Iterator[Reason]:
    """That a bound is exceeded, by what was made or by what torch refused to make."""
    if allowed is not None and made + refused > allowed:
        yield Reason(
            why=Why.OVER_BOUND, counted=counted, count=made, refused=refused, allowed=allowed
        )


def uncounted(findings: Sequence[Finding]) -> Iterator[Reason]:
    """What makes a number of recompiles within its bound mean nothing: it stands still."""
    telling = [finding for finding in findings if finding.pattern is None]
    for why, found in (
        (Why.LIMIT_HIDES, [finding for finding in telling if finding.limit_hit]),
        (
            Why.FAILURE_HIDES,
            [finding for finding in telling if finding.id is Diagnosis.COMPILE_FAILED],
        ),
        (
            Why.REFUSAL_HIDES,
            [
                finding
                for finding in telling
                if finding.id is Diagnosis.COMPILE_REFUSED and not finding.refused
            ],
        ),
        (Why.UNANSWERED_HIDES, [finding for finding in telling if finding.unanswered]),
    ):
        if found:
            names = tuple(dict.fromkeys(finding.frame.name for finding in found))
            yield Reason(why=why, names=names, text=found[0].limit, cause=found[0].why)


def _unproven(recording: Recording, budget: ProgramBudget) -> Iterator[Reason]:
    """Why the recording proves nothing, where it is within its budget."""
    yield from doubts(recording)
    if not ran_compiled(recording):
        yield unproven(recording)
    if not budget.needs_warm_up:
        return
    if budget.warm_up_calls is None and recording.steady_at is None:
        yield Reason(why=Why.WARM_UP_UNKNOWN)
    elif not ran_after_warm_up(recording, budget.warm_up_calls):
        yield Reason(why=Why.NOTHING_RAN_AFTER_WARM_UP)
