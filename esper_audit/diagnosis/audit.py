"""The verdict of one replay: passed only where every steady step is proven, within budget."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from esper_audit.data.audits import Audit, JudgedStep
from esper_audit.data.diagnoses import Diagnosis
from esper_audit.data.expectations import Budget
from esper_audit.data.findings import Finding
from esper_audit.data.jobs import Job, Replay, ReplayStatus
from esper_audit.data.reasons import Counted, Reason, Why
from esper_audit.data.recording import Environment, Recording
from esper_audit.data.steps import Phase
from esper_audit.data.verdicts import AuditVerdict, StepVerdict
from esper_audit.diagnosis.attempts import attempt_findings
from esper_audit.diagnosis.breaks import break_findings
from esper_audit.diagnosis.causes import root_causes
from esper_audit.diagnosis.counts import count
from esper_audit.diagnosis.eager import eager_findings, step_findings
from esper_audit.diagnosis.kinds import failures_of
from esper_audit.diagnosis.mistakes import scenario_mistake
from esper_audit.diagnosis.program import over_bound, uncounted
from esper_audit.diagnosis.proof import doubts
from esper_audit.diagnosis.steps import judge_steps


def judge(replay: Replay, environment: Environment) -> Audit:
    """The audit of a replay. ``environment`` stands in where the process died without one."""
    recording = replay.recording or Recording(environment=environment)
    steps = judge_steps(recording)
    budget = replay.job.budget if replay.job.fail_on else replay.job.budget.over_default()
    findings = _findings(recording, steps)
    verdict, reasons = _verdict(replay, budget, recording, steps, findings)
    breaks = tuple(
        replace(graph_break, compile_id=compile_.id)
        for compile_ in recording.compiles
        for graph_break in compile_.graph_breaks
    )
    return Audit(
        recording=recording,
        **_identity(replay.job),
        budget=budget,
        verdict=verdict,
        reasons=reasons,
        advice=tuple(_advice(budget, recording, replay.wall_seconds)),
        steps=steps,
        graph_breaks=breaks,
        findings=findings,
        log=replay.log if verdict is AuditVerdict.ERROR else "",
        wall_seconds=replay.wall_seconds,
    )


def judged_again(audit: Audit) -> Audit:
    """A replay that came to its end, judged as it would be today, by what its recording holds."""
    recording = audit.recording
    steps = judge_steps(recording)
    findings = _findings(recording, steps)
    replay = Replay(
        job=Job(scenario=audit.scenario, file=audit.file, fail_on=audit.fail_on),
        status=ReplayStatus.COMPLETED,
    )
    budget = audit.budget if audit.fail_on else audit.budget.over_default()
    verdict, reasons = _verdict(replay, budget, recording, steps, findings)
    return replace(audit, verdict=verdict, reasons=reasons, steps=steps, findings=findings)


def _findings(recording: Recording, steps: Sequence[JudgedStep]) -> tuple[Finding, ...]:
    """Everything that counts: causes of recompiles, eager code, failed compiles, wrong output."""
    found = (
        *root_causes(recording.compiles, steps),
        *eager_findings(recording),
        *attempt_findings(recording),
        *break_findings(recording.compiles),
    )
    return (*found, *step_findings(steps, recording, found))


def _identity(job: Job) -> dict[str, Any]:
    return {
        "scenario": job.scenario,
        "question": job.question,
        "file": job.file,
        "parameters": job.parameters,
        "backend": job.options.backend,
        "options": _options(job),
        "claims": job.claims,
        "fail_on": job.fail_on,
    }


def _options(job: Job) -> dict[str, str]:
    return {
        "dynamic": {None: "auto", True: "true", False: "false"}[job.options.dynamic],
        "fullgraph": str(job.options.fullgraph).lower(),
        "mode": job.options.mode or "default",
        "compare": str(job.compare).lower(),
        "recompile_limit": str(job.options.recompile_limit or "default"),
    }


DEFAULT_OPTIONS = _options(Job(scenario="", file=""))
"""The options of a replay for which nothing was asked."""


def _verdict(
    replay: Replay,
    budget: Budget,
    recording: Recording,
    steps: Sequence[JudgedStep],
    findings: Sequence[Finding],
) -> tuple[AuditVerdict, tuple[Reason, ...]]:
    if replay.status is not ReplayStatus.COMPLETED:
        skipped = replay.status is ReplayStatus.SKIPPED
        verdict = AuditVerdict.SKIPPED if skipped else AuditVerdict.ERROR
        return verdict, (replay.reason,) if replay.reason is not None else ()
    for doubt in doubts(recording):
        return AuditVerdict.ERROR, (doubt,)
    wrong = [*_stale(steps), *_eager(budget, steps)]
    failures = [*wrong, *_other_failures(replay.job, budget, recording, findings)]
    unproven = _unproven(steps)
    mistake = scenario_mistake(recording, replay.callables)
    if mistake is not None and not wrong and (failures or unproven is not None):
        return AuditVerdict.ERROR, (mistake,)
    if failures:
        return AuditVerdict.FAILED, tuple(failures)
    if unproven is not None:
        return AuditVerdict.ERROR, (unproven,)
    return AuditVerdict.PASSED, (_passed(recording, steps),)


def _other_failures(
    job: Job, budget: Budget, recording: Recording, findings: Sequence[Finding]
) -> Iterator[Reason]:
    """What fails the audit beside wrong output and a bound of eager steps."""
    yield from _over_budget(budget, recording)
    if budget.bounds_compiles:
        # Eager steps that nothing explains have a bound of their own.
        yield from uncounted([finding for finding in findings if not finding.unanswered])
    untold = [kind for kind in job.fail_on if kind != Diagnosis.STALE_OUTPUT]
    yield from failures_of(findings, untold)


def _over_budget(budget: Budget, recording: Recording) -> Iterator[Reason]:
    """The bounds of counts that were exceeded."""
    counts = count(recording)
    late, refused = counts.compiles_after_warm_up, counts.refused_after_warm_up
    again, every = counts.recompiles_after_warm_up, counts.compiles_in_warm_up + late
    for counted, made, more, allowed in (
        (Counted.RECOMPILES_AFTER_WARM_UP, again, refused, budget.recompiles),
        (Counted.COMPILES_AFTER_WARM_UP, late, refused, budget.compiles_after_warm_up),
        (Counted.COMPILES, every, 0, budget.compiles),
        (Counted.GRAPH_BREAKS, counts.graph_breaks, 0, budget.graph_breaks),
    ):
        yield from over_bound(counted, made, more, allowed)


def _stale(steps: Sequence[JudgedStep]) -> Iterator[Reason]:
    stale = [step for step in steps if step.verdict is StepVerdict.STALE]
    if stale:
        yield _of_steps(Why.STEPS_WRONG, stale, steps)


def _eager(budget: Budget, steps: Sequence[JudgedStep]) -> Iterator[Reason]:
    steady = [step for step in steps if step.phase is Phase.STEADY]
    eager = [step for step in steady if step.verdict is StepVerdict.EAGER]
    if budget.eager_steps is not None and len(eager) > budget.eager_steps:
        yield _of_steps(Why.STEPS_EAGER, eager, steady)


def _of_steps(why: Why, found: Sequence[JudgedStep], steps: Sequence[JudgedStep]) -> Reason:
    """So many steps of all, and what the first of them rests on."""
    return Reason(why=why, count=len(found), total=len(steps), cause=found[0].because)


def _advice(budget: Budget, recording: Recording, wall_seconds: float) -> Iterator[Reason]:
    compiling = sum(made.seconds.total for made in recording.compiles)
    advised = budget.compile_share
    if advised is not None and wall_seconds and compiling / wall_seconds > advised:
        percent = round(100 * compiling / wall_seconds)
        yield Reason(why=Why.COMPILE_SHARE, count=percent, allowed=100 * advised)


def _unproven(steps: Sequence[JudgedStep]) -> Reason | None:
    """Why these steps don't prove a pass; None where they do."""
    if not any(step.phase is Phase.STEADY for step in steps):
        return Reason(why=Why.NO_STEADY_STEP)
    unknown = (step for step in steps if step.verdict is StepVerdict.UNKNOWN)
    first = next(unknown, None)
    if first is not None:
        return Reason(why=Why.STEP_UNPROVEN, step=first.index, cause=first.because)
    # Eager steps that a budget or --fail-on allows are no proof of anything.
    steady = (step for step in steps if step.phase is Phase.STEADY)
    if all(step.verdict is StepVerdict.EAGER for step in steady):
        return Reason(why=Why.NOTHING_RAN_AFTER_WARM_UP)
    return None


def _passed(recording: Recording, steps: Sequence[JudgedStep]) -> Reason:
    """``numbers`` are the compiles that the budget allowed."""
    steady = [step for step in steps if step.phase is Phase.STEADY]
    reused = sum(1 for step in steady if step.verdict is StepVerdict.REUSED)
    made = count(recording).compiles_after_warm_up
    return Reason(why=Why.STEPS_REUSED, count=reused, total=len(steady), numbers=(made,))
