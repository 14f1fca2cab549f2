"""Numbers with their nouns, singular and plural."""

from __future__ import annotations


def several(number: int, noun: str) -> str:
    """``1 compile``, ``3 compiles``, ``1,200 entries``."""
    return f"{number:,} {noun if number == 1 else _plural(noun)}"


def share(number: int, total: int, noun: str) -> str:
    """``1 of 17 audits``; also ``1 of 1 audits``, as the noun stands for all there are."""
    return f"{number:,} of {total:,} {_plural(noun)}"


def agree(number: int, one: str, many: str) -> str:
    """The form of a verb that goes with a number: ``1 audit differs``, ``2 audits differ``."""
    return one if number == 1 else many


def _plural(noun: str) -> str:
    if noun.endswith("ss"):
        return f"{noun}es"
    return f"{noun[:-1]}ies" if noun.endswith(("ry", "dy")) else f"{noun}s"


def done(number: int, total: int) -> str:
    """``3 of 72 audits were done``."""
    return f"{share(number, total, 'audit')} {agree(number, 'was', 'were')} done"
