"""Many processes as few: which did the same, and in which run.

What is held of each is a :class:`Process`, some hundred bytes. Worked example: logs of ranks 0 to
3 in one folder, where the job was restarted. Each rank is there twice, so there are two runs; in
the second one rank 3 recompiled, so that it has two classes: ranks 0 to 2, and rank 3.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from esper_audit.data.logs import RankClass
from esper_audit.data.recording import Recording
from esper_audit.diagnosis.likeness import likeness

LONG = 7 * 86_400.0
"""Seconds without any compile after which processes are of another run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """What is kept of each process: who it was, when, what it did (``like``), and at what cost.

    ``seconds`` are those of its compiles; ``began`` and ``ended`` are in seconds since 1970.
    """

    like: str
    rank: int | None = None
    pid: int | None = None
    seconds: float = 0.0
    began: float | None = None
    ended: float = 0.0


def process_of(recording: Recording) -> Process:
    """That of a recording."""
    log, program = recording.trace_log, recording.program
    began = recording.began_at
    return Process(
        like=likeness(recording),
        rank=program.rank if program is not None else None,
        pid=log.pid if log is not None else None,
        seconds=sum(made.seconds.total for made in recording.compiles),
        began=began,
        ended=(began or 0.0) + recording.seconds,
    )


@dataclass(frozen=True, slots=True)
class Group:
    """Places in a list of processes: those of one class, the one that is shown first."""

    places: tuple[int, ...]
    found: RankClass


def groups_of(processes: Sequence[Process]) -> list[Group]:
    """All processes in classes: run by run, in each the ranks first, the largest class first."""
    places: dict[tuple[int, bool, str], list[int]] = defaultdict(list)
    runs = runs_of(processes)
    for place, process in enumerate(processes):
        places[runs[place], process.rank is None, process.like].append(place)
    found = [
        _group(run, sorted(own, key=lambda place: _name(processes[place])), processes)
        for (run, _, _), own in places.items()
    ]
    began = _beginnings(runs, processes)
    return sorted(
        (_with_beginning(group, began.get(group.found.run)) for group in found), key=_order
    )


def _name(process: Process) -> tuple[int, int]:
    rank = process.rank if process.rank is not None else -1
    return rank, process.pid if process.pid is not None else -1


def _order(group: Group) -> tuple[int, bool, int, int]:
    found = group.found
    return found.run, not found.ranks, -len(group.places), found.shown


def _group(run: int, places: Sequence[int], processes: Sequence[Process]) -> Group:
    own = [processes[place] for place in places]
    slowest = max(own, key=lambda process: process.seconds)
    ranks = tuple(process.rank for process in own if process.rank is not None)
    pids = () if ranks else tuple(process.pid for process in own if process.pid is not None)
    return Group(
        tuple(places),
        RankClass(
            ranks=ranks,
            pids=pids,
            shown=_known(own[0]),
            slowest=_known(slowest),
            most_seconds=slowest.seconds,
            least_seconds=min(process.seconds for process in own),
            run=run,
        ),
    )


def _known(process: Process) -> int:
    return process.rank if process.rank is not None else process.pid or 0


def _with_beginning(group: Group, began: float | None) -> Group:
    return Group(group.places, replace(group.found, began_at=began))


def _beginnings(runs: Sequence[int], processes: Sequence[Process]) -> dict[int, float]:
    found: dict[int, float] = {}
    for run, process in zip(runs, processes, strict=True):
        if process.began is not None:
            found[run] = min(process.began, found.get(run, process.began))
    return found


def runs_of(processes: Sequence[Process]) -> list[int]:
    """The run of each process, from 0 on, in the order of their beginnings.

    A run has each rank once. Processes whose times overlap are of one run, unless they are of one
    rank; what begins later is of another run only where a rank comes again, or after a ``LONG``
    time. A process without a rank belongs to the run that was going on, or that came before it.
    """
    runs = [0] * len(processes)
    first = 0
    for together in _near(processes):
        found = _runs_near(together, processes)
        for place, run in found.items():
            runs[place] = first + run
        first += max(found.values()) + 1
    return runs


def _near(processes: Sequence[Process]) -> Iterator[list[int]]:
    """Places in the order of time, parted by a long time; first those whose time is unknown."""
    places = sorted(range(len(processes)), key=lambda place: processes[place].began or 0.0)
    known = (process.began for process in processes if process.began is not None)
    return _parted(places, processes, LONG, min(known, default=0.0))


def _runs_near(places: Sequence[int], processes: Sequence[Process]) -> dict[int, int]:
    """The run of each of these places, from 0 on."""
    ranked = sorted(
        (place for place in places if processes[place].rank is not None),
        key=lambda place: (processes[place].began or 0.0, processes[place].rank),
    )
    starts = list(_runs(ranked, processes))
    runs = {place: number for number, members in enumerate(starts) for place in members}
    began = [min(processes[place].began or 0.0 for place in members) for members in starts]
    for place in places:
        if processes[place].rank is None:
            at = processes[place].began or 0.0
            runs[place] = max((run for run, start in enumerate(began) if start <= at), default=0)
    return runs


def _runs(ranked: Iterable[int], processes: Sequence[Process]) -> Iterator[list[int]]:
    """Places of the processes of each run."""
    run: list[int] = []
    taken: set[int | None] = set()
    for together in _parted(ranked, processes):
        for members in _once_each(together, processes):
            ranks = {processes[place].rank for place in members}
            if ranks & taken:
                yield run
                run, taken = [], set()
            run += members
            taken |= ranks
    if run:
        yield run


def _parted(
    places: Iterable[int], processes: Sequence[Process], gap: float = 0.0, until: float = 0.0
) -> Iterator[list[int]]:
    """Places in the order of time, parted where no process was at work for ``gap`` seconds."""
    found: list[int] = []
    for place in places:
        process = processes[place]
        if found and (process.began or 0.0) > until + gap:
            yield found
            found = []
        found.append(place)
        until = max(until, process.ended)
    if found:
        yield found


def _once_each(places: Iterable[int], processes: Sequence[Process]) -> Iterator[list[int]]:
    """Parts in which each rank is once: the first process of each rank, the second, and so on."""
    parts: list[list[int]] = []
    seen: dict[int | None, int] = defaultdict(int)
    for place in places:
        rank = processes[place].rank
        if seen[rank] == len(parts):
            parts.append([])
        parts[seen[rank]].append(place)
        seen[rank] += 1
    yield from parts
