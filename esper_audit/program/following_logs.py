"""The trace log of a program that still runs, of plain torch with ``TORCH_TRACE``."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from pathlib import Path

from esper_audit.data.files import is_file
from esper_audit.program import processes
from esper_audit.program.heard import MOST_KEPT, Happened, Heard, Life, ProcessState
from esper_audit.program.tail import Tail
from esper_audit.traces.process_log import ProcessLog
from esper_audit.traces.reader import Reader
from esper_audit.traces.recordings import recording_of
from esper_audit.traces.records import ANYWHERE

NAMES = "dedicated_log_torch_trace_*.log"
"""Of torch's own files in the folder of ``TORCH_TRACE`` (LazyTraceHandler, torch/_logging)."""

_SNIFFED = 1 << 16
_COST = 5
"""Times that making a recording took, before it is made again: the whole log makes it."""


def is_log(path: Path) -> bool:
    """Whether a file holds records of a trace log, or has the name of one that is to come."""
    if not is_file(path):
        return path.suffix == ".log"
    try:
        with path.open("rb") as file:
            return ANYWHERE.search(file.read(_SNIFFED)) is not None
    except OSError:
        return False


class FollowedLog:
    """A file with the log of a process; before torch 2.13, of its forked children, too."""

    def __init__(self, path: Path, most: int = MOST_KEPT) -> None:
        self.place = path
        self.life = Life.WAITING
        self.most = most
        self._tail = Tail(path)
        self._reader = Reader(str(path))
        self._heard: list[Heard] = []
        self._is_read, self._is_new, self._was_held = True, False, False
        self._next = 0.0
        self._runs = 1

    @property
    def name(self) -> str:
        return os.path.realpath(self.place) if self.life is not Life.WAITING else ""

    def poll(self) -> bool:
        look = self._tail.look()
        if look.begins and self.life is not Life.WAITING:
            self._reader, self._heard = Reader(str(self.place)), []
            self._runs += 1
        if look.lines:
            self._reader.feed(b"\n".join(look.lines) + b"\n")
            self._is_new = True
        if not look.gone and (self.life is Life.WAITING or (look.lines and self._is_read)):
            # Until somebody is seen to write it, it may be of a run that is long over.
            self.life = Life.SILENT if self.life is Life.WAITING else Life.RUNNING
        self._is_read = not look.more
        self._make()
        return look.more

    def _make(self) -> None:
        """Make recordings of what was read, if it is time for that."""
        began = time.monotonic()
        if not self._is_new or (not self._is_read and began < self._next):
            return
        if began < self._next and self._heard:
            return
        self._reader.settle()
        for place, log in enumerate(self._reader.logs()):
            if place == len(self._heard):
                self._heard.append(Heard(self.most))
            self._heard[place].whole(replace(recording_of(self._known(log)), complete=False))
            self._heard[place].lost = sum(damage.count for damage in log.damage)
        self._is_new = False
        self._next = time.monotonic() + _COST * (time.monotonic() - began)

    def _known(self, log: ProcessLog) -> ProcessLog:
        """Without compiles that go on: what they are is not known before their metrics."""
        if self.life is not Life.RUNNING:
            return log
        return replace(log, compiles=[one for one in log.compiles if one.metrics])

    def held_by(self, holders: frozenset[int]) -> None:
        before = self.life
        if holders:
            self._was_held, self.life = True, Life.RUNNING
        elif self._was_held:
            self.life = Life.ENDED
        elif processes.are_known():
            self.life = Life.SILENT
        self._is_new |= self.life is not before
        self._make()

    def states(self) -> list[ProcessState]:
        return [
            heard.state(
                f"{self.place} {number}",
                self.life,
                read=self._is_read,
                runs=self._runs,
                pid=log.pid,
                file=str(self.place),
            )
            for number, (heard, log) in enumerate(
                zip(self._heard, self._reader.logs(), strict=False)
            )
        ]

    def news(self) -> list[tuple[ProcessState, Happened]]:
        found = [heard.news() for heard in self._heard]
        return [
            (state, one) for state, own in zip(self.states(), found, strict=True) for one in own
        ]

    def close(self) -> None:
        self._tail.close()
