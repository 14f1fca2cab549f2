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
    rank; what begins later is of another run only where a rank comes again. A process without a
    rank belongs to the run that was going on, or that came before it.
    """
    runs = [0] * len(processes)
    ranked = sorted(
        (place for place, process in enumerate(processes) if process.rank is not None),
        key=lambda place: (processes[place].began or 0.0, processes[place].rank),
    )
    starts = list(_runs(ranked, processes))
    for number, members in enumerate(starts):
        for place in members:
            runs[place] = number
    began = [min(processes[place].began or 0.0 for place in members) for members in starts]
    for place, process in enumerate(processes):
        if process.rank is None:
            earlier = [run for run, at in enumerate(began) if at <= (process.began or 0.0)]
            runs[place] = max(earlier, default=0)
    return runs


def _runs(ranked: Iterable[int], processes: Sequence[Process]) -> Iterator[list[int]]:
    """Places of the processes of each run."""
    run: list[int] = []
    taken: set[int | None] = set()
    for together in _overlapping(ranked, processes):
        for members in _once_each(together, processes):
            ranks = {processes[place].rank for place in members}
            if ranks & taken:
                yield run
                run, taken = [], set()
            run += members
            taken |= ranks
    if run:
        yield run


def _overlapping(ranked: Iterable[int], processes: Sequence[Process]) -> Iterator[list[int]]:
    """Places in the order of time, parted where no process was at work."""
    found: list[int] = []
    until = 0.0
    for place in ranked:
        process = processes[place]
        if found and (process.began or 0.0) > until:
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
