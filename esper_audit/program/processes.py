"""Who has a file open, and which files a process has open: only looked at, in ``/proc``.

Nothing here signals a process, or writes anywhere. Where there is no ``/proc`` (macOS, Windows),
or another user's process may not be looked into, the answer is "not known", never "none".
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path

from esper_audit.data.files import is_folder, is_there

_PROC = Path("/proc")
_DELETED = " (deleted)"
_PARENT, _STARTED = 1, 19
"""Places in ``/proc/PID/stat`` behind the name, which may hold spaces and brackets (proc(5))."""


def are_known() -> bool:
    """Whether this system tells of processes and their files."""
    return is_folder(_PROC / "self/fd")


def started(pid: int) -> str | None:
    """When a process started, which tells it apart from a later one of its number; None: none."""
    fields = _stat(pid)
    if fields is not None:
        return fields[_STARTED]
    return "" if not are_known() and _may_be_there(pid) else None


def _may_be_there(pid: int) -> bool:
    """Without ``/proc``: whether the number is taken. Signal 0 is none: it only asks."""
    if os.name != "posix":  # on Windows, os.kill would end it
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def parent(pid: int) -> int | None:
    """The process that started it; None where that is not known."""
    fields = _stat(pid)
    return int(fields[_PARENT]) if fields is not None else None


def _stat(pid: int) -> list[str] | None:
    try:
        text = (_PROC / str(pid) / "stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    fields = text.rpartition(") ")[2].split()
    # A zombie has ended: its files are closed, and nobody has asked for its exit code yet.
    return fields if len(fields) > _STARTED and fields[0] not in ("Z", "X") else None


def descendants(pid: int) -> list[int]:
    """The processes that it started, and those that they started."""
    children: dict[int, list[int]] = defaultdict(list)
    for other in _all():
        above = parent(other)
        if above is not None:
            children[above].append(other)
    found: list[int] = []
    level = [pid]
    while level:
        level = [child for above in level for child in children.pop(above, ())]
        found += level
    return found


def open_files(pid: int) -> list[Path]:
    """The files that a process has open and that still have a name.

    Raises PermissionError where they may not be looked at.
    """
    folder = _PROC / str(pid) / "fd"
    found = []
    with suppress(FileNotFoundError, ProcessLookupError):
        for name in os.listdir(folder):  # noqa: PTH208
            with suppress(FileNotFoundError, ProcessLookupError):
                target = os.readlink(folder / name)  # noqa: PTH115
                if target.startswith("/") and not target.endswith(_DELETED):
                    found.append(Path(target))
    return found


def holders(names: Collection[str]) -> dict[str, frozenset[int]]:
    """Of these real paths, the processes that have them open, as far as they may be looked at.

    One look at all processes, however many names there are; not at this one.
    """
    found: dict[str, set[int]] = {name: set() for name in names}
    for pid in _all() if names else ():
        if pid != os.getpid():
            for name in _open_names(pid) & found.keys():
                found[name].add(pid)
    return {name: frozenset(pids) for name, pids in found.items()}


def _open_names(pid: int) -> set[str]:
    with suppress(OSError):
        return {str(path) for path in open_files(pid)}
    return set()


def _all() -> list[int]:
    if not is_there(_PROC):
        return []
    with suppress(OSError):
        return [int(name) for name in os.listdir(_PROC) if name.isdecimal()]  # noqa: PTH208
    return []
