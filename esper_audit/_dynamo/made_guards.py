"""What is known of the guards of a cache entry from the time when torch made them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from weakref import ref

from esper_audit.data.places import Location

Objects = dict[int, Any]
UserLines = dict[str, Location]


@dataclass(frozen=True, slots=True)
class Made:
    """Of one cache entry: the user line of each guarded source, and the thread that compiled it.

    ``objects`` are weak references to what its identity and type guards want, by id.
    """

    lines: UserLines = field(default_factory=dict)
    objects: dict[int, ref[Any]] = field(default_factory=dict)

    def alive(self) -> Objects:
        """What identity and type guards want, as far as it lives."""
        found = {number: weak() for number, weak in self.objects.items()}
        return {number: thing for number, thing in found.items() if thing is not None}


class MadeGuards:
    """What is known of each guard manager from its making, and no longer than that lives.

    Torch frees those of dropped entries, inside the program. A WeakKeyDictionary would run Python
    code there, which Dynamo tries to compile where it runs inside a compiled call (2.13).
    """

    def __init__(self) -> None:
        self._made: dict[ref[Any], Made] = {}

    def keep(self, manager: Any, made: Made) -> None:
        """Of a new one; forgets those that are gone."""
        self._made = {weak: kept for weak, kept in self._made.items() if weak() is not None}
        self._made[ref(manager)] = made

    def get(self, manager: Any) -> Made:
        """Empty for one that was made before."""
        return self._made.get(ref(manager), Made())
