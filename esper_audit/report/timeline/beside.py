"""A profile of torch.profiler with the timeline of an audit in it, both on the profile's clock."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import msgspec

from esper_audit.data.misfits import misfit
from esper_audit.data.storage import Document
from esper_audit.errors import UsageError
from esper_audit.report.timeline.chrome_trace import all_events, processes, written
from esper_audit.report.timeline.events import Process

_GZIP = b"\x1f\x8b"


class _Timed(msgspec.Struct):
    """The times of an event, in microseconds; a number in a text is read as one."""

    ts: Any = None
    dur: Any = None
    ph: Any = ""


class Profile:
    """A file of ``export_chrome_trace``: its head, and its events as they stand."""

    def __init__(self, path: Path) -> None:
        """Raises UsageError where it can't be read, or is no profile."""
        self._path = path
        try:
            data = path.read_bytes()
            data = gzip.decompress(data) if data.startswith(_GZIP) else data
            self._read(data)
        except (OSError, EOFError, zlib.error, UnicodeDecodeError, RecursionError) as error:
            raise UsageError(f"{path}: can't be read: {error}.", _HINT) from error
        except (msgspec.MsgspecError, ValueError) as error:
            said = misfit(error) if isinstance(error, msgspec.ValidationError) else str(error)
            raise UsageError(f"{path} is no trace of torch.profiler: {said}.", _HINT) from error

    def _read(self, data: bytes) -> None:
        if data.lstrip()[:1] == b"[":
            self.head: dict[str, Any] = {}
            self.events = msgspec.json.decode(data, type=list[msgspec.Raw])
        else:
            parts = msgspec.json.decode(data, type=dict[str, msgspec.Raw])
            self.events = msgspec.json.decode(
                parts.pop("traceEvents", b"null"), type=list[msgspec.Raw]
            )
            self.head = {name: msgspec.json.decode(part) for name, part in parts.items()}
        self.base = _whole(self.head.get("baseTimeNanoseconds"))
        self._times = [msgspec.json.decode(event, type=_Timed) for event in self.events]

    def span(self) -> tuple[int, int]:
        """When its first event began and its last one ended, in nanoseconds since 1970."""
        found = [
            (_whole(time.ts * 1000), _whole((time.dur or 0) * 1000))
            for time in self._times
            if _is_timed(time)
        ]
        if not found:
            raise UsageError(f"{self._path} holds no event with a time.", _HINT)
        first = min(at for at, _ in found)
        return self.base + first, self.base + max(at + length for at, length in found)


_HINT = "Give a file that torch.profiler's export_chrome_trace has written, .json or .json.gz."


def _is_timed(event: _Timed) -> bool:
    return event.ph != "M" and all(
        isinstance(number, int | float) for number in (event.ts, event.dur or 0)
    )


def _whole(number: Any) -> int:
    return int(number) if isinstance(number, int | float) else 0


def beside(document: Document, path: Path) -> str:
    """The profile in this file, with the recordings of the document that overlap it.

    Raises UsageError where none does, and where the document does not tell when it began.
    """
    made, profile = processes(document), Profile(path)
    dated = [process for process in made if process.zero]
    if not dated:
        raise UsageError(
            "The audit does not say when it began, so it has no place beside a profile.",
            "Record it again with this version of esper-audit.",
        )
    began, ended = profile.span()
    shown = [process for process in dated if _overlaps(process, began, ended)]
    if not shown:
        raise UsageError(
            f"The audit was not recorded while {path} was: {_apart(dated, began, ended)}.",
            "Give the profile of the process that was recorded.",
        )
    return written(profile.head, chain(profile.events, all_events(shown, profile.base)))


def _overlaps(process: Process, began: int, ended: int) -> bool:
    return process.zero <= ended and began <= _end(process)


def _end(process: Process) -> int:
    spans = (span.ended for track in process.tracks for span in track.spans)
    return process.zero + max(spans, default=0)


def _apart(dated: Sequence[Process], began: int, ended: int) -> str:
    """By how much the nearest recording misses the profile."""
    first, last = min(process.zero for process in dated), max(map(_end, dated))
    if first > ended:
        return f"the audit began {(first - ended) / 1e9:.1f} s after the profile ended"
    return f"the profile began {max(0, began - last) / 1e9:.1f} s after the audit ended"
