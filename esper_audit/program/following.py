"""The journal of one process, followed from before its beginning to past its end."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Protocol

import msgspec

from esper_audit.data.files import is_file
from esper_audit.data.recording import Recording
from esper_audit.data.storage import UNREADABLE, load
from esper_audit.errors import UsageError
from esper_audit.program import processes
from esper_audit.program.heard import MOST_KEPT, Happened, Heard, Life, ProcessState
from esper_audit.program.tail import Tail
from esper_audit.recording.journal import SUFFIX, Ended, event_of


class Followed(Protocol):
    """What one process leaves on disk, in whatever form."""

    place: Path
    life: Life
    most: int

    @property
    def name(self) -> str:
        """The real path of the file that the process writes; empty where there is none."""

    def poll(self) -> bool:
        """Read what was appended, some of it; whether there is more to be read at once."""

    def held_by(self, holders: frozenset[int]) -> None:
        """Told from time to time which processes have the file open."""

    def states(self) -> list[ProcessState]:
        """What is known now of each process in it."""

    def news(self) -> list[tuple[ProcessState, Happened]]:
        """What was not told before."""

    def close(self) -> None:
        """Let go of the file."""


class FollowedJournal:
    """A journal, and the recording that takes its place at the end."""

    def __init__(self, journal: Path, recording: Path | None, most: int = MOST_KEPT) -> None:
        self.place = recording or journal
        self.life = Life.WAITING
        self.heard = Heard(most)
        self._tail = Tail(journal)
        self._recording = recording
        self._saved: tuple[int, int] | None = None
        self._writer: int | None = None
        self._has_head = False
        self._is_read = True
        self._runs = 1

    @property
    def name(self) -> str:
        return os.path.realpath(self._tail.path) if self.life is not Life.WAITING else ""

    def poll(self) -> bool:
        look = self._tail.look()
        if look.begins and self.life is not Life.WAITING:
            self._begin_again()
        for line in look.lines:
            self._add(line)
        if look.gone:
            self._has_gone()
        elif not self.heard.ended and self.life in (Life.WAITING, Life.UNSEEN, Life.ENDED):
            self.life = Life.RUNNING
        if look.lines and self.life is Life.SILENT:  # it is written all the same, by another host
            self.life = Life.RUNNING
        self._is_read = not look.more
        return look.more

    def _begin_again(self) -> None:
        self.heard = Heard(self.heard.most)
        self._has_head, self._writer, self.life = False, None, Life.RUNNING
        self._runs += 1

    def _add(self, line: bytes) -> None:
        content = line.strip(b"\0\r ")
        if not content:
            return
        try:
            found = msgspec.json.decode(content)
            event, lookups = event_of(found, str(self._tail.path), is_first=not self._has_head)
        except (*UNREADABLE, UsageError, OverflowError):
            self.heard.lost += 1
            return
        if isinstance(event, Recording):
            self._has_head = True
            self.heard.begin(event)
        elif isinstance(event, Ended):
            self.heard.end(event)
        else:
            self.heard.add(event, lookups)

    def _has_gone(self) -> None:
        """No journal: it has not begun, or the recording has taken its place."""
        if self._take_recording() or self.life in (Life.WAITING, Life.ENDED, Life.DIED):
            return
        self.life = Life.UNSEEN if self._runs_on() else Life.ENDED

    def _runs_on(self) -> bool:
        """Whether the program has written no end, and its process is still there."""
        pid = self._writer
        return not self.heard.ended and pid is not None and processes.started(pid) is not None

    def _take_recording(self, after: Path | None = None) -> bool:
        """Read what was saved since it was read last; only where it is younger than a file."""
        if self._recording is None or not is_file(self._recording):
            return False
        try:
            now = self._recording.stat()
            stamp = now.st_mtime_ns, now.st_size
            if stamp == self._saved or (after and after.stat().st_mtime_ns > now.st_mtime_ns):
                return False
            self._saved = stamp
            found = load(self._recording, Recording)
        except (OSError, UsageError):
            return False
        self.heard.whole(found)
        self.life = Life.ENDED
        return True

    def held_by(self, holders: frozenset[int]) -> None:
        if self.life not in (Life.RUNNING, Life.SILENT):
            return
        if not holders and self._take_recording(after=self._tail.path):
            return  # the journal is what a run before that recording has left
        writers = [pid for pid in holders if processes.parent(pid) not in holders]
        if self._writer is None and writers:
            self._writer = min(writers)
        if holders and (self._writer is None or self._writer in holders):
            self.life = Life.RUNNING
        elif self.heard.ended:
            self.life = Life.ENDED
        elif self._writer is not None:
            self.life = Life.DIED
        elif processes.are_known():
            self.life = Life.SILENT

    def states(self) -> list[ProcessState]:
        state = self.heard.state(
            str(self.place),
            self.life,
            read=self._is_read,
            runs=self._runs,
            pid=self._writer,
            file=str(self._tail.path),
        )
        return [state]

    def news(self) -> list[tuple[ProcessState, Happened]]:
        [state] = self.states()
        return [(state, happened) for happened in self.heard.news()]

    @property
    def most(self) -> int:
        return self.heard.most

    @most.setter
    def most(self, most: int) -> None:
        self.heard.most = most

    def close(self) -> None:
        self._tail.close()


def of_journal(path: Path, most: int = MOST_KEPT) -> FollowedJournal:
    """The journal of this name; beside a saved recording, both."""
    beside = path.with_name(path.name.removesuffix(SUFFIX))
    return FollowedJournal(path, beside if beside.suffix == ".json" else None, most)
