"""The last audit of each project, kept in the user's cache folder for ``esper-audit show``."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import msgspec

from esper_audit.data.files import is_file, whole
from esper_audit.data.storage import UNREADABLE, Document, dumps, loads_any, write_atomically
from esper_audit.data.text import to_json
from esper_audit.errors import UsageError

FOLDER_VARIABLE = "ESPER_AUDIT_CACHE_DIR"
"""Names the folder in place of the user's cache folder; empty: nothing is kept."""

_MARKS_OF_A_PROJECT = ("pyproject.toml", "setup.py", "setup.cfg", ".git", ".hg")
_MOST_PROJECTS = 30
_MOST_BYTES = 256 << 20
_LARGEST = 64 << 20
_STALE_SECONDS = 3600.0
"""After which a file that is still being written is taken for what a killed process left."""


@dataclass(frozen=True, slots=True)
class Kept:
    """An audit as it was kept: by which command (without the program's name), and when."""

    words: tuple[str, ...]
    seconds: float
    document: Document

    @property
    def age(self) -> float:
        """Seconds since then; not negative, whatever clocks do."""
        return max(0.0, time.time() - self.seconds)


class _Head(msgspec.Struct):
    """The first line of a kept file; the document follows."""

    root: str
    words: tuple[str, ...]
    seconds: float


@dataclass(frozen=True, slots=True)
class Shelf:
    """Where the last audit of a project lies, as found before a program could change that.

    ``folder`` is None where nothing is to be kept. ``words`` are the present command.
    """

    root: str
    folder: Path | None
    words: tuple[str, ...] = ()

    @property
    def file(self) -> Path | None:
        """That of this project."""
        name = hashlib.sha256(os.fsencode(self.root)).hexdigest()[:24]
        return self.folder / f"{name}.audit" if self.folder is not None else None

    def keep(self, document: Document) -> bool:
        """Put the audit there, in place of the one before; False where nothing is kept.

        Raises OSError or UsageError where it can't be written. The audit before has gone then: it
        must not be taken for the last.
        """
        if self.folder is None or self.file is None:
            return False
        with suppress(OSError):
            self.file.unlink(missing_ok=True)
        data = to_json(_Head(self.root, self.words, time.time())) + b"\n" + dumps(document)
        if len(data) > _LARGEST:
            raise UsageError(f"it has {len(data) >> 20} MiB, and {_LARGEST >> 20} MiB are kept.")
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_atomically(self.file, data)
        _prune(self.folder, self.file)
        return True

    def last(self) -> Kept:
        """What was kept last; raises UsageError where nothing is, or it can't be read."""
        try:
            data = whole(self.file) if self.file is not None and is_file(self.file) else b""
        except OSError:
            data = b""
        if not data:
            raise UsageError(
                f"No audit of {self.root} is kept.",
                "Make one with `esper-audit run` or `esper-audit exec`, or give a file to show.",
            )
        head, _, document = data.partition(b"\n")
        name = f"The last audit of {self.root}"
        try:
            found = msgspec.json.decode(head, type=_Head)
        except (*UNREADABLE, msgspec.ValidationError):
            raise UsageError(f"{name} can't be read.", "Run the audit again.") from None
        return Kept(found.words, found.seconds, loads_any(document, name))


def shelf_of(folder: Path, words: tuple[str, ...] = ()) -> Shelf:
    """That of the project that a folder belongs to."""
    return Shelf(str(project_of(folder)), _cache_folder(), words)


def project_of(folder: Path) -> Path:
    """The nearest folder upwards that looks like a project's root; else the folder itself."""
    for candidate in (folder, *folder.parents):
        with suppress(OSError):
            if any((candidate / mark).exists() for mark in _MARKS_OF_A_PROJECT):
                return candidate
    return folder


def _cache_folder() -> Path | None:
    given = os.environ.get(FOLDER_VARIABLE)
    if given is not None:
        return Path(given).absolute() / "last" if given else None
    from platformdirs import user_cache_path

    try:
        return user_cache_path("esper-audit", appauthor=False).absolute() / "last"
    except RuntimeError:  # the user has no home
        return None


def _prune(folder: Path, newest: Path) -> None:
    """Remove the oldest beyond what may be kept, and what killed processes have left."""
    left = _MOST_BYTES
    for place, (found, size) in enumerate(_by_age(folder)):
        left -= size
        if found != newest and (place >= _MOST_PROJECTS or left < 0):
            found.unlink(missing_ok=True)
    for found in folder.glob(".esper-audit-*"):
        with suppress(OSError):
            if time.time() - found.stat().st_mtime > _STALE_SECONDS:
                found.unlink()


def _by_age(folder: Path) -> Iterator[tuple[Path, int]]:
    """The kept files and their sizes, the newest first."""
    found = []
    for path in folder.glob("*.audit"):
        with suppress(OSError):
            status = path.stat()
            found.append((-status.st_mtime, path, status.st_size))
    for _, path, size in sorted(found):
        yield path, size
