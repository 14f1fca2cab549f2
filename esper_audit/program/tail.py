"""A file that grows, read as it does: only what was appended, in whole lines.

It stays open between two looks: what is written before a file is removed can still be read.
"""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

CHUNK = 4 << 20
"""Bytes of one look: a long file is read in several, between which a view is drawn."""

LONGEST_LINE = 64 << 20
"""Bytes without an end of line after which they are given up: a device may have none."""

_HEAD = 8 << 10
"""Bytes at the beginning that tell whether it is still the file of the same run."""


@dataclass(frozen=True, slots=True)
class Look:
    """What one look found. ``begins``: they are the first of a file, or of one written anew.

    ``more``: there is more to read at once. ``gone``: there is no such file now.
    """

    lines: tuple[bytes, ...] = ()
    begins: bool = False
    more: bool = False
    gone: bool = False


class Tail:
    """The lines of a file since the last look."""

    def __init__(self, path: Path, chunk: int = CHUNK) -> None:
        self.path = path
        self._chunk = chunk
        self._file: BinaryIO | None = None
        self._at = 0
        self._rest = b""
        self._head = b""
        self._seen: tuple[int, int] | None = None
        self._begins_now = False

    def look(self) -> Look:
        """What was appended, at most a chunk of it."""
        now = self._stat()
        if self._file is not None and self._is_other(now):
            lines, more = self._read()  # the last words of the file that was here
            if lines or more:
                return Look(lines, more=True)
            self.close()
        if self._file is None and (now is None or not self._open()):
            return Look(gone=True)
        begins, self._begins_now = self._begins_now, False
        lines, more = self._read()
        return Look(lines, begins=begins, more=more)

    def _stat(self) -> os.stat_result | None:
        """None for no file; a pipe is none either: to open one waits for who writes it."""
        with suppress(OSError):
            found = os.stat(self.path)  # noqa: PTH116
            return found if stat.S_ISREG(found.st_mode) else None
        return None

    def _is_other(self, now: os.stat_result | None) -> bool:
        """Whether the name is gone, or leads to another file, or this one was written anew."""
        assert self._file is not None
        if now is None:
            return True
        own = os.fstat(self._file.fileno())
        if not os.path.samestat(now, own):
            return True
        seen, self._seen = self._seen, (own.st_size, own.st_mtime_ns)
        if seen == self._seen:
            return False
        if own.st_size < self._at or self._begins() != self._head:
            self._begin_again()
        return False

    def _begins(self) -> bytes:
        assert self._file is not None
        self._file.seek(0)
        return self._file.read(len(self._head))

    def _begin_again(self) -> None:
        self._at, self._rest, self._head = 0, b"", b""
        self._begins_now = True

    def _open(self) -> bool:
        with suppress(OSError):
            self._file = self.path.open("rb")
            self._begin_again()
            return True
        return False

    def _read(self) -> tuple[tuple[bytes, ...], bool]:
        assert self._file is not None
        try:
            self._file.seek(self._at)
            data = self._file.read(self._chunk)
        except OSError:
            return (), False
        if len(self._head) < _HEAD and self._at == len(self._head):
            self._head += data[: _HEAD - len(self._head)]
        self._at += len(data)
        *lines, self._rest = (self._rest + data).split(b"\n")
        if len(self._rest) > LONGEST_LINE:
            lines, self._rest = [*lines, self._rest], b""
        return tuple(lines), len(data) == self._chunk

    def close(self) -> None:
        """Let go of the file; the next look opens what then has its name."""
        if self._file is not None:
            self._file.close()
        self._file, self._seen, self._rest = None, None, b""
