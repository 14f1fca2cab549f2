"""A record on disk of what happened so far, for programs that end without a word."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from esper_audit.data.compiles import Compile, DeferredWork, SkippedFrame, Stance
from esper_audit.data.files import is_file
from esper_audit.data.misfits import misfit
from esper_audit.data.notices import HookError
from esper_audit.data.numbers import Seconds
from esper_audit.data.reasons import Reason, Why
from esper_audit.data.recording import UNKNOWN, Program, Recording
from esper_audit.data.steps import Lookups
from esper_audit.data.storage import SCHEMA_VERSION, UNREADABLE, check_head
from esper_audit.data.text import encodable, to_json
from esper_audit.errors import UsageError

SUFFIX = ".partial"
KIND = "journal"
_HEAD = 200
"""Bytes at the beginning, which hold the kind of the file."""

T = TypeVar("T")
Event = Compile | SkippedFrame | Stance | DeferredWork | HookError
_NAMES: dict[type, str] = {
    Compile: "compiles",
    SkippedFrame: "skips",
    Stance: "stances",
    DeferredWork: "deferred",
    HookError: "hook_errors",
}


@dataclass(frozen=True, slots=True)
class Ended:
    """How the program ended, and after how many seconds of recording."""

    program: Program
    seconds: Seconds


def may_replace(path: Path) -> bool:
    """Whether nothing lies there, or what an earlier run has left: no link, and nothing else."""
    if not os.path.lexists(path):
        return True
    if os.path.islink(path) or not is_file(path):  # noqa: PTH114  # it raises never
        return False
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD)
    except OSError:
        return False
    return not head or f'"kind":"{KIND}"'.encode() in head


class Journal:
    """Appends events to a file, each flushed at once; removed when the recording is saved.

    It grows with what torch compiles, never with calls that reuse compiled code.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._pid = os.getpid()
        self._file: Any = None
        self._is_ours = False

    def begin(self, recording: Recording, program: Program) -> None:
        """Write the head. A place that can't be written costs the journal, not the program."""
        try:
            if not may_replace(self.path):  # it has come since it was asked for
                return
            self._file = self.path.open("wb")
            self._is_ours = True
        except OSError:
            return
        head = encodable(replace(recording, program=program, complete=False))
        body = msgspec.to_builtins(head)
        self._write({"schema_version": SCHEMA_VERSION, "kind": KIND} | body)

    @property
    def is_kept(self) -> bool:
        """Whether there is a file: it was written, and has not been removed."""
        return self._file is not None

    def note(self, event: Event, lookups: Lookups) -> None:
        """Add an event. A compile with a sequence number seen before stands in for that one.

        How often its graph runs is not known yet.
        """
        if isinstance(event, Compile):
            event = replace(event, graph_runs=None)
        self._write({_NAMES[type(event)]: event, "lookups": lookups})

    def end(self, recording: Recording) -> None:
        """Add how the program ended: who reads along learns it though the file goes."""
        if recording.program is not None:
            ended = Ended(recording.program, recording.seconds)
            self._write({"ended": ended, "lookups": recording.lookups})

    def _write(self, line: dict[str, Any]) -> None:
        if self._file is None or os.getpid() != self._pid:
            return
        try:
            self._file.write(to_json(line) + b"\n")
            self._file.flush()
        except OSError:  # a full disk: what is written stays, the program goes on
            self._file = None

    def remove(self) -> None:
        """Close and delete it: everything is in the saved recording, or told."""
        if self._file is not None:
            self._file.close()
            self._file = None
        if self._is_ours:
            self.path.unlink(missing_ok=True)


def read_journal(data: bytes, name: str = "the journal") -> Recording:
    """The recording that a journal holds; notes of it count and name the lines that are lost.

    Raises UsageError for a journal of another version, and where nothing in it can be read.
    """
    read = _Lines()
    for number, line in enumerate(data.split(b"\n"), 1):
        content = line.strip(b"\0\r ")  # a crash may leave a block of NUL
        if content:
            read.add(number, content, name)
    if read.head is None and not any(read.found.values()):
        again = "Record the program again with `esper-audit exec --save FILE`."
        number, why = read.lost[0] if read.lost else (1, "it is empty")
        raise UsageError(f"{name} holds no recording: {why} (line {number}).", again)
    return read.recording()


class _Lines:
    """The lines of a journal, each read by itself: a damaged one costs no other."""

    def __init__(self) -> None:
        self.head: Recording | None = None
        self.found: dict[str, dict[Any, Any]] = {name: {} for name in _NAMES.values()}
        self.lost: list[tuple[int, str]] = []
        self._lookups = Lookups()
        self._ended: Ended | None = None
        self._lines = 0

    def add(self, number: int, line: bytes, name: str) -> None:
        self._lines += 1
        try:
            self._take(msgspec.json.decode(line), name)
        except (*UNREADABLE, ValueError, OverflowError) as error:
            said = misfit(error) if isinstance(error, msgspec.ValidationError) else str(error)
            self.lost.append((number, said))

    def _take(self, line: object, name: str) -> None:
        """Raises where a line is neither the head nor an event."""
        event, lookups = event_of(line, name, is_first=self.head is None)
        if isinstance(event, Recording):
            self.head = event
            return
        self._lookups = lookups
        if isinstance(event, Ended):
            self._ended = event
        else:
            self.found[_NAMES[type(event)]][self._key(event)] = event

    def _key(self, event: Event) -> object:
        """What a later event of the same key stands in for."""
        if isinstance(event, Compile):
            return compile_key(event)
        return (event.at, event.stance) if isinstance(event, Stance) else self._lines

    def recording(self) -> Recording:
        events: dict[str, Any] = {name: tuple(found.values()) for name, found in self.found.items()}
        head = self.head or Recording(environment=UNKNOWN)
        if self._ended is not None:
            head = replace(head, program=self._ended.program, seconds=self._ended.seconds)
        return replace(
            head,
            **events,
            lookups=self._lookups,
            notes=(*head.notes, *self._notes()),
            complete=False,
        )

    def _notes(self) -> Iterator[Reason]:
        if self.head is None:
            yield Reason(why=Why.HEAD_LOST)
        if self.lost:
            number, why = self.lost[0]
            yield Reason(
                why=Why.LINES_LOST, count=len(self.lost), total=self._lines, text=why, step=number
            )


def event_of(
    line: object, name: str, *, is_first: bool
) -> tuple[Recording | Event | Ended, Lookups]:
    """What a line holds: a head where it ``is_first``, else an event, with the lookups by then.

    Raises ValueError or UsageError where it is none.
    """
    if not isinstance(line, dict):
        raise ValueError("it is no JSON object")
    if "schema_version" in line and is_first:
        if check_head(line, name) != KIND:
            raise ValueError("it is no head of a journal")
        return _checked(line, Recording), Lookups()
    lookups = _checked(line.get("lookups", {}), Lookups)
    if "ended" in line:
        return _checked(line["ended"], Ended), lookups
    known = next(((cls, name) for cls, name in _NAMES.items() if name in line), None)
    if known is None:
        raise ValueError("it holds no event of this format")
    return _checked(line[known[1]], known[0]), lookups


def compile_key(compile_: Compile) -> object:
    """Of a compile that comes again, with more known of it, the same."""
    return compile_.sequence, compile_.id, compile_.frame.key


def _checked(value: Any, cls: type[T]) -> T:
    """The value as data of ours that can be saved again: JSON of others has numbers of any size."""
    data = msgspec.convert(value, cls)
    to_json(data)
    return data
