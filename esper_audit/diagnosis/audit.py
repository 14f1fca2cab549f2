"""The verdict of one replay: passed only where every steady step is proven, within budget."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from esper_audit.diagnosis.causes import root_causes
from esper_audit.diagnosis.eager import eager_findings, stale_findings
from esper_audit.diagnosis.steps import LATE_COMPILES, judge_steps
from esper_audit.events import Environment, Phase, Recording
from esper_audit.findings import (
    DEFAULT_BUDGET,
    Audit,
    AuditVerdict,
    Budget,
    JudgedStep,
    StepVerdict,
)
from esper_audit.replays import Ending, Job, Replay


def judge(replay: Replay, environment: Environment) -> Audit:
    """The audit of a replay. ``environment`` stands in where the process died without one."""
    recording = replay.recording or Recording(environment=environment)
    steps = judge_steps(recording)
    budget = replay.job.budget.over(DEFAULT_BUDGET)
    verdict, reason = _verdict(replay, budget, recording, steps)
    breaks = tuple(
        replace(each, compile_id=compile_.id)
        for compile_ in recording.compiles
        for each in compile_.graph_breaks
    )
    return Audit(
        **_fields(recording),
        **_identity(replay.job),
        budget=budget,
        verdict=verdict,
        reason=reason,
        advice=tuple(_advice(budget, recording, replay.wall_seconds)),
        steps=steps,
        graph_breaks=breaks,
        findings=(
            *root_causes(recording.compiles, steps),
            *eager_findings(recording),
            *stale_findings(steps, recording.compiles),
        ),
        log=replay.log if verdict is AuditVerdict.ERROR else "",
        wall_seconds=replay.wall_seconds,
    )


def _fields(recording: Recording) -> dict[str, Any]:
    names = (field.name for field in dataclasses.fields(Recording))
    return {name: getattr(recording, name) for name in names if name != "steps"}


def _identity(job: Job) -> dict[str, Any]:
    return {
        "scenario": job.scenario,
        "question": job.question,
        "file": job.file,
        "parameters": job.parameters,
        "backend": job.backend,
        "options": _options(job),
        "claims": job.claims,
    }


def _options(job: Job) -> dict[str, str]:
    return {
        "dynamic": {None: "auto", True: "true", False: "false"}[job.dynamic],
        "fullgraph": str(job.fullgraph).lower(),
        "mode": job.mode or "default",
        "compare": str(job.compare).lower(),
        "recompile_limit": str(job.recompile_limit or "default"),
    }


DEFAULT_OPTIONS = _options(Job(scenario="", file="", backend=""))
"""The options of a replay for which nothing was asked."""


def _verdict(
    replay: Replay, budget: Budget, recording: Recording, steps: Sequence[JudgedStep]
) -> tuple[AuditVerdict, str]:
    if replay.ending is Ending.SKIPPED:
        return AuditVerdict.SKIPPED, replay.reason
    if replay.ending is Ending.ERROR:
        return AuditVerdict.ERROR, replay.reason
    if recording.hook_errors:
        last = recording.hook_errors[0].gist
        return (
            AuditVerdict.ERROR,
            f"the recorder itself failed, so the evidence may be incomplete: {last}",
        )
    failures = _over_budget(budget, recording, steps)
    if failures:
        return AuditVerdict.FAILED, "; ".join(failures)
    unproven = _unproven(steps)
    if unproven:
        return AuditVerdict.ERROR, unproven
    return AuditVerdict.PASSED, _passed(recording, steps)


def _over_budget(budget: Budget, recording: Recording, steps: Sequence[JudgedStep]) -> list[str]:
    steady = [step for step in steps if step.phase is Phase.STEADY]
    verdicts = Counter(step.verdict for step in steady)
    stale = [step for step in steps if step.verdict is StepVerdict.STALE]
    failures = []
    if stale:
        failures.append(f"wrong output in {_of(len(stale), len(steps))}: {stale[0].because}")
    eager = verdicts[StepVerdict.EAGER]
    if _exceeds(eager, budget.eager_steps):
        because = next(s.because for s in steady if s.verdict is StepVerdict.EAGER)
        failures.append(f"ran eagerly in {_of(eager, len(steady))} after warm-up: {because}")
    made = compiles_after_warm_up(recording)
    if _exceeds(made, budget.recompiles):
        failures.append(
            f"{made} compile{'s' * (made != 1)} after warm-up, {budget.recompiles} allowed"
        )
    every = made + compiles_in_warm_up(recording)
    if _exceeds(every, budget.compiles):
        failures.append(f"{every} compiles in all, {budget.compiles} allowed")
    breaks = sum(len(each.graph_breaks) for each in recording.compiles)
    if _exceeds(breaks, budget.graph_breaks):
        failures.append(f"{breaks} graph breaks, {budget.graph_breaks} allowed")
    return failures


def _exceeds(number: float, bound: float | None) -> bool:
    return bound is not None and number > bound


def _advice(budget: Budget, recording: Recording, wall_seconds: float) -> Iterator[str]:
    compiling = sum(each.seconds.total for each in recording.compiles)
    share = compiling / wall_seconds if wall_seconds else 0.0
    if _exceeds(share, budget.compile_share):
        yield f"compiling took {share:.0%} of its seconds, {budget.compile_share:.0%} advised"


def compiles_after_warm_up(recording: Recording) -> int:
    """How much was compiled in steady steps: frames, for the first time or again, and what was
    compiled later (a backward, a CUDA graph) in a step that compiled no frame."""
    steady = {step.index for step in recording.steps if step.phase is Phase.STEADY}
    frames = [each.step for each in recording.compiles if each.succeeded]
    later = {row.step for row in recording.ledger if row.kind in LATE_COMPILES} - set(frames)
    return sum(1 for step in (*frames, *later) if step in steady)


def compiles_in_warm_up(recording: Recording) -> int:
    """How many frames were compiled, for the first time or again, outside of steady steps."""
    steady = {step.index for step in recording.steps if step.phase is Phase.STEADY}
    return sum(1 for each in recording.compiles if each.succeeded and each.step not in steady)


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
    made = compiles_after_warm_up(recording)
    return f"{text}; {made} compiles are within its budget" if made else text


def _of(count: int, total: int) -> str:
    return f"{count} of {total} step{'s' * (total != 1)}"
