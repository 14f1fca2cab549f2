"""What comes again is read and compared once: the logs of many runs and ranks hold the same again.

What is kept is bounded by how many lines of guard trees it is of, not by the size of the logs.
"""

from __future__ import annotations

from typing import Generic, TypeVar

from esper_audit.data.compiles import GuardFailure
from esper_audit.traces.guard_trees import GuardTree, tree_of_lines

_MOST_LINES = 100_000
Held = TypeVar("Held")


class Kept(Generic[Held]):
    """Results by what they were made of; all are forgotten where they are of too many lines."""

    def __init__(self, most: int = _MOST_LINES) -> None:
        self._most, self._lines = most, 0
        self._held: dict[object, Held] = {}

    def get(self, key: object) -> Held | None:
        """The result, where it was kept."""
        return self._held.get(key)

    def keep(self, key: object, held: Held, lines: int) -> None:
        """Keeps a result that was made of so many lines."""
        if self._lines > self._most:
            self._held.clear()
            self._lines = 0
        self._lines += lines
        self._held[key] = held


compared_before: Kept[tuple[GuardFailure, ...]] = Kept()
_trees: Kept[GuardTree] = Kept()


def tree_of(lines: tuple[str, ...]) -> GuardTree:
    """The tree of these lines, not to be changed; most frames compile once, and need none."""
    found = _trees.get(lines)
    if found is None:
        found = tree_of_lines(lines)
        _trees.keep(lines, found, len(lines))
    return found
