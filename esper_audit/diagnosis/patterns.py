"""How the recompiles of one cause go on: storm, convergence, alternation; and what comes next.

Worked example, by the new values of one guard source, in a program::

    0.1, 0.2, 0.3, 0.4   each call compiles: storm
    0.1, 0.2             then many calls reuse; a float can be symbolic: convergence
    'b', 'c'             then many calls reuse; each string has a variant: alternation
    'b', 'a', 'b'        each call compiles, but for a value that was there before: alternation
    False                one recompile, after which the entry for True ran again: alternation
    False                one recompile, after which it did not: single
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from esper_audit.data.audits import JudgedStep
from esper_audit.data.compiles import Compile, GuardFailure, Outcome
from esper_audit.data.diagnoses import Diagnosis
from esper_audit.data.findings import Forecast, Pattern
from esper_audit.data.verdicts import StepVerdict

_AGAIN = (Outcome.RECOMPILED, Outcome.REFUSED)

_CALM_CHANGES = 2
"""Further changes without a recompile that tell convergence from a storm cut short."""

_CALM_RATIO = 3
"""Without steps: calls since the last recompile, in mean gaps between recompiles."""

_ANY_VALUE = (
    Diagnosis.FLOAT_SPECIALIZED,
    Diagnosis.INT_COUNTER,
    Diagnosis.SIZE_CHANGED,
    Diagnosis.SIZE_ZERO_ONE,
)
"""What Dynamo can make symbolic: after that, any value is accepted. All else has a variant each."""


def pattern_of(
    diagnosis: Diagnosis,
    group: Sequence[tuple[Compile, GuardFailure]],
    compiles: Sequence[Compile],
    steps: Sequence[JudgedStep],
) -> Pattern:
    """The pattern of the recompiles in ``group``, among all compiles and steps of a recording."""
    recompiles = [compile_ for compile_, _ in group if compile_.outcome in _AGAIN]
    if any(attempt.limit_hit for attempt, _ in group):
        return Pattern.STORM
    if sum(compile_.count for compile_ in recompiles) == 1:
        return Pattern.ALTERNATION if _has_returned(group, compiles) else Pattern.SINGLE
    if _is_calm(recompiles, compiles, steps):
        return Pattern.CONVERGENCE if diagnosis in _ANY_VALUE else Pattern.ALTERNATION
    # A frame with variants (training, evaluating) compiles each again for one new value.
    changes = [value for value, _ in groupby(failure.actual for _, failure in group)]
    if len(changes) == 1 and diagnosis in _ANY_VALUE:
        return Pattern.SINGLE
    return Pattern.ALTERNATION if len(set(changes)) < len(changes) else Pattern.STORM


def _is_calm(
    recompiles: Sequence[Compile], compiles: Sequence[Compile], steps: Sequence[JudgedStep]
) -> bool:
    if steps:
        return len(_calm_changes(recompiles[-1], steps)) >= _CALM_CHANGES
    first, last = recompiles[0], recompiles[-1]
    key = last.frame.key
    own = [compile_ for compile_ in compiles if compile_.frame.key == key]
    runs = sum(compile_.graph_runs or 0 for compile_ in own)
    gaps = max(1, (last.calls_before - first.calls_before) // max(1, len(recompiles) - 1))
    return runs - last.calls_before > _CALM_RATIO * gaps


def _calm_changes(last: Compile, steps: Sequence[JudgedStep]) -> list[JudgedStep]:
    """Steps after a named event that reused compiled code, past the last recompile."""
    return [
        step
        for step in steps
        if last.step is not None
        and step.index > last.step
        and step.label
        and step.verdict is StepVerdict.REUSED
    ]


def _has_returned(
    group: Sequence[tuple[Compile, GuardFailure]], compiles: Sequence[Compile]
) -> bool:
    """Whether a single recompile's old variant was used again after it: two variants alternate."""
    last, failure = group[-1]
    used = [
        compile_
        for compile_ in compiles
        if compile_.frame.key == last.frame.key and compile_.succeeded
    ]
    entry = next((compile_ for compile_ in used if compile_.id == failure.cache_entry), None)
    if entry is None or last.calls_before == 0:
        return False
    # Runs of the old entry that came after the recompile: all of its runs less those before.
    before = last.calls_before - sum(
        (compile_.graph_runs or 0)
        for compile_ in used
        if compile_.sequence < last.sequence and compile_ != entry
    )
    return (entry.graph_runs or 0) > max(before, 0) > 0


def forecast(
    pattern: Pattern, group: Sequence[tuple[Compile, GuardFailure]], limit_hit: bool
) -> Forecast | None:
    """Of a storm: how many more changes until the limit, and what they cost."""
    if pattern is not Pattern.STORM or any(c.outcome is Outcome.REFUSED for c, _ in group):
        return None  # what is refused raises, and never reaches a limit
    if limit_hit:
        return Forecast(limit_hit=True)
    left = group[-1][0].recompiles_left
    if left is None:
        return None
    seconds = sum(made.seconds.total for made, _ in group) / sum(made.count for made, _ in group)
    return Forecast(left=left, seconds_each=seconds)
