"""How alpha moves to a target over several epochs."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

CURVES: dict[str, Callable[[float], float]] = {
    "linear": lambda t: t,
    "cosine": lambda t: (1.0 - math.cos(math.pi * t)) / 2.0,
    # A logistic curve of steepness 10, scaled to start at 0 and end at 1 exactly.
    "sigmoid": lambda t: (_logistic(t) - _logistic(0.0)) / (_logistic(1.0) - _logistic(0.0)),
}
"""Progress in [0, 1] to the share of the way in [0, 1], by name."""


def _logistic(t: float) -> float:
    return 1.0 / (1.0 + math.exp(-10.0 * (t - 0.5)))


@dataclass
class AlphaController:
    """Moves alpha from where it is to ``target`` in ``steps`` epochs along a curve."""

    start: float
    target: float
    steps: int
    curve: str = "linear"
    done: int = 0

    def __post_init__(self) -> None:
        if self.steps < 1:
            raise ValueError(f"steps must be at least 1, not {self.steps}")
        if self.curve not in CURVES:
            raise ValueError(f"no curve {self.curve!r}; there are {', '.join(CURVES)}")

    @property
    def finished(self) -> bool:
        return self.done >= self.steps

    def step(self) -> float:
        """Go one epoch on and return the new alpha; past the end, the target."""
        self.done = min(self.done + 1, self.steps)
        share = CURVES[self.curve](self.done / self.steps)
        return self.start + (self.target - self.start) * share
