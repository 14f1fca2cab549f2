"""Numbers with their nouns, singular and plural."""

from __future__ import annotations


def several(number: int, noun: str) -> str:
    """``1 compile``, ``3 compiles``, ``1,200 compiles``."""
    return f"{number:,} {noun}{'s' * (number != 1)}"


def share(number: int, total: int, noun: str) -> str:
    """``1 of 17 audits``; also ``1 of 1 audits``, as the noun stands for all there are."""
    return f"{number:,} of {total:,} {noun}s"


def agree(number: int, one: str, many: str) -> str:
    """The form of a verb that goes with a number: ``1 audit differs``, ``2 audits differ``."""
    return one if number == 1 else many
