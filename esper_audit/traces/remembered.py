"""Answers that were worked out before: ranks and restarted programs ask the same again."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

T = TypeVar("T")


class Remembered(Generic[T]):
    """Answers by what was asked; all are forgotten where their weight exceeds ``most``."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._weight = 0
        self._answers: dict[Hashable, T] = {}

    def answer(self, asked: Hashable, weight: int, work_out: Callable[[], T]) -> T:
        """The answer; what it raises is not remembered."""
        if asked in self._answers:
            return self._answers[asked]
        found = work_out()
        self._weight += weight
        if self._weight > self._most:
            self._answers.clear()
            self._weight = weight
        self._answers[asked] = found
        return found
