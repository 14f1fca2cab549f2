"""One call of the compiled code in a replay, and the evidence of what it did.

Seconds are floats, steps count from 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from esper_audit.data.comparisons import Comparison
from esper_audit.data.numbers import Count, Seconds, Whole
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
    wall time of the call, compiles included. ``operations`` are the user's lines that run a tensor
    operation in this step, as seen in its eager twin; known only once torch has given up on a
    frame. ``error`` is what the call raised, if it did. ``shares``: its eager twin ran in the same
    process; then ``checksum`` holds the sums of its output's tensors and gradients, to be held
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


@dataclass(frozen=True, slots=True)
class Observation:
    """What a scenario saw for or against one claim while it ran."""

    claim: str
    holds: bool
    because: str
