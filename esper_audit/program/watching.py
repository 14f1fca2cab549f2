"""What is watched: one file, a folder of ranks, or what a process and its children write.

Reads what others write, and does nothing else: no signal, no lock, no file of its own.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path
from typing import Protocol

from esper_audit.data.audits import ProgramReport
from esper_audit.data.files import entries, files_below, is_folder, is_there
from esper_audit.diagnosis.ranks import missing_ranks
from esper_audit.errors import UsageError
from esper_audit.program import processes
from esper_audit.program.following import Followed, of_journal
from esper_audit.program.following_logs import NAMES, FollowedLog, is_log
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

_ONE_RUN_SECONDS = 600.0
"""Trace logs of a folder that were written longer before the latest are of an earlier run."""

_MOST_IN_ALL = 32 * MOST_KEPT
"""Compiles that are judged, of all processes together."""

_OVER = (Life.ENDED, Life.DIED)


class Kind(Enum):
    """What was given to be watched."""

    PROCESS = auto()
    FOLDER = auto()
    FILE = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchState:
    """What a view shows. ``alive``: of a process that was given, whether it is there.

    ``is_there``: there is something of this name, whatever it holds.
    """

    kind: Kind
    name: str
    processes: tuple[ProcessState, ...] = ()
    alive: bool = True
    is_there: bool = False
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

    def logs(self) -> Iterator[Path]:
        """Trace logs, for where there is no journal."""

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

    def logs(self) -> Iterator[Path]:
        yield from ()

    def is_alive(self) -> bool:
        return True


class OneLog:
    """A trace log."""

    kind = Kind.FILE

    def __init__(self, path: Path) -> None:
        self.name = str(path)

    def journals(self) -> Iterator[Path]:
        yield from ()

    def logs(self) -> Iterator[Path]:
        yield Path(self.name)

    def is_alive(self) -> bool:
        return True


class OneFolder:
    """A folder with a recording, or a journal, of each rank; or with trace logs."""

    kind = Kind.FOLDER

    def __init__(self, path: Path) -> None:
        self.name = str(path)
        self._path = path

    def journals(self) -> Iterator[Path]:
        found = {*entries(self._path, f"*.json{SUFFIX}")}
        saved = entries(self._path, "*.json")
        found |= {path.with_name(path.name + SUFFIX) for path in saved}
        yield from sorted(found)

    def logs(self) -> Iterator[Path]:
        """Those of the latest run: many may have left theirs, which nobody writes any more."""
        written = {path: _written_at(path) for path in files_below(self._path, NAMES)}
        latest = max(written.values(), default=0.0)
        yield from sorted(path for path, at in written.items() if at > latest - _ONE_RUN_SECONDS)

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
        yield from self._open(f"*{SUFFIX}")

    def logs(self) -> Iterator[Path]:
        yield from self._open(NAMES)

    def _open(self, pattern: str) -> Iterator[Path]:
        """The files that it has open, or else that those have that it started."""
        own = [path for path in self._files(self._pid) if path.match(pattern)]
        for pid in () if own else processes.descendants(self._pid):
            yield from (path for path in self._files(pid) if path.match(pattern))
        yield from own

    def _files(self, pid: int) -> list[Path]:
        try:
            return processes.open_files(pid)
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
    return OneLog(path) if is_log(path) else OneFile(path)


def _written_at(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


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
        self._logs = False
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
        if alive:
            self._find()
        self._alive = alive
        self.more = self._read()
        now = time.monotonic()
        if not self.more and (not alive or now >= self._next_look):
            self._look_who_writes()
            # On a machine with many processes a look takes longer, and is made less often.
            self._next_look = now + max(_LOOK_SECONDS, _LOOK_COST * (time.monotonic() - now))

    def _find(self) -> None:
        """Follow what has come; trace logs only where nothing of ours is written."""
        for place in self._places.journals():
            self._follow(place, of_journal)
        if all(followed.life is Life.WAITING for followed in self._followed.values()) or self._logs:
            for place in self._places.logs():
                self._logs = True
                self._follow(place, FollowedLog)

    def _follow(self, place: Path, follow: Callable[[Path], Followed]) -> None:
        if place not in self._followed:
            self._followed[place] = follow(place)
            self._followed[place].poll()
            self._changed, self._next_look = time.monotonic(), 0.0
            most = max(_MOST_IN_ALL // len(self._followed), 16)
            for followed in self._followed.values():
                followed.most = min(most, MOST_KEPT)

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
        lives = [one.life for one in self._counted() if one.life is not Life.WAITING]
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
            is_there=is_there(self._places.name),
            missing=self._missing(found),
            seconds=time.monotonic() - self._began,
        )

    def _counted(self) -> list[Followed]:
        """Not the logs of runs before, where there are some that are written now."""
        found = list(self._followed.values())
        logs = [one for one in found if isinstance(one, FollowedLog)]
        if all(one.life in (Life.WAITING, Life.SILENT) for one in logs):
            return found
        return [one for one in found if one not in logs or one.life is not Life.SILENT]

    def _states(self) -> list[ProcessState]:
        found = [state for one in self._counted() for state in one.states()]
        return sorted(found, key=lambda state: (state.rank is None, state.rank or 0, state.place))

    def _missing(self, found: Sequence[ProcessState]) -> tuple[str, ...]:
        audits = tuple(state.audit for state in found if state.life is not Life.WAITING)
        return missing_ranks(ProgramReport(audits=audits))

    def news(self) -> list[tuple[ProcessState, Happened]]:
        """What happened since it was asked last, of all processes, in the order of its time."""
        found = [pair for one in self._counted() for pair in one.news()]
        return sorted(found, key=lambda pair: pair[1].compile.at)
