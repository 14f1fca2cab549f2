"""Questions about a path that somebody gave: answered, whatever it is.

The methods of `Path` raise where a name is too long or a folder may not be entered.
"""

from __future__ import annotations

import errno
import fnmatch
import os
import stat
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

MOST_BYTES = 1 << 30
"""Of what is read as a whole: a device or a forged file may have no end."""


READER_SECONDS = 10.0
"""How long a named pipe may have no reader before that is an error."""

_PAUSE_SECONDS = 0.05


def is_folder(path: str | Path) -> bool:
    """Whether it is a folder, or a link to one."""
    return os.path.isdir(path)  # noqa: PTH112


def is_file(path: str | Path) -> bool:
    """Whether it is a regular file, or a link to one: no pipe, and no device."""
    return os.path.isfile(path)  # noqa: PTH113


def is_there(path: str | Path) -> bool:
    """Whether something can be found by this name; not by a link that leads nowhere."""
    return os.path.exists(path)  # noqa: PTH110


def entries(folder: Path, pattern: str) -> Iterator[Path]:
    """What such names have in a folder; nothing where it can't be read."""
    with suppress(OSError):
        yield from (folder / name for name in fnmatch.filter(os.listdir(folder), pattern))  # noqa: PTH208


def files_below(folder: Path, pattern: str) -> Iterator[Path]:
    """Files with such names, at any depth; none of a folder that can't be read, as in ``/proc``."""
    for here, _, names in os.walk(folder):
        yield from (Path(here, name) for name in fnmatch.filter(names, pattern))


def whole(path: Path) -> bytes:
    """All bytes; raises OSError where it can't be read, or holds more than ``MOST_BYTES``."""
    with path.open("rb") as file:
        data = file.read(MOST_BYTES + 1)
    if len(data) > MOST_BYTES:
        raise OSError(0, f"it holds more than {MOST_BYTES >> 20} MiB")
    return data


def to_append(path: Path) -> BinaryIO:
    """The file, device or pipe, open for more bytes; raises OSError where nobody reads a pipe."""
    if not stat.S_ISFIFO(os.stat(path).st_mode):  # noqa: PTH116
        return path.open("ab")
    # Opened as a file is, a pipe without a reader would wait for one, for ever.
    until = time.monotonic() + READER_SECONDS
    while True:
        try:
            handle = os.open(path, os.O_WRONLY | os.O_NONBLOCK)
            break
        except OSError as error:
            if error.errno != errno.ENXIO:
                raise
            if time.monotonic() > until:
                raise OSError(errno.ENXIO, "nobody reads this pipe") from None
        time.sleep(_PAUSE_SECONDS)
    os.set_blocking(handle, True)
    return os.fdopen(handle, "wb")
