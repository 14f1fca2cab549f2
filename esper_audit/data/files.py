"""Questions about a path that somebody gave: answered, whatever it is.

The methods of `Path` raise where a name is too long or a folder may not be entered.
"""

from __future__ import annotations

import os
from pathlib import Path

MOST_BYTES = 1 << 30
"""Of what is read as a whole: a device or a forged file may have no end."""


def is_folder(path: str | Path) -> bool:
    """Whether it is a folder, or a link to one."""
    return os.path.isdir(path)  # noqa: PTH112


def is_file(path: str | Path) -> bool:
    """Whether it is a regular file, or a link to one: no pipe, and no device."""
    return os.path.isfile(path)  # noqa: PTH113


def is_there(path: str | Path) -> bool:
    """Whether something can be found by this name; not by a link that leads nowhere."""
    return os.path.exists(path)  # noqa: PTH110


def whole(path: Path) -> bytes:
    """All bytes; raises OSError where it can't be read, or holds more than ``MOST_BYTES``."""
    with path.open("rb") as file:
        data = file.read(MOST_BYTES + 1)
    if len(data) > MOST_BYTES:
        raise OSError(0, f"it holds more than {MOST_BYTES >> 20} MiB")
    return data
