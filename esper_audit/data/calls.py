"""What each call of compiled code gave in one run of a program: digests, not tensors.

Worked example: ``model(x)`` in a training loop is one call. Its ``before`` is of parameters,
buffers, gradients and arguments, by name; ``output`` of what it gave, and ``after`` of the
arguments again.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from esper_audit.data.numbers import Count, Seconds


@dataclass(frozen=True, slots=True)
class Digest:
    """Of a value: the kind of each tensor and number in it, such as ``float32[4, 16]``, and sums.

    The sums of each: of all values, of values weighted by their places, of absolute values.
    """

    kinds: tuple[str, ...] = ()
    sums: tuple[tuple[float, float, float], ...] = ()


EMPTY = Digest()


@dataclass(frozen=True, slots=True, kw_only=True)
class CompiledCall:
    """One call. ``number`` is that of its callable; ``error`` the class of what it raised.

    ``hits`` and ``misses`` are lookups in it that matched a cache entry, and that matched none;
    ``graphs`` is how many it compiled.
    """

    number: Count
    before: dict[str, Digest] = field(default_factory=dict)
    output: Digest = EMPTY
    after: dict[str, Digest] = field(default_factory=dict)
    seconds: Seconds = 0.0
    hits: Count = 0
    misses: Count = 0
    graphs: Count = 0
    error: str = ""

    @property
    def reused(self) -> bool:
        """Whether it ran compiled code that was there, and compiled nothing."""
        return self.hits > 0 and not self.misses and not self.error


@dataclass(frozen=True, slots=True, kw_only=True)
class Calls:
    """All calls of one run, in order. ``last``: of the state at the program's end.

    ``unseen``: values of which no digest could be made. ``overridden`` are levers that the program
    sets itself; ``missing`` says which one this torch lacks.
    """

    rows: tuple[CompiledCall, ...] = ()
    last: dict[str, Digest] = field(default_factory=dict)
    unseen: Count = 0
    overridden: tuple[str, ...] = ()
    missing: str = ""
