"""Torch's own stages of a compile: when each began, and how long it took.

Torch times them with ``dynamo_timed`` of torch/_dynamo/utils.py, which tells of each begin and end
(2.8 to 2.14), by the wall clock. A wall clock may be set while a compile runs, so each moment is
kept by ``time.perf_counter``.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from esper_audit.data.clock import moment_of
from esper_audit.data.stages import Stage

SHORTEST = 1e-4
"""Seconds. Inductor has dozens of passes that take less; they are not kept."""


@dataclass(slots=True)
class Collected:
    """The stages of one compile: those that run, innermost last, and those that are over."""

    running: list[tuple[str, float]] = field(default_factory=list)
    over: list[Stage] = field(default_factory=list)

    def end(self, name: str, moment: float) -> None:
        """A stage ends, and so do those inside of it that torch tells nothing more of."""
        if all(name != begun for begun, _ in self.running):
            return
        begun = ""
        while begun != name:
            begun, began = self.running.pop()
            if moment - began >= SHORTEST:
                self.over.append(Stage(begun, began, moment - began))

    def in_order(self) -> tuple[Stage, ...]:
        """By their beginnings; of two that begin together, the longer one first."""
        return tuple(sorted(self.over, key=lambda stage: (stage.at, -stage.seconds)))


class StageClock(threading.local):
    """The stages of what one thread compiles, a nested compile's apart from those around it.

    What runs outside of any compile of Dynamo's is kept until the next such work begins: a
    backward that is compiled later is told of as it ends.
    """

    def __init__(self) -> None:
        self._outside = Collected()
        self._now = self._outside

    def told(self, event: Mapping[str, Any]) -> None:
        """Torch begins (``B``) or ends (``E``) a stage; ``ts`` is in microseconds since 1970."""
        kind, name, moment = event["ph"], str(event["name"]), moment_of(event["ts"] / 1e6)
        if kind == "B":
            if self._now is self._outside and not self._outside.running:
                self._outside.over.clear()
            self._now.running.append((name, moment))
        elif kind == "E":
            self._now.end(name, moment)

    def begin(self) -> Collected:
        """A compile begins; gives what to go back to."""
        outer, self._now = self._now, Collected()
        return outer

    def end(self, outer: Collected) -> tuple[Stage, ...]:
        """The compile is over: its stages."""
        found, self._now = self._now, outer
        return found.in_order()

    def outside(self) -> tuple[Stage, ...]:
        """The stages of the latest work outside of any compile."""
        return self._outside.in_order() if self._now is self._outside else ()
