"""Import scenario files one by one, so that one that ends its process, or never ends, is known.

The process that imports writes down where it is. Once it is gone, the one that waits for it reads
there which file it was in, and the line, where Python could still tell.
"""

from __future__ import annotations

import faulthandler
import os
import re
import sys
import sysconfig
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import IO

from esper_audit.data.places import Location

GRACE_SECONDS = 5.0
"""How long an import, or a scenario, past its limit has to stop by itself before it is killed."""

_NOWHERE = ""
_FRAME = re.compile(r'^  File "(.*)", line (\d+) in ', re.MULTILINE)  # Python/traceback.c, 3.11
_OURS = str(Path(__file__).parents[1]) + os.sep
_LIBRARIES = tuple(
    sysconfig.get_path(name) + os.sep for name in ("stdlib", "platstdlib", "purelib", "platlib")
)


@dataclass(frozen=True)
class Trail:
    """The file in which a process writes what it imports, and that of its last words."""

    place: Path

    @property
    def _stack(self) -> Path:
        return self.place.with_suffix(".stack")

    def now_in(self) -> str:
        """The path of the file that is, or was last, being imported; empty between two."""
        try:
            return os.fsdecode(self.place.read_bytes())
        except FileNotFoundError:
            return _NOWHERE

    def last_line(self) -> Location | None:
        """The user's line at which the process was last seen."""
        try:
            text = os.fsdecode(self._stack.read_bytes())
        except FileNotFoundError:
            return None
        *_, main = text.split("(most recent call first):")  # the main thread comes last
        return own_line((file, int(line)) for file, line in _FRAME.findall(main))

    @contextmanager
    def follow(self, path: Path, limit: float) -> Iterator[None]:
        """Around one import, in the process that makes it."""
        self._write(str(path))
        with self._stack.open("wb", buffering=0) as stack:
            faulthandler.enable(stack, all_threads=False)
            if limit > 0:
                faulthandler.dump_traceback_later(limit + GRACE_SECONDS / 2, file=stack)
            try:
                with _exits_told(stack):
                    yield
            finally:
                faulthandler.cancel_dump_traceback_later()
                faulthandler.disable()
                self._write(_NOWHERE)

    def _write(self, text: str) -> None:
        part = self.place.with_suffix(".next")
        part.write_bytes(os.fsencode(text))
        part.replace(self.place)


@contextmanager
def _exits_told(stack: IO[bytes]) -> Iterator[None]:
    """Keep the line that calls ``os._exit``, after which nothing can be asked."""
    home, leave = os.getpid(), os._exit

    def told(status: int) -> None:
        if os.getpid() == home:
            faulthandler.dump_traceback(stack, all_threads=False)
        leave(status)

    os._exit = told  # type: ignore[assignment]  # it never returns either
    try:
        yield
    finally:
        if os._exit is told:
            os._exit = leave


class Stopwatch:
    """How long a process has been in one import, as seen from the one that waits for it."""

    def __init__(self, trail: Trail) -> None:
        self._trail = trail
        self._now_in, self._since = _NOWHERE, time.monotonic()

    def seconds(self) -> float:
        """Since when its present import has been seen; 0 where it is in none."""
        found, now = self._trail.now_in(), time.monotonic()
        if found != self._now_in:
            self._now_in, self._since = found, now
        return now - self._since if found else 0.0


def line_of(frame: FrameType | None) -> Location | None:
    """The user's line that runs in this frame or calls it."""
    return own_line(_lines(frame))


def _lines(frame: FrameType | None) -> Iterator[tuple[str, int]]:
    while frame is not None:
        if frame.f_lineno:  # an instruction may have none
            yield frame.f_code.co_filename, frame.f_lineno
        frame = frame.f_back


def own_line(frames: Iterable[tuple[str, int]]) -> Location | None:
    """The innermost line that is no library's, else the innermost of all. Innermost first."""
    found = list(frames)
    own = [frame for frame in found if not _is_library(frame[0])] or found
    return Location(*own[0]) if own else None


def _is_library(file: str) -> bool:
    return file.startswith((*_LIBRARIES, _OURS, "<frozen", sys.prefix + os.sep + "lib"))
