"""The stances that a program sets, each from when to when, and the calls in its time."""

from __future__ import annotations

from dataclasses import dataclass, replace

from esper_audit.data.compiles import Stance
from esper_audit.data.places import Location

_DEFAULT = "default"


@dataclass(frozen=True, slots=True)
class Calls:
    """Counts up to a moment: calls of compiled functions under a stance, and lookups."""

    entered: int
    hits: int
    misses: int


class Stances:
    """Periods in which a stance was in force, in order. Setting one again goes on with it."""

    def __init__(self) -> None:
        self._open: tuple[Stance, Calls] | None = None

    def set(
        self, stance: str, location: Location | None, at: float, calls: Calls
    ) -> tuple[Stance, ...]:
        """What there is to keep now that a stance is set: the one before, over, and this one.

        The second is open until it comes again, with its end; nothing where it was in force.
        """
        if self._open is not None and self._open[0].stance == stance:
            return ()
        ended = self.ended(at, calls)
        begun = Stance(stance, location, at)
        self._open = begun, calls
        return (*ended, begun)

    def ended(self, at: float, calls: Calls) -> tuple[Stance, ...]:
        """The stance that is in force, as if it ended now."""
        now = self.up_to(calls)
        return tuple(replace(stance, until=at) for stance in now)

    def up_to(self, calls: Calls) -> tuple[Stance, ...]:
        """The stance that is in force, with the calls in its time up to now."""
        if self._open is None or self._open[0].stance == _DEFAULT:
            return () if self._open is None else (self._open[0],)
        stance, before = self._open
        return (
            replace(
                stance,
                calls=calls.entered - before.entered,
                hits=calls.hits - before.hits,
                misses=calls.misses - before.misses,
            ),
        )
