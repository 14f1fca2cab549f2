"""One call of the compiled code in a replay, and the evidence of what it did.

Seconds are floats, steps count from 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from esper_audit.data.comparisons import Comparison
from esper_audit.data.numbers import Count, Moment, Seconds, Whole
from esper_audit.data.places import Location


class Phase(StrEnum):
    """Warm-up: compiles are expected. Steady: none are."""

    WARM_UP = "warm-up"
    STEADY = "steady"


@dataclass(frozen=True, slots=True)
class Lookups:
    """Calls of frames that had cache entries: how many matched one, how many matched none."""

    hits: Count = 0
    misses: Count = 0


@dataclass(frozen=True, slots=True)
class Step:
    """One call of the compiled code in a replay, and the evidence of what it did.

    ``callable_index`` tells apart the callables that one scenario compiled. ``seconds`` is the
    wall time of the call, compiles included, and ``at`` when it began, in seconds since the
    recording began; None where nobody recorded that. ``operations`` are the user's lines that run
    a tensor operation in this step, as seen in its eager twin; known only once torch has given up
    on a frame. ``error`` is what the call raised, if it did. ``shares``: its eager twin ran in the
    same process; then ``checksum`` holds the sums of its output's tensors and gradients, to be held
    against those of a replay without a twin.
    """

    index: Count
    phase: Phase
    label: str
    callable_index: Whole
    lookups: Lookups
    seconds: Seconds
    comparisons: tuple[Comparison, ...] = ()
    operations: tuple[Location, ...] = ()
    error: str = ""
    shares: bool = False
    checksum: tuple[float, ...] = ()
    at: Moment | None = None


@dataclass(frozen=True, slots=True)
class NamedStep:
    """A step that a program named, from then until it named the next one.

    ``at`` is seconds since the recording began. ``seconds`` is None of the last one, which the
    recording ends in.
    """

    index: Count
    label: str
    at: Moment
    seconds: Seconds | None = None


@dataclass(frozen=True, slots=True)
class Observation:
    """What a scenario saw for or against one claim while it ran."""

    claim: str
    holds: bool
    because: str
