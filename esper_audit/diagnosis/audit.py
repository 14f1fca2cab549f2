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
from esper_audit.data.recording import Environment, Recording
from esper_audit.data.steps import Phase
from esper_audit.data.verdicts import AuditVerdict, StepVerdict
from esper_audit.diagnosis.attempts import attempt_findings
from esper_audit.diagnosis.causes import root_causes
from esper_audit.diagnosis.counts import count
from esper_audit.diagnosis.eager import break_findings, eager_findings, step_findings
from esper_audit.diagnosis.kinds import failures_of
from esper_audit.diagnosis.mistakes import scenario_mistake
from esper_audit.diagnosis.program import uncounted
from esper_audit.diagnosis.proof import doubts
from esper_audit.diagnosis.steps import judge_steps


def judge(replay: Replay, environment: Environment) -> Audit:
    """The audit of a replay. ``environment`` stands in where the process died without one."""
    recording = replay.recording or Recording(environment=environment)
    steps = judge_steps(recording)
    budget = replay.job.budget if replay.job.fail_on else replay.job.budget.over_default()
    findings = _findings(recording, steps)
    verdict, reason = _verdict(replay, budget, recording, steps, findings)
    breaks = tuple(
        replace(each, compile_id=compile_.id)
        for compile_ in recording.compiles
        for each in compile_.graph_breaks
    )
    return Audit(
        recording=recording,
        **_identity(replay.job),
        budget=budget,
        verdict=verdict,
        reason=reason,
        advice=tuple(_advice(budget, recording, replay.wall_seconds)),
        steps=steps,
        graph_breaks=breaks,
        findings=findings,
        log=replay.log if verdict is AuditVerdict.ERROR else "",
        wall_seconds=replay.wall_seconds,
    )


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
) -> tuple[AuditVerdict, str]:
    if replay.status is ReplayStatus.SKIPPED:
        return AuditVerdict.SKIPPED, replay.reason
    if replay.status is ReplayStatus.ERROR:
        return AuditVerdict.ERROR, replay.reason
    doubt = next(doubts(recording), "")
    if doubt:
        return AuditVerdict.ERROR, doubt
    wrong = [*_stale(steps), *_eager(budget, steps)]
    failures = [*wrong, *_other_failures(replay.job, budget, recording, findings)]
    unproven = _unproven(steps)
    mistake = scenario_mistake(recording, replay.callables)
    if mistake and not wrong and (failures or unproven):
        return AuditVerdict.ERROR, mistake
    if failures:
        return AuditVerdict.FAILED, "; ".join(failures)
    if unproven:
        return AuditVerdict.ERROR, unproven
    return AuditVerdict.PASSED, _passed(recording, steps)


def _other_failures(
    job: Job, budget: Budget, recording: Recording, findings: Sequence[Finding]
) -> Iterator[str]:
    """What fails the audit beside wrong output and a bound of eager steps."""
    yield from _over_budget(budget, recording)
    if budget.bounds_compiles:
        # Eager steps that nothing explains have a bound of their own.
        yield from uncounted([finding for finding in findings if not finding.unanswered])
    untold = [kind for kind in job.fail_on if kind != Diagnosis.STALE_OUTPUT]
    yield from failures_of(findings, untold)


def _over_budget(budget: Budget, recording: Recording) -> list[str]:
    """The bounds of counts that were exceeded."""
    counts = count(recording)
    late, refused = counts.compiles_after_warm_up, counts.refused_after_warm_up
    again = counts.recompiles_after_warm_up
    also = f"{f' and {refused} refused' if refused else ''} after warm-up"
    every = counts.compiles_in_warm_up + late
    return [
        f"{said}, {allowed} allowed"
        for made, allowed, said in (
            (again + refused, budget.recompiles, f"{_several(again, 'recompile')}{also}"),
            (late + refused, budget.compiles_after_warm_up, f"{_several(late, 'compile')}{also}"),
            (every, budget.compiles, f"{_several(every, 'compile')} in all"),
            (
                counts.graph_breaks,
                budget.graph_breaks,
                _several(counts.graph_breaks, "graph break"),
            ),
        )
        if _exceeds(made, allowed)
    ]


def _stale(steps: Sequence[JudgedStep]) -> Iterator[str]:
    stale = [step for step in steps if step.verdict is StepVerdict.STALE]
    if stale:
        yield f"wrong output in {_of(len(stale), len(steps))}: {stale[0].because}"


def _eager(budget: Budget, steps: Sequence[JudgedStep]) -> Iterator[str]:
    steady = [step for step in steps if step.phase is Phase.STEADY]
    eager = [step for step in steady if step.verdict is StepVerdict.EAGER]
    if _exceeds(len(eager), budget.eager_steps):
        yield f"ran eagerly in {_of(len(eager), len(steady))} after warm-up: {eager[0].because}"


def _several(number: int, noun: str) -> str:
    return f"{number} {noun}{'s' * (number != 1)}"


def _exceeds(number: float, bound: float | None) -> bool:
    return bound is not None and number > bound


def _advice(budget: Budget, recording: Recording, wall_seconds: float) -> Iterator[str]:
    compiling = sum(each.seconds.total for each in recording.compiles)
    share = compiling / wall_seconds if wall_seconds else 0.0
    if _exceeds(share, budget.compile_share):
        yield f"compiling took {share:.0%} of its seconds, {budget.compile_share:.0%} advised"


def _unproven(steps: Sequence[JudgedStep]) -> str:
    """Why these steps don't prove a pass; empty where they do."""
    steady = [step for step in steps if step.phase is Phase.STEADY]
    if not steady:
        return "there is no step after warm-up, so nothing is proven"
    for step in steps:
        if step.verdict is StepVerdict.UNKNOWN:
            return f"step {step.index} proves nothing: {step.because}"
    return ""


def _passed(recording: Recording, steps: Sequence[JudgedStep]) -> str:
    steady = [step for step in steps if step.phase is Phase.STEADY]
    reused = sum(1 for step in steady if step.verdict is StepVerdict.REUSED)
    text = f"compiled code was reused in {_of(reused, len(steady))} after warm-up"
    made = count(recording).compiles_after_warm_up
    return (
        f"{text}; {_several(made, 'compile')} {'is' if made == 1 else 'are'} within its budget"
        if made
        else text
    )


def _of(number: int, total: int) -> str:
    return f"{number} of {_several(total, 'step')}"
