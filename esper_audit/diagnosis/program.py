"""The verdict on a recorded program: it passes only where compiled code is proven to run."""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

from esper_audit.diagnoses import Diagnosis
from esper_audit.diagnosis.causes import root_causes
from esper_audit.diagnosis.eager import break_findings, eager_findings
from esper_audit.diagnosis.frames import frame_summaries
from esper_audit.diagnosis.phases import is_steady
from esper_audit.events import Compile, Outcome, Phase, Recording
from esper_audit.findings import AuditVerdict, Finding, ProgramAudit, ProgramBudget

_NEEDED = ("compile", "convert_frame", "lookup")
EAGER = tuple(each for each in Diagnosis if each.startswith("eager-"))
_OF_OTHERS = (Diagnosis.STALE_OUTPUT, Diagnosis.RANKS_DIFFER)
"""What one recorded program can't show: it takes a comparison, or several ranks."""

FAIL_ON: dict[str, tuple[Diagnosis, ...]] = {
    "eager": EAGER,
    "limit": (Diagnosis.EAGER_AFTER_LIMIT,),
    **{each.value: (each,) for each in Diagnosis if each not in _OF_OTHERS},
}
"""What ``--fail-on`` takes: groups, and every diagnosis that a program can have."""


def judge_program(recording: Recording, budget: ProgramBudget | None = None) -> ProgramAudit:
    """The audit of a recorded program: frames, findings, and the verdict on its budget."""
    budget = budget or ProgramBudget()
    findings = (
        *root_causes(recording.compiles, after_warm_up_only=False),
        *eager_findings(recording),
        *break_findings(recording.compiles),
    )
    verdict, reasons = _verdict(recording, budget, findings)
    return ProgramAudit(
        **_fields(recording),
        budget=budget,
        verdict=verdict,
        reasons=reasons,
        frames=frame_summaries(recording, budget.warm_up_calls),
        findings=findings,
    )


def _fields(recording: Recording) -> dict[str, Any]:
    return {each.name: getattr(recording, each.name) for each in dataclasses.fields(Recording)}


def recompiles(compiles: Sequence[Compile]) -> int:
    """How many compiles replaced none of the entries that existed: all of them failed a guard."""
    return sum(each.count for each in compiles if each.outcome is Outcome.RECOMPILED)


def _again(recording: Recording) -> Iterator[Compile]:
    """Recompiles, and first compiles of what was compiled before: the program has reset Dynamo."""
    seen: set[tuple[str, str]] = set()
    for each in recording.compiles:
        own = (each.frame.key, each.instance)
        if each.outcome is Outcome.RECOMPILED or (each.succeeded and own in seen):
            yield each
        if each.succeeded:
            seen.add(own)


def ran_compiled(recording: Recording) -> bool:
    """Whether compiled code is proven to have run.

    A lookup that matches proves it only where nothing was compiled meanwhile: a frame that holds
    no graph, such as one that only calls a disabled function, matches as well.
    """
    made = [each for each in recording.compiles if each.succeeded]
    if not made or not recording.complete:
        return recording.lookups.hits > 0 or bool(made and not recording.complete)
    return any(each.graph_runs for each in made)


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
    made = recompiles(recording.compiles)
    if budget.recompiles is not None and made > budget.recompiles:
        yield f"{_count(made)}, {budget.recompiles} allowed"
    late = sum(e.count for e in _again(recording) if is_steady(e, budget.warm_up_calls))
    allowed = budget.recompiles_after_warm_up
    if allowed is not None and late > allowed:
        yield f"{_count(late)} after warm-up, {allowed} allowed"
    limited = [each for each in findings if each.id is Diagnosis.EAGER_AFTER_LIMIT]
    if limited and (budget.recompiles, allowed) != (None, None):
        # The count stands still after the limit: within its bound, it means nothing.
        names = ", ".join(each.frame.name for each in limited)
        yield f"the recompile limit was hit by {names}: further recompiles are not counted"
    for kind in budget.fail_on:
        found = [each for each in findings if each.id in FAIL_ON[kind]]
        if found:
            names = ", ".join(dict.fromkeys(each.frame.name for each in found))
            yield f"{kind} in {names}"


def _count(number: int) -> str:
    return f"{number} recompile{'s' * (number != 1)}"


def _unproven(recording: Recording, budget: ProgramBudget) -> Iterator[str]:
    """Why the recording proves nothing, where it is within its budget."""
    yield from doubts(recording)
    if not recording.complete:
        yield "the process ended without a word, so the recording may be incomplete"
    if not ran_compiled(recording):
        yield "no compiled code ran, so nothing is proven"
    late = budget.recompiles_after_warm_up is not None and budget.warm_up_calls is None
    if late and recording.steady_at is None:
        yield (
            "the program never said that warm-up is over: call esper_audit.steady_state() in it,"
            " or give --warm-up-calls"
        )
    elif budget.recompiles_after_warm_up is not None and not _ran_after_warm_up(recording, budget):
        yield "no compiled code ran after warm-up, so nothing is proven"


def doubts(recording: Recording) -> Iterator[str]:
    """Why the evidence itself may be incomplete."""
    if recording.hook_errors:
        last = recording.hook_errors[0].gist
        yield f"the recorder itself failed, so the evidence may be incomplete: {last}"
    for each in recording.lost:
        if each.key in _NEEDED:
            yield f"torch {each.torch_version} has no {each.name}, which it takes to prove this"


def _ran_after_warm_up(recording: Recording, budget: ProgramBudget) -> bool:
    if budget.warm_up_calls is None:
        late = recording.lookups.hits > (recording.steady_hits or 0)
        return late or any(each.phase is Phase.STEADY for each in recording.compiles)
    runs: dict[str, int] = defaultdict(int)
    for each in recording.compiles:
        runs[each.frame.key] += each.graph_runs or 0
    return any(number > budget.warm_up_calls for number in runs.values())
