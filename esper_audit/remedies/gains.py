"""What a remedy saves, and whether a step takes longer: from replays timed side by side. Pure.

A timed replay has no recorder and no comparison; which of its steps reuse compiled code is known
from the recorded replay of the same case. Steps are matched from the end on, as in ``states``.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from statistics import median, quantiles

from esper_audit.data.audits import Audit
from esper_audit.data.remedies import Gain
from esper_audit.data.steps import Phase, Step
from esper_audit.data.verdicts import StepVerdict
from esper_audit.diagnosis.counts import count

SLOWER = 1.2
"""Times the median step from which on a remedy is slower, where that is more than the noise."""

_FEWEST_SECONDS = 2e-5
"""A difference that no reader of a clock can tell from the machine's own noise."""

_FEWEST_STEPS = 3
"""Steps of a kind from which on their median is told as a speed: one alone tells the noise."""

_SAME = 1e-4
"""Of the sum of absolute values: compiled code may add up in another order."""


@dataclass(frozen=True, slots=True)
class Timed:
    """The steps of three replays of a case, timed: as it is, remedied, and without compiling."""

    before: Sequence[Step] = ()
    after: Sequence[Step] = ()
    eager: Sequence[Step] = ()


def is_slower(before: Audit, after: Audit, timed: Timed) -> bool:
    """Whether a reused step takes longer with the remedy, by more than the noise of both."""
    was, now = _of(timed.before, reused(before)), _of(timed.after, reused(after))
    if not was or not now:
        return False
    more = median(now) - median(was)
    noise = max(_spread(was), _spread(now), _FEWEST_SECONDS)
    return median(now) > SLOWER * median(was) and more > noise


def gain_of(before: Audit, after: Audit, timed: Timed) -> Gain:
    """What the remedy saves; None for what these replays don't tell."""
    gone = _late(before) - _late(after)
    saved = _late_seconds(before) - _late_seconds(after)
    steady = len([step for step in before.steps if step.phase is Phase.STEADY])
    was, now = _of(timed.before, reused(before)), _of(timed.after, reused(after))
    eager = _of(timed.eager, reused(after))
    limited = _of(timed.before, at(before, StepVerdict.EAGER))
    return Gain(
        seconds_per_event=saved / gone if gone > 0 and saved > 0 else None,
        per_thousand=saved / steady * 1000 if saved > 0 else None,
        pays_back=_pays_back(after, now, eager),
        after_limit=_speed(was, limited),
        remedied=_speed(was, now),
    )


def _pays_back(after: Audit, now: Sequence[float], eager: Sequence[float]) -> int | None:
    """Steps until the compiles have paid for themselves; None where they never do."""
    speed = _speed(eager, now)
    if speed is None or speed <= 1:
        return None
    compiling = sum(made.seconds.total for made in after.recording.compiles)
    return math.ceil(compiling / (median(eager) - median(now)))


def _speed(reference: Sequence[float], seconds: Sequence[float]) -> float | None:
    """The speed of these steps as a ratio to the reference's; None where either has too few."""
    if min(len(reference), len(seconds)) < _FEWEST_STEPS or not median(seconds):
        return None
    return median(reference) / median(seconds)


def _late(audit: Audit) -> int:
    return count(audit.recording).compiles_after_warm_up


def _late_seconds(audit: Audit) -> float:
    late = {step.index for step in audit.steps if step.phase is Phase.STEADY}
    made = (one for one in audit.recording.compiles if one.step in late)
    return sum(one.seconds.total for one in made)


def reused(audit: Audit) -> set[int]:
    """Places, from the end, of steps that reused compiled code: steady ones, else any."""
    return at(audit, StepVerdict.REUSED) or at(audit, StepVerdict.REUSED, steady=False)


def at(audit: Audit, verdict: StepVerdict, steady: bool = True) -> set[int]:
    """Places, from the end, of the steps with this verdict."""
    return {
        place - len(audit.steps)
        for place, step in enumerate(audit.steps)
        if step.verdict is verdict and (step.phase is Phase.STEADY or not steady)
    }


def _of(steps: Sequence[Step], places: Collection[int]) -> list[float]:
    """The seconds of the steps at these places, as far as the replay got."""
    count_ = len(steps)
    return [steps[place].seconds for place in places if -count_ <= place and not steps[place].error]


def _spread(seconds: Sequence[float]) -> float:
    """Between the quartiles."""
    if len(seconds) < 2:
        return 0.0
    first, _, third = quantiles(seconds, n=4, method="inclusive")
    return third - first


def differing(
    one: Sequence[Step], other: Sequence[Step], leave_out: Iterable[int] = ()
) -> list[int]:
    """Places, from the end, of steps whose checksums differ; all where one has other steps."""
    if len(one) != len(other):
        return list(range(-max(len(one), len(other)), 0))
    left_out = set(leave_out)
    places = (place for place in range(-len(one), 0) if place not in left_out)
    return [place for place in places if not _alike(one[place].checksum, other[place].checksum)]


def _alike(one: Sequence[float], other: Sequence[float]) -> bool:
    """Pairs of sums: of the values and of their absolute values, which is the size of both."""
    if len(one) != len(other):
        return False
    sizes = [max(pair) for pair in zip(one[1::2], other[1::2], strict=True)]
    pairs = enumerate(zip(one, other, strict=True))
    return all(_is_close(*pair, sizes[place // 2]) for place, pair in pairs)


def _is_close(one: float, other: float, size: float) -> bool:
    alike = one == other or (math.isnan(one) and math.isnan(other))
    return alike or abs(one - other) <= _SAME * size
