"""What is watched: one file, a folder of ranks, or what a process and its children write.

Reads what others write, and does nothing else: no signal, no lock, no file of its own.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path
from typing import Protocol

from esper_audit.data.audits import ProgramReport
from esper_audit.data.files import is_folder, is_there
from esper_audit.diagnosis.ranks import missing_ranks
from esper_audit.errors import UsageError
from esper_audit.program import processes
from esper_audit.program.following import Followed, of_journal
from esper_audit.program.heard import MOST_KEPT, Happened, Life, ProcessState
from esper_audit.recording.journal import SUFFIX

GRACE_SECONDS = 5.0
"""After a death, or where ranks are missing, how long a watch waits for what may still come."""

_LOOK_SECONDS = 1.0
"""Between two looks at who has the files open."""

_LOOK_COST = 20
"""Times that a look took, before the next one."""

_BUDGET_SECONDS = 0.3
"""Of one poll: a view is drawn between two, however much there is to read."""

_MOST_IN_ALL = 16 * MOST_KEPT
"""Compiles that are judged, of all processes together."""

_OVER = (Life.ENDED, Life.DIED)


class Kind(Enum):
    """What was given to be watched."""

    PROCESS = auto()
    FOLDER = auto()
    FILE = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchState:
    """What a view shows. ``alive``: of a process that was given, whether it is there."""

    kind: Kind
    name: str
    processes: tuple[ProcessState, ...] = ()
    alive: bool = True
    missing: tuple[str, ...] = ()
    seconds: float = 0.0

    @property
    def has_died(self) -> bool:
        """Whether a process has left no end."""
        return any(process.life is Life.DIED for process in self.processes)


class Places(Protocol):
    """Where recordings come from."""

    kind: Kind
    name: str

    def journals(self) -> Iterator[Path]:
        """Journals there are now, or are to come."""

    def is_alive(self) -> bool:
        """False where nothing can come any more."""


class OneFile:
    """A recording, or the journal of one, that may not be there yet."""

    kind = Kind.FILE

    def __init__(self, path: Path) -> None:
        self.name = str(path)
        self._journal = path if path.suffix == SUFFIX else path.with_name(path.name + SUFFIX)

    def journals(self) -> Iterator[Path]:
        yield self._journal

    def is_alive(self) -> bool:
        return True


class OneFolder:
    """A folder with a recording, or a journal, of each rank."""

    kind = Kind.FOLDER

    def __init__(self, path: Path) -> None:
        self.name = str(path)
        self._path = path

    def journals(self) -> Iterator[Path]:
        found = {*self._path.glob(f"*.json{SUFFIX}")}
        found |= {path.with_name(path.name + SUFFIX) for path in self._path.glob("*.json")}
        yield from sorted(found)

    def is_alive(self) -> bool:
        return True


class OneProcess:
    """A process and those that it has started: what they have open is what they write."""

    kind = Kind.PROCESS

    def __init__(self, pid: int) -> None:
        self.name = str(pid)
        self._pid = pid
        self._started = processes.started(pid)

    def journals(self) -> Iterator[Path]:
        own = self._open(self._pid)
        if own:
            yield from own
            return
        for child in processes.descendants(self._pid):
            yield from self._open(child)

    def _open(self, pid: int) -> list[Path]:
        try:
            return [path for path in processes.open_files(pid) if path.suffix == SUFFIX]
        except PermissionError:
            if pid != self._pid:
                return []
            raise UsageError(
                f"The files of process {pid} can't be looked at: it is another user's.",
                "Watch the file or the folder that it writes to.",
            ) from None

    def is_alive(self) -> bool:
        return processes.started(self._pid) == self._started


def places_of(given: str) -> Places:
    """What a number, a file or a folder means. Raises UsageError where it can't be watched."""
    path = Path(given)
    if given.isascii() and given.isdecimal() and not is_there(path):
        return _process(int(given))
    if is_folder(path) or given.endswith("/"):
        return OneFolder(path)
    return OneFile(path)


