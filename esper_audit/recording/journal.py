"""A record on disk of what happened so far, for programs that end without a word."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec

from esper_audit.data.compiles import Compile, DeferredWork, SkippedFrame, Stance
from esper_audit.data.notices import HookError
from esper_audit.data.recording import Program, Recording
from esper_audit.data.steps import Lookups
from esper_audit.data.storage import SCHEMA_VERSION
from esper_audit.data.text import encodable, to_json

SUFFIX = ".partial"
KIND = "journal"
Event = Compile | SkippedFrame | Stance | DeferredWork | HookError
_NAMES: dict[type, str] = {
    Compile: "compiles",
    SkippedFrame: "skips",
    Stance: "stances",
    DeferredWork: "deferred",
    HookError: "hook_errors",
}


class Journal:
    """Appends events to a file, each flushed at once; removed when the recording is saved.

    It grows with what torch compiles, never with calls that reuse compiled code.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._pid = os.getpid()
        self._file: Any = None
        self._is_ours = False

    def begin(self, recording: Recording, program: Program) -> None:
        """Write the head. A place that can't be written costs the journal, not the program."""
        try:
            self._file = self._path.open("wb")
            self._is_ours = True
        except OSError:
            return
        head = encodable(replace(recording, program=program, complete=False))
        body = msgspec.to_builtins(head)
        self._write({"schema_version": SCHEMA_VERSION, "kind": KIND} | body)

    def note(self, event: Event, lookups: Lookups) -> None:
        """Add an event. A compile with a sequence number seen before stands in for that one.

        How often its graph runs is not known yet.
        """
        if isinstance(event, Compile):
            event = replace(event, graph_runs=None)
        self._write({_NAMES[type(event)]: event, "lookups": lookups})

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
            self._path.unlink(missing_ok=True)


def read_journal(data: bytes) -> Recording:
    """The recording that a journal holds; a last line that was cut off is left out.

    Raises msgspec.ValidationError where a line does not fit the format.
    """
    head, *lines = data.split(b"\n")
    recording = msgspec.convert(msgspec.json.decode(head), Recording)
    events: dict[str, list[Any]] = {name: [] for name in _NAMES.values()}
    compiles: dict[int, Compile] = {}
    stances: dict[tuple[float, str], Stance] = {}
    lookups = Lookups()
    for line in _decoded(lines):
        lookups = msgspec.convert(line.pop("lookups", {}), Lookups)
        for cls, name in _NAMES.items():
            if name in line:
                event: Any = msgspec.convert(line[name], cls)
                if isinstance(event, Compile):
                    compiles[event.sequence] = event
                elif isinstance(event, Stance):
                    stances[event.at, event.stance] = event
                else:
                    events[name].append(event)
    return replace(
        recording,
        compiles=tuple(compiles.values()),
        skips=tuple(events["skips"]),
        stances=tuple(stances.values()),
        deferred=tuple(events["deferred"]),
        hook_errors=tuple(events["hook_errors"]),
        lookups=lookups,
    )


def _decoded(lines: list[bytes]) -> Iterator[dict[str, Any]]:
    for line in filter(None, lines):
        try:
            yield msgspec.json.decode(line)
        except msgspec.DecodeError:
            return
