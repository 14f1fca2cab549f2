"""How the recompiles of one cause go on: storm, convergence, alternation; and what comes next.

Worked example, by the new values of one guard source, in a program::

    0.1, 0.2, 0.3, 0.4   each call compiles: storm
    0.1, 0.2             then many calls reuse; a float can be symbolic: convergence
    'b', 'c'             each once; nothing shows that they come back, or that more come: variants
    'b', 'a', 'b'        each call compiles, but for a value that was there before: alternation
    'b', 'c'             the entry for 'b' ran again after 'c': alternation
    False                one recompile, after which the entry for True ran again: alternation
    False                one recompile, after which it did not: single

What has few values is no storm, and has no forecast: sizes 0 and 1, grad mode, a dtype.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from esper_audit.data.audits import JudgedStep
from esper_audit.data.compiles import ENDLESS, Compile, GuardFailure, Outcome, ValueKind
from esper_audit.data.diagnoses import Diagnosis
from esper_audit.data.findings import Forecast, Pattern
from esper_audit.data.verdicts import StepVerdict

_AGAIN = (Outcome.RECOMPILED, Outcome.REFUSED)

_CALM_CHANGES = 2
"""Further changes without a recompile that tell convergence from a storm cut short."""

_CALM_RATIO = 3
"""Without steps: calls since the last recompile, in mean gaps between recompiles."""

_ANY_VALUE = (
    *(Diagnosis.FLOAT_SPECIALIZED, Diagnosis.INT_COUNTER),
    *(Diagnosis.SIZE_CHANGED, Diagnosis.SIZE_ZERO_ONE),
)
"""What Dynamo can make symbolic: after that, any value is accepted. All else has a variant each."""

_FEW_VALUES = (
    *(Diagnosis.SIZE_ZERO_ONE, Diagnosis.LAZY_CACHE, Diagnosis.DTYPE_CHANGED),
    *(Diagnosis.DEVICE_CHANGED, Diagnosis.REQUIRES_GRAD_CHANGED, Diagnosis.GRAD_MODE_CHANGED),
    *(Diagnosis.AUTOCAST_CHANGED, Diagnosis.TRAIN_EVAL_FLIPPED, Diagnosis.ATTRIBUTE_PRESENCE),
    *(Diagnosis.GLOBAL_STATE_CHANGED, Diagnosis.TENSOR_ALIASING, Diagnosis.FORCED_BY_OTHER_RANK),
)
"""What can't go on: each of its few values is compiled once."""

_NEW_OBJECTS = (
    *(Diagnosis.OBJECT_IDENTITY, Diagnosis.OBJECT_EXPIRED, Diagnosis.MODULE_SWAPPED),
    *(Diagnosis.OTHER_INSTANCE, Diagnosis.HOOK_CHANGED, Diagnosis.BACKEND_CHANGED),
)
"""What is told apart by what it is: objects that look alike are as many values."""

_STORM = 3
"""Values that never came back, from which on more are to be expected."""

_AT_LIMIT = 2
"""New values where the limit was hit: those that it refused run eagerly from then on."""

Group = Sequence[tuple[Compile, GuardFailure]]


def pattern_of(
    diagnosis: Diagnosis,
    group: Group,
    compiles: Sequence[Compile],
    steps: Sequence[JudgedStep],
    *,
    runs_known: bool = True,
) -> Pattern:
    """The pattern of the recompiles in ``group``, among all compiles and steps of a recording.

    ``runs_known`` is False of a trace log. It does not tell whether calls reused compiled code
    meanwhile, so only a limit that was hit shows that there were too many values.
    """
    if diagnosis is Diagnosis.CONCURRENT_COMPILE:
        return Pattern.SINGLE  # no value made any of them
    recompiles = [compile_ for compile_, _ in group if compile_.outcome in _AGAIN]
    values = _values(diagnosis, group)
    at_limit = any(attempt.limit_hit for attempt, _ in group)
    is_calm = bool(recompiles) and _is_calm(recompiles, compiles, steps)
    new = len(_never_back(values))
    if _is_open(diagnosis, group) and (
        (new >= _STORM and runs_known and not is_calm)
        or (at_limit and new and len(values) >= _AT_LIMIT)
    ):
        return Pattern.STORM
    if new == len(values) > 1 and is_calm and diagnosis in _ANY_VALUE:
        return Pattern.CONVERGENCE
    if new < len(values) or _original_is_back(group, compiles):
        return Pattern.ALTERNATION
    return Pattern.VARIANTS if len(values) > 1 else Pattern.SINGLE


def _is_open(diagnosis: Diagnosis, group: Group) -> bool:
    """Whether there may be ever more values: an enum and a bool have few."""
    kinds = {failure.actual_kind for _, failure in group}
    return diagnosis not in _FEW_VALUES and not kinds <= {ValueKind.ENUM, ValueKind.BOOL}


def _values(diagnosis: Diagnosis, group: Group) -> dict[object, bool]:
    """The new values in their order, and whether each came back after another one.

    A frame with variants (training, evaluating) compiles each again for one new value.
    """
    found: dict[object, bool] = {}
    last: object = None
    for place, (compile_, failure) in enumerate(group):
        is_told = diagnosis not in _NEW_OBJECTS and failure.actual
        value = failure.actual if is_told else compile_.sequence
        later = (other for other, guard in group[place + 1 :] if guard.actual != failure.actual)
        is_back = _ran_after(compile_, later) or (value in found and value != last)
        found[value] = found.get(value, False) or is_back
        last = value
    return found


def _ran_after(compile_: Compile, others: Iterable[Compile]) -> bool:
    """Whether its code ran again once one of these was made."""
    latest = compile_.ran_after
    return latest is not None and any(other.sequence <= latest for other in others)


def _never_back(values: dict[object, bool]) -> list[object]:
    return [value for value, is_back in values.items() if not is_back]


def _original_is_back(group: Group, compiles: Sequence[Compile]) -> bool:
    """Whether the first value came back: its entry ran again, or another was compiled for it."""
    first, changed = group[0]
    made = {
        compile_.id: compile_
        for compile_ in compiles
        if compile_.frame.key == first.frame.key and compile_.succeeded
    }
    entry = made.get(changed.cache_entry)
    again = (
        made[failure.cache_entry].sequence
        for _, failure in group
        if failure.cache_entry in made and _wanted(failure) == _wanted(changed)
    )
    return (entry is not None and _ran_after(entry, [first])) or max(again, default=0) > (
        first.sequence
    )


def _wanted(failure: GuardFailure) -> object:
    return failure.expected, {name: pair[0] for name, pair in failure.fields.items()}


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


def forecast(pattern: Pattern, diagnosis: Diagnosis, group: Group) -> Forecast | None:
    """Of a storm: how many more values until the limit, and what each costs."""
    if pattern is not Pattern.STORM or any(c.outcome is Outcome.REFUSED for c, _ in group):
        return None  # what is refused raises, and never reaches a limit
    if any(attempt.limit_hit for attempt, _ in group):
        return Forecast(limit_hit=True)
    left = group[-1][0].recompiles_left
    if left is None or left >= ENDLESS:
        return None
    number = sum(made.count for made, _ in group)
    per_value = max(1.0, number / len(_values(diagnosis, group)))
    seconds = sum(made.seconds.total for made, _ in group) / number
    return Forecast(left=int(left / per_value), seconds_each=seconds * per_value)
