"""The counts of a recording while it grows: told of each event, asked at any time.

What is counted is as in :mod:`esper_audit.diagnosis.counts`; a test holds the two together. Each
event costs the same, however many came before, and asking costs nothing.
"""

from __future__ import annotations

from dataclasses import astuple, dataclass

from esper_audit.data.compiles import Compile, Outcome, RunsAfter, SkippedFrame, Stance
from esper_audit.data.steps import Phase
from esper_audit.diagnosis.counts import has_failed, is_refused


@dataclass(frozen=True, slots=True)
class Totals:
    """What torch.compile did up to now. Seconds are wall time.

    ``refused`` are recompiles that torch had to make and raised instead, ``failed`` are attempts
    that ended in an error, ``limits`` those that hit a recompile limit. ``seconds`` are those of
    all attempts, ``recompile_seconds`` those of recompiles.
    """

    compiles: int = 0
    recompiles: int = 0
    recompiles_after_warm_up: int = 0
    refused: int = 0
    failed: int = 0
    limits: int = 0
    graph_breaks: int = 0
    seconds: float = 0.0
    recompile_seconds: float = 0.0

    def __add__(self, other: Totals) -> Totals:
        return Totals(*(a + b for a, b in zip(astuple(self), astuple(other), strict=True)))

    def __sub__(self, other: Totals) -> Totals:
        return Totals(*(a - b for a, b in zip(astuple(self), astuple(other), strict=True)))


def totals_of(attempt: Compile) -> Totals:
    """What one attempt, or the equal ones that it stands for, adds."""
    times, seconds = attempt.count, attempt.seconds.total
    again = attempt.outcome is Outcome.RECOMPILED
    return Totals(
        compiles=times * attempt.succeeded,
        recompiles=times * again,
        recompiles_after_warm_up=times * (again and attempt.phase is Phase.STEADY),
        refused=times * is_refused(attempt),
        failed=times * has_failed(attempt),
        limits=times * attempt.limit_hit,
        graph_breaks=times * len(attempt.graph_breaks),
        seconds=seconds,
        recompile_seconds=seconds if again else 0.0,
    )


class Tally:
    """Adds up what a recorder tells of each event. One thread at a time: the recorder locks."""

    def __init__(self) -> None:
        self.totals = Totals()
        self.turns = 0
        """How often something that torch runs eagerly may have come or gone, but by a compile."""
        self._told: dict[int, Totals] = {}
        self._skips: set[tuple[str, str, bool, str]] = set()

    def note(self, event: object) -> None:
        """An event of the recorder. An attempt comes again once more is known of it."""
        if isinstance(event, Compile):
            self._attempt(event)
        elif isinstance(event, SkippedFrame):
            key = (event.frame.key, event.reason, event.for_good, event.ran)
            self.turns += key not in self._skips
            self._skips.add(key)
        elif isinstance(event, Stance):
            self.turns += 1

    def _attempt(self, attempt: Compile) -> None:
        adds = totals_of(attempt)
        self.totals += adds - self._told.get(attempt.sequence, _NOTHING)
        self._told[attempt.sequence] = adds
        self.turns += attempt.runs_after is not RunsAfter.COMPILE


_NOTHING = Totals()
