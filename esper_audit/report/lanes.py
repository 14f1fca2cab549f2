"""What to call the recordings of a program's ranks, in the lanes and rows of a figure."""

from __future__ import annotations

from itertools import pairwise

from esper_audit.data.audits import ProgramReport
from esper_audit.report.words.numbers import several

_MOST_RUNS = 4
"""Runs of ranks that are listed."""


def names_of(report: ProgramReport) -> dict[int, str]:
    """By the identity of each audit: ``rank 0``; where it stands for others, ``ranks 0 to 6``."""
    classes = {found.shown: found.ranks for found in report.classes}
    names: dict[int, str] = {}
    for place, audit in enumerate(report.audits):
        rank = audit.rank
        ranks = classes.get(rank, (rank,)) if rank is not None else ()
        names[id(audit)] = rank_names(ranks) if ranks else f"recording {place + 1}"
    return names


def rank_names(ranks: tuple[int, ...]) -> str:
    """``rank 3``, ``ranks 0 to 2, 5``."""
    if len(ranks) == 1:
        return f"rank {ranks[0]}"
    ordered = sorted(set(ranks))
    begins = [ordered[0], *(b for a, b in pairwise(ordered) if b != a + 1)]
    ends = [*(a for a, b in pairwise(ordered) if b != a + 1), ordered[-1]]
    runs = [f"{a}" if a == b else f"{a} to {b}" for a, b in zip(begins, ends, strict=True)]
    more = len(runs) - _MOST_RUNS
    rest = f" and {several(more, 'more group')}" if more > 0 else ""
    return f"ranks {', '.join(runs[:_MOST_RUNS])}{rest}"
