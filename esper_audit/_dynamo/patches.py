"""Stand-ins for torch's functions: one a place for the whole process, however many recorders.

A recorder that wrapped what it finds and put that back would wipe what others had put on top, and
come back when they put back what they had found. So a stand-in is put back only where it is on
top, and one that is retired passes through and tells nobody, wherever it hangs.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, Generic, TypeVar
from weakref import ref

from esper_audit._dynamo import names

Tap = TypeVar("Tap")

ORDER = threading.RLock()
"""Held while stand-ins come and go."""

_RETIRED: list[tuple[ref[Any], Any]] = []
"""Retired stand-ins that still hang somewhere, and what each stood in for."""


class Taps(Generic[Tap]):
    """Who is told by one stand-in now: nobody, once it is retired."""

    def __init__(self, *taps: Tap) -> None:
        self.all: tuple[Tap, ...] = taps


class Patch(Generic[Tap]):
    """The stand-in at one of torch's places. ``make`` makes it of what is there."""

    def __init__(self, key: str, make: Callable[[Any, Taps[Tap]], Any]) -> None:
        self._key, self._make = key, make
        self._taps: Taps[Tap] = Taps()
        self._place: tuple[Any, str] = (None, "")
        self._stand_in: Any = None
        self._original: Any = None

    def add(self, tap: Tap) -> None:
        """Tell this one, too; does nothing where this torch lacks the place."""
        place = names.owner_of(self._key)
        if place is None:
            return
        if self._stand_in is None or not self._is_on_top():
            taps = self._taps.all
            self._retire()
            self._put_in(place, Taps(*taps))
        self._taps.all += (tap,)

    def remove(self, tap: Tap) -> None:
        """Tell this one no longer; the last one's going puts back what was there."""
        self._taps.all = tuple(kept for kept in self._taps.all if kept is not tap)
        if not self._taps.all:
            self._retire()

    def _put_in(self, place: tuple[Any, str], taps: Taps[Tap]) -> None:
        owner, attribute = place
        self._original = behind(vars(owner)[attribute])
        self._stand_in = self._make(self._original, taps)
        self._place, self._taps = place, taps
        setattr(owner, attribute, self._stand_in)

    def _retire(self) -> None:
        if self._stand_in is None:
            return
        _RETIRED[:] = [(weak, real) for weak, real in _RETIRED if weak() is not None]
        _RETIRED.append((ref(self._stand_in), self._original))
        self._taps.all = ()
        owner, attribute = self._place
        present = vars(owner).get(attribute)
        if present is not None and behind(present) is not present:  # ours, or an older one of ours
            setattr(owner, attribute, behind(present))
        self._stand_in = self._original = None

    def _is_on_top(self) -> bool:
        owner, attribute = self._place
        return vars(owner).get(attribute) is self._stand_in


def behind(present: Any) -> Any:
    """What is there without retired stand-ins, which others may have put back."""
    reals = {id(stand_in): real for weak, real in _RETIRED if (stand_in := weak()) is not None}
    while id(present) in reals:
        present = reals[id(present)]
    return present
