"""Lines of the user's source around one that a report names, read on this machine.

The report may come from another machine or another day. So whatever is in the way is told: a file
that is gone or has no such line, one that was changed since, what is no Python source. Files of
other suffixes are never read: a saved report names what it likes, and a page is sent to others.
"""

from __future__ import annotations

import io
import tokenize
from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path

from esper_audit.data.files import is_file
from esper_audit.data.places import Location, is_cell

AROUND = 3
"""Lines before and after."""
MOST_BYTES = 4 << 20
LONGEST_LINE = 240
_SUFFIXES = (".py", ".pyw")
_CHANGED_SECONDS = 1.0
"""Clocks of files may be this coarse."""


class Missing(Enum):
    """Why there are no lines."""

    CELL = auto()
    NO_PYTHON = auto()
    NOT_HERE = auto()
    TOO_LARGE = auto()
    UNREADABLE = auto()
    NO_SUCH_LINE = auto()


@dataclass(frozen=True, slots=True)
class Excerpt:
    """Lines with the number of the first; ``changed``: the file is newer than the recording."""

    lines: tuple[str, ...]
    first: int
    marked: int
    changed: bool = False


@dataclass(frozen=True, slots=True)
class _File:
    lines: tuple[str, ...]
    modified: float


class SourceLines:
    """Files, each read once."""

    def __init__(self, root: str = "") -> None:
        """``root`` is the project's folder, for paths that are relative to it."""
        self._root = root
        self._files: dict[str, _File | Missing] = {}

    def around(self, place: Location, began_at: float | None = None) -> Excerpt | Missing:
        """The lines around a place; ``began_at`` is when its recording began, where known."""
        file = self._file(place.file)
        if isinstance(file, Missing):
            return file
        if not 0 < place.line <= len(file.lines):
            return Missing.NO_SUCH_LINE
        first = max(1, place.line - AROUND)
        lines = file.lines[first - 1 : place.line + AROUND]
        changed = began_at is not None and file.modified > began_at + _CHANGED_SECONDS
        return Excerpt(tuple(map(_short, lines)), first, place.line, changed)

    def _file(self, name: str) -> _File | Missing:
        if name not in self._files:
            self._files[name] = self._read(name)
        return self._files[name]

    def _read(self, name: str) -> _File | Missing:
        if is_cell(name):
            return Missing.CELL
        if not name.endswith(_SUFFIXES):
            return Missing.NO_PYTHON
        try:
            path = Path(self._root, name)
            return _read(path) if path.is_absolute() and is_file(path) else Missing.NOT_HERE
        except (OSError, ValueError, SyntaxError, LookupError):
            return Missing.UNREADABLE


def _read(path: Path) -> _File | Missing:
    """The lines of a regular file, in the encoding that it declares.

    Raises OSError, and SyntaxError where it declares an encoding that there is not.
    """
    with path.open("rb") as file:
        data = file.read(MOST_BYTES + 1)
    if len(data) > MOST_BYTES:
        return Missing.TOO_LARGE
    encoding, _ = tokenize.detect_encoding(io.BytesIO(data).readline)
    text = data.decode(encoding, errors="replace")
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return _File(tuple(lines[:-1] if lines[-1] == "" else lines), path.stat().st_mtime)


def _short(line: str) -> str:
    return line if len(line) <= LONGEST_LINE else f"{line[: LONGEST_LINE - 1]}…"