def _process(pid: int) -> OneProcess:
    if processes.started(pid) is None:
        raise UsageError(f"There is no process {pid}.", "Give the number of one that runs.")
    if not processes.are_known():
        raise UsageError(
            "This system does not tell which files a process has open.",
            "Watch the file or the folder that it writes to: `esper-audit exec --save FILE`.",
        )
    return OneProcess(pid)


class Watch:
    """Everything that is followed, and what is new."""

    def __init__(self, places: Places) -> None:
        self._places = places
        self._followed: dict[Path, Followed] = {}
        self._began = self._changed = time.monotonic()
        self._next_look = 0.0
        self._alive = True
        self._turn = 0
        self.more = True
        """Whether there is more to be read at once."""

    def __enter__(self) -> Watch:
        return self

    def __exit__(self, *_: object) -> None:
        for followed in self._followed.values():
            followed.close()

    def poll(self) -> None:
        """Read what was written since; as much as fits into a moment."""
        alive = self._places.is_alive()
        for place in self._places.journals() if alive else ():
            self._follow(place)
        self._alive = alive
        self.more = self._read()
        now = time.monotonic()
        if not self.more and (not alive or now >= self._next_look):
            self._look_who_writes()
            # On a machine with many processes a look takes longer, and is made less often.
            self._next_look = now + max(_LOOK_SECONDS, _LOOK_COST * (time.monotonic() - now))

    def _follow(self, place: Path) -> None:
        if place not in self._followed:
            self._followed[place] = of_journal(place)
            self._changed, self._next_look = time.monotonic(), 0.0
            most = max(_MOST_IN_ALL // len(self._followed), 16)
            for followed in self._followed.values():
                followed.heard.most = min(most, MOST_KEPT)

    def _read(self) -> bool:
        until = time.monotonic() + _BUDGET_SECONDS
        followed = list(self._followed.values())
        before = [one.life for one in followed]
        more = False
        for count in range(len(followed)):
            more |= followed[(self._turn + count) % len(followed)].poll()
            if time.monotonic() > until and count + 1 < len(followed):
                self._turn = (self._turn + count + 1) % len(followed)
                more = True  # the others have their turn in the next poll
                break
        if before != [one.life for one in followed]:
            self._changed = time.monotonic()
        return more

    def _look_who_writes(self) -> None:
        names = {one: one.name for one in self._followed.values() if one.name}
        holders = processes.holders(set(names.values())) if processes.are_known() else {}
        for one, name in names.items():
            before = one.life
            one.held_by(holders.get(name, frozenset()))
            if one.life is not before:
                self._changed = time.monotonic()

    @property
    def is_over(self) -> bool:
        """Whether nothing more is to be expected."""
        if self.more:
            return False
        lives = [one.life for one in self._followed.values() if one.life is not Life.WAITING]
        if not self._alive:
            return Life.RUNNING not in lives
        if not lives or any(life not in _OVER for life in lives):
            return False
        is_whole = Life.DIED not in lives and not self._missing(self._states())
        return is_whole or time.monotonic() - self._changed > GRACE_SECONDS

    def state(self) -> WatchState:
        """What is known now, by rank."""
        found = self._states()
        return WatchState(
            kind=self._places.kind,
            name=self._places.name,
            processes=tuple(found),
            alive=self._alive,
            missing=self._missing(found),
            seconds=time.monotonic() - self._began,
        )

    def _states(self) -> list[ProcessState]:
        found = [one.state() for one in self._followed.values()]
        return sorted(found, key=lambda state: (state.rank is None, state.rank or 0, state.place))

    def _missing(self, found: Sequence[ProcessState]) -> tuple[str, ...]:
        audits = tuple(state.audit for state in found if state.life is not Life.WAITING)
        return missing_ranks(ProgramReport(audits=audits))

    def news(self) -> list[tuple[ProcessState, Happened]]:
        """What happened since it was asked last, of all processes, in the order of its time."""
        found = [
            (one.state(), happened)
            for one in self._followed.values()
            for happened in one.heard.news()
        ]
        return sorted(found, key=lambda pair: pair[1].compile.at)
