"""The steps that a program names, by the clock of the recording."""

from __future__ import annotations

from itertools import zip_longest

from esper_audit.data.steps import NamedStep

MOST = 10_000
"""Steps whose times are kept; those past it are only counted."""


class NamedSteps:
    """Each step from its name until the next one's."""

    def __init__(self) -> None:
        self._begun: list[tuple[str, float]] = []

    def begin(self, label: str, at: float) -> None:
        """The step of this name begins, so many seconds after the recording did."""
        if len(self._begun) <= MOST:  # one more, for the end of the last
            self._begun.append((label, round(at, 6)))

    def all(self) -> tuple[NamedStep, ...]:
        """Up to now, in order."""
        ends = [at for _, at in self._begun[1:]]
        return tuple(
            NamedStep(index, label, at, None if end is None else round(end - at, 6))
            for index, ((label, at), end) in enumerate(zip_longest(self._begun, ends))
        )[:MOST]
