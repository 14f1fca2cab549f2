"""Ranks and processes by name, however many there are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime

from esper_audit.data.logs import RankClass
from esper_audit.diagnosis.ranks import spans

_MOST_SPANS = 8


def rank_names(ranks: Sequence[int]) -> str:
    """``rank 3``, ``ranks 0 to 63, 65``, ``ranks 0, 2, 4, … (500 ranks)``."""
    return _named("rank", ranks, spans(ranks))


def process_names(found: RankClass) -> str:
    """The ranks of a class, or its processes; empty where neither is known."""
    if found.ranks:
        return rank_names(found.ranks)
    often = Counter(found.pids)
    told = [f"{pid} ({number} times)" if number > 1 else str(pid) for pid, number in often.items()]
    return _named("process", found.pids, told)


def one_name(found: RankClass, number: int) -> str:
    """One of a class, by its rank or process id."""
    return f"{'rank' if found.ranks else 'process'} {number}"


def _named(noun: str, numbers: Sequence[int], told: Sequence[str]) -> str:
    if not numbers:
        return ""
    if len(numbers) == 1:
        return f"{noun} {told[0]}"
    many = f"{noun}es" if noun.endswith("s") else f"{noun}s"
    more = f", … ({len(numbers):,} {many})" if len(told) > _MOST_SPANS else ""
    return f"{many} {', '.join(told[:_MOST_SPANS])}{more}"


def run_name(found: RankClass) -> str:
    """``run of 2026-11-27 04:05:06 UTC``; by its number where nobody knows when it began."""
    if found.began_at is not None:
        try:
            began = datetime.fromtimestamp(found.began_at, UTC)
        except (OverflowError, OSError, ValueError):  # a file may hold any number
            pass
        else:
            return f"run of {began:%Y-%m-%d %H:%M:%S} UTC"
    return f"run {found.run + 1}"
