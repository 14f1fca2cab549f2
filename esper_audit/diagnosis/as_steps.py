"""A run of a program judged like a replay: each call of compiled code is a step of it.

What it should have computed is what the program computes where nothing is compiled, from a run of
its own. A call whose results differ from there is as wrong as a step that differs from its twin.

Worked example: a program calls its model 20 times, and compiles in the first 3 calls. The audit
has 20 steps: one compiled, 2 recompiled, 17 reused. The first of a callable is its warm-up, unless
the program says when warm-up is over.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from esper_audit.data.audits import Audit, JudgedStep
from esper_audit.data.calls import Calls, CompiledCall
from esper_audit.data.comparisons import Comparison
from esper_audit.data.compiles import Compile, Outcome
from esper_audit.data.expectations import ProgramBudget
from esper_audit.data.reasons import Reason, Why
from esper_audit.data.recording import Recording
from esper_audit.data.steps import Lookups, Phase, Step
from esper_audit.data.verdicts import AuditVerdict, StepVerdict
from esper_audit.diagnosis.calls import differences
from esper_audit.diagnosis.phases import is_steady
from esper_audit.diagnosis.program import judge_program

_UNLESS_ASKED = ("limit", "eager-empty-graph", "eager-dispatch-mode")
"""Kinds of findings that fail a program where nothing else is asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What runs of the program must equal.

    ``eager``: its calls where nothing is compiled. ``unsure``: calls that differ between two such
    runs, or in the program as it is; nothing is known of them, for the reason ``why``. ``ended``:
    how the program ends where nothing is compiled.
    """

    eager: Calls
    unsure: frozenset[int] = frozenset()
    why: Reason | None = None
    ended: str = ""


def budget_of(recording: Recording, asked: ProgramBudget) -> ProgramBudget:
    """What is asked for; else no compile after warm-up, where it is known, or no recompile."""
    if asked.is_set:
        return asked
    if asked.warm_up_calls is not None or recording.steady_at is not None:
        return replace(asked, compiles_after_warm_up=0, fail_on=_UNLESS_ASKED)
    return replace(asked, recompiles=0, fail_on=_UNLESS_ASKED)


def expected_of(eager: Calls, again: Calls, compiled: Calls, ended: str) -> Expected:
    """Of two eager runs, and of one of the program as it is."""
    varying = differences(again, eager, exact=True)
    if varying:
        why = Reason(why=Why.CALLS_VARY, step=varying[0])
        return Expected(eager=eager, unsure=_from(varying[0], eager), why=why, ended=ended)
    wrong = differences(compiled, eager)
    if wrong:
        why = Reason(why=Why.CALLS_DIFFER, step=wrong[0])
        return Expected(eager=eager, unsure=_from(wrong[0], eager), why=why, ended=ended)
    return Expected(eager=eager, ended=ended)


def _from(first: int, calls: Calls) -> frozenset[int]:
    """All calls from one on: what was computed goes into what comes after it."""
    return frozenset(range(first, len(calls.rows) + 1))


def audit_of(
    recording: Recording, calls: Calls, budget: ProgramBudget, expected: Expected, file: str
) -> Audit:
    """The audit of one run of a program, by its budget and by what it must equal."""
    judged = judge_program(recording, budget)
    wrong = differences(calls, expected.eager)
    steps = tuple(_steps(calls, wrong, expected))
    verdict, reasons = _verdict(judged.verdict, judged.reasons, recording, wrong, expected)
    return Audit(
        recording=_phased(recording, budget),
        scenario=judged.title,
        file=file,
        fail_on=budget.fail_on,
        verdict=verdict,
        reasons=reasons,
        steps=steps,
        findings=judged.findings,
        wall_seconds=recording.seconds,
    )


def _phased(recording: Recording, budget: ProgramBudget) -> Recording:
    """With the compiles, each in the phase in which the budget counts it; so their backwards."""
    compiles = tuple(_compiles(recording, budget))
    if recording.steady_at is not None and budget.warm_up_calls is None:
        return replace(recording, compiles=compiles)
    phases = {made.id: made.phase for made in compiles}
    rows = (replace(row, phase=phases.get(row.compile_id, row.phase)) for row in recording.deferred)
    return replace(recording, compiles=compiles, deferred=tuple(rows))


def _compiles(recording: Recording, budget: ProgramBudget) -> Iterator[Compile]:
    known = budget.warm_up_calls is not None or recording.steady_at is not None
    for made in recording.compiles:
        again = made.outcome in (Outcome.RECOMPILED, Outcome.REFUSED)
        late = is_steady(made, budget.warm_up_calls) if known else again
        yield replace(made, phase=Phase.STEADY if late else Phase.WARM_UP)


def _verdict(
    verdict: AuditVerdict | None,
    reasons: tuple[Reason, ...],
    recording: Recording,
    wrong: Sequence[int],
    expected: Expected,
) -> tuple[AuditVerdict, tuple[Reason, ...]]:
    """Within its budget, a run must also end as the program does, and equal eager execution."""
    ended = recording.program.ended if recording.program is not None else ""
    if ended != expected.ended:
        otherwise = Reason(why=Why.EXITED, text=ended)
        if verdict is AuditVerdict.FAILED:
            return verdict, reasons
        return AuditVerdict.ERROR, (otherwise,)
    new = [place for place in wrong if place not in expected.unsure]
    if new:
        return AuditVerdict.FAILED, (Reason(why=Why.CALLS_DIFFER, step=new[0]), *reasons)
    if verdict is AuditVerdict.PASSED and wrong and expected.why is not None:
        return AuditVerdict.ERROR, (expected.why,)
    if verdict is AuditVerdict.PASSED and expected.why is not None:
        varies = expected.why.why is Why.CALLS_VARY  # equality by chance is none
        return (AuditVerdict.ERROR, (expected.why,)) if varies else (verdict, reasons)
    return verdict or AuditVerdict.ERROR, reasons


def _steps(calls: Calls, wrong: Sequence[int], expected: Expected) -> Iterator[JudgedStep]:
    called: set[int] = set()
    for index, row in enumerate(calls.rows):
        first = row.number not in called
        called.add(row.number)
        equal = index not in wrong
        known = index not in expected.unsure
        why = None if known else expected.why
        step = Step(
            index=index,
            phase=Phase.WARM_UP if first else Phase.STEADY,
            label="",
            callable_index=row.number,
            lookups=Lookups(row.hits, row.misses),
            seconds=row.seconds,
            comparisons=(Comparison("eager", "output", equal if known else None, why=why),),
            error=row.error,
        )
        if not known or row.error:
            verdict = StepVerdict.UNKNOWN if wrong else _ran(row, first)
        else:
            verdict = _ran(row, first) if equal else StepVerdict.STALE
        yield JudgedStep(step, verdict, why)


def _ran(row: CompiledCall, first: bool) -> StepVerdict:
    """By the lookups in it, and the graphs that it compiled."""
    if row.reused:
        return StepVerdict.REUSED
    if not row.graphs:
        return StepVerdict.EAGER
    return StepVerdict.COMPILED if first else StepVerdict.RECOMPILED
