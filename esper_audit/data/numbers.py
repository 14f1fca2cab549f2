"""The numbers that data of ours may hold: a file that claims more is no file of ours."""

from __future__ import annotations

import re
from typing import Annotated, TypeGuard

from msgspec import Meta

_MOST = 2**53
"""Beyond it, other readers of JSON round integers."""

Whole = Annotated[int, Meta(ge=-_MOST, le=_MOST)]
Count = Annotated[int, Meta(ge=0, le=_MOST)]
Seconds = Annotated[float, Meta(ge=0, le=1e12)]
Moment = Annotated[float, Meta(ge=-1e12, le=1e12)]
"""Seconds from a beginning, or a difference of some: a clock may be set back."""


def is_whole(found: object) -> TypeGuard[int]:
    """Whether it is a whole number that data of ours may hold."""
    return isinstance(found, int) and -_MOST <= found <= _MOST


def still_left(limit: int, used: int) -> int:
    """What is left of a limit; of one that is no limit (``sys.maxsize``), the most there may be."""
    return int(min(max(limit - used, 0), _MOST))


_DIGITS = re.compile(r"[0-9]{1,15}")


def whole_number(text: str) -> int | None:
    """The number that ASCII digits are, 15 at most; None of every other text."""
    return int(text) if _DIGITS.fullmatch(text) else None
