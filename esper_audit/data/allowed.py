"""What a value from outside must be, in words of our own."""

from __future__ import annotations

import math
from dataclasses import dataclass

MOST_OF_ANY = 1_000_000_000
"""Of what has no bound of its own: more is a slip, and no file or timer holds any number."""

_LONGEST = 40
_FEW = 4


@dataclass(frozen=True)
class Numbers:
    """A range of numbers, both ends included; infinite ones and NaN are in none."""

    whole: bool = False
    least: float | None = None
    most: float | None = None

    def __contains__(self, value: object) -> bool:
        if isinstance(value, bool) or not isinstance(value, int if self.whole else int | float):
            return False
        if isinstance(value, float) and not math.isfinite(value):
            return False
        least = -MOST_OF_ANY if self.least is None else self.least
        return least <= value <= (MOST_OF_ANY if self.most is None else self.most)

    def words(self, value: object = None) -> str:
        """What is allowed, so that it says what is wrong with this value."""
        noun = "a whole number" if self.whole else "a number"
        if self.least is not None and self.most is not None:
            return f"{noun} from {shown(self.least)} to {shown(self.most)}"
        if isinstance(value, int | float) and math.inf > value > MOST_OF_ANY:
            return f"{noun}, {MOST_OF_ANY} or less"
        return f"{noun}, {shown(self.least)} or more" if self.least is not None else noun


def but(value: object, allowed: str) -> str:
    """``is -5, but must be a number, 0.1 or more``."""
    return f"is {shown(value)}, but must be {allowed}"


def shown(value: object) -> str:
    """A value of a TOML or JSON file or of a command line, short."""
    match value:
        case bool():
            return str(value).lower()
        case None:
            return "null"
        case dict():
            return "a table"
        case list():
            inside = ", ".join(map(shown, value[:_FEW]))
            return f"[{inside}{', …' * (len(value) > _FEW)}]"
        case str():
            return repr(value if len(value) <= _LONGEST else f"{value[:_LONGEST]}…")
        case int() if abs(value) >= 10**_LONGEST:  # longer ones Python refuses to write
            return "a very large number" if value > 0 else "a very small number"
        case float() if value.is_integer() and abs(value) < MOST_OF_ANY:
            return str(int(value))
        case _:
            return str(value)


def one_of(words: list[str]) -> str:
    """``one of a, b or c``."""
    return f"one of {', '.join(words[:-1])} or {words[-1]}"
