"""Paths and lines of code, as short as the reader's project allows."""

from __future__ import annotations

from pathlib import PurePath

from esper_audit.data.places import Location


def place(location: Location | None, root: str = "") -> str:
    """``file:line in function``, the file from ``root`` on if it is inside."""
    if location is None:
        return "unknown"
    inside = f" in {location.function}" if location.function else ""
    return f"{short_file(location.file, root)}:{location.line}{inside}"


def writer(location: Location, root: str) -> str:
    """``SeedSlot.set_alpha (slot/slot.py:120)``; of a script's own lines, the line alone."""
    line = f"{short_file(location.file, root)}:{location.line}"
    return line if location.function in ("", "<module>") else f"{location.function} ({line})"


def short_file(file: str, root: str) -> str:
    """From the project's folder on, or from site-packages on."""
    path = PurePath(file)
    if "site-packages" in path.parts:
        return str(PurePath(*path.parts[path.parts.index("site-packages") + 1 :]))
    return str(path.relative_to(root)) if root and path.is_relative_to(root) else file


def relative(file: str, root: str) -> str:
    """From the project's folder on, with slashes, if it is inside; for programs that read it."""
    path = PurePath(file)
    inside = bool(root) and path.is_relative_to(root)
    return (path.relative_to(root) if inside else path).as_posix()


def is_own(file: str, root: str) -> bool:
    """Whether a file belongs to the project, and not to a library that it uses."""
    path = PurePath(file)
    return not path.is_absolute() or (
        bool(root) and path.is_relative_to(root) and "site-packages" not in path.parts
    )
