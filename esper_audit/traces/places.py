"""Which logs a path means: a file, a folder with anything in it, or a URL.

A log is known by what stands in it, never by its name. A file that somebody has named is a log
until it is read; of a folder, only files that begin as a log does.
"""

from __future__ import annotations

import filecmp
import hashlib
import os
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from esper_audit.data.files import is_folder, is_there
from esper_audit.data.logs import Damage, DamageKind
from esper_audit.data.text import encodable
from esper_audit.errors import AuditError, UsageError
from esper_audit.traces.opening import BrokenError, blocks, filesystem, is_url, opened
from esper_audit.traces.records import ANYWHERE

SNIFFED = 1 << 18
"""Bytes at the beginning of a file in which a log has its first record."""
_TAIL = 1 << 16


@dataclass(slots=True)
class Places:
    """What was found: ``logs`` to read, in order; ``others`` are no logs; ``same`` are copies.

    ``size`` is in bytes, packed as they lie there; of URLs it is unknown and counts nothing.
    """

    logs: list[str] = field(default_factory=list)
    others: list[str] = field(default_factory=list)
    same: list[str] = field(default_factory=list)
    damage: list[Damage] = field(default_factory=list)
    size: int = 0


def find_logs(paths: Iterable[str]) -> Places:
    """The logs that the paths mean; raises UsageError where nothing is at one of them."""
    found = Places()
    seen = Seen()
    for path in paths:
        if is_url(path):
            _find_url(path, found, seen)
        elif is_folder(path):
            for file in _files_below(path, found):
                _take_if_log(file, found, seen)
        elif is_there(path):
            _check_ends(path)
            _take(path, found, seen)
        else:
            raise UsageError(f"There is no file or folder {path}.", "Check the path.")
    return found


def _check_ends(path: str) -> None:
    """Raises UsageError of a device: one such as ``/dev/zero`` has no end."""
    mode = os.stat(path).st_mode  # noqa: PTH116
    if stat.S_ISCHR(mode) or stat.S_ISBLK(mode):
        raise UsageError(f"{path} is a device, not a file.", "Name a file, a folder or a URL.")


def _files_below(folder: str, found: Places) -> Iterator[str]:
    """All files, each folder once: a link may lead back."""
    entered: set[tuple[int, int]] = set()

    def unreadable(error: OSError) -> None:
        _unreadable(found, str(error.filename or folder), error)

    for here, folders, files in os.walk(folder, onerror=unreadable, followlinks=True):
        if not _once(here, entered):
            folders.clear()
            continue
        folders.sort()
        yield from (os.path.join(here, name) for name in sorted(files))  # noqa: PTH118


def _once(folder: str, entered: set[tuple[int, int]]) -> bool:
    try:
        status = os.stat(folder)  # noqa: PTH116
    except OSError:
        return False
    key = (status.st_dev, status.st_ino)
    new = key not in entered
    entered.add(key)
    return new


def _take_if_log(path: str, found: Places, seen: Seen) -> None:
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):  # noqa: PTH116
            found.others.append(encodable(path))
        elif _is_log(path):
            _take(path, found, seen)
        else:
            found.others.append(encodable(path))
    except (OSError, BrokenError, AuditError) as error:
        _unreadable(found, path, error)


def _is_log(place: str) -> bool:
    """Whether a record begins in the first part of it; raises what opening it raises."""
    start = b""
    try:
        for block in blocks(place, SNIFFED):
            start += block
            if ANYWHERE.search(start) or len(start) >= SNIFFED:
                break
    except BrokenError:
        if not ANYWHERE.search(start):
            raise
    return ANYWHERE.search(start) is not None


def _take(path: str, found: Places, seen: Seen) -> None:
    """Take a file, but for a copy: tlparse keeps one of the log that it has read."""
    status = os.stat(path)  # noqa: PTH116
    if stat.S_ISREG(status.st_mode):
        if seen.again((status.st_dev, status.st_ino)) or seen.copied(path, status.st_size):
            found.same.append(encodable(path))
            return
        found.size += status.st_size
    found.logs.append(encodable(path))


class Seen:
    """What was taken already, under this or another name."""

    def __init__(self) -> None:
        self._keys: set[object] = set()
        self._sizes: dict[int, str] = {}  # the only file of a size, so far
        self._prints: dict[tuple[int, bytes], str] = {}

    def again(self, key: object) -> bool:
        """Whether it was asked for before."""
        known = key in self._keys
        self._keys.add(key)
        return known

    def copied(self, path: str, size: int) -> bool:
        """Whether a file with the same bytes was taken; files of other sizes are not opened."""
        if size == 0:
            return False
        alone = self._sizes.setdefault(size, path)
        if alone == path:
            return False
        try:
            self._prints.setdefault((size, _print_of(alone, size)), alone)
            like = self._prints.setdefault((size, _print_of(path, size)), path)
            return like != path and filecmp.cmp(like, path, shallow=False)
        except OSError:
            return False


def _print_of(path: str, size: int) -> bytes:
    """Of its beginning and its end."""
    with opened(path) as file:
        start = file.read(_TAIL)
        file.seek(max(0, size - _TAIL))
        return hashlib.md5(start + file.read(_TAIL), usedforsecurity=False).digest()


def _find_url(url: str, found: Places, seen: Seen) -> None:
    system, path = filesystem(url)
    try:
        files = _listed(system, url, path)
        for file in files:
            if seen.again(file):
                continue
            if file == url or _is_log(file):
                found.logs.append(file)
            else:
                found.others.append(file)
    except Exception as error:  # what any file system may raise
        raise UsageError(
            f"Can't read {url}: {type(error).__name__}: {error}", "Check the URL and the access."
        ) from error


def _listed(system: Any, url: str, path: str) -> list[str]:
    if not system.isdir(path):
        if not system.exists(path):
            raise FileNotFoundError(path)
        return [url]
    chain = url.partition("::")[2]
    files = [str(system.unstrip_protocol(file)) for file in sorted(system.find(path))]
    return [f"{file}::{chain}" if chain else file for file in files]


def _unreadable(found: Places, path: str, error: Exception) -> None:
    text = getattr(error, "strerror", None) or str(error)
    file = encodable(path)
    found.damage.append(Damage(kind=DamageKind.UNREADABLE, file=file, text=text))
