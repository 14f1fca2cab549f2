"""Paths and lines of code, as short as the reader's project allows."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path, PurePath

from esper_audit.data.files import is_folder
from esper_audit.data.places import Location, is_cell

_RESUMED = re.compile(r"torch_dynamo_resume_in_(\w+)_at_\d+$")
_INSTALLED = ("site-packages", "dist-packages")
_INSTALLATION = re.compile(r"/(?:[^\s/`'\"]+/)*(?:site|dist)-packages/")
_PYTHONS_OWN = re.compile(r"python3\.\d+t?")


def place(location: Location | None, root: str = "") -> str:
    """``file:line in function``, the file from ``root`` on if it is inside."""
    if location is None:
        return "unknown"
    inside = f" in {_function(location.function)}" if location.function else ""
    return f"{source_line(location, root)}{inside}"


def source_line(location: Location, root: str = "") -> str:
    """``slot/slot.py:120``; of a notebook ``Cell [3], line 5``."""
    if is_cell(location.file):
        return f"{location.file}, line {location.line}"
    return f"{short_file(location.file, root)}:{location.line}"


def _function(name: str) -> str:
    """The user's function that Dynamo resumes after a graph break, or the name itself."""
    resumed = _RESUMED.search(name)
    return name if resumed is None else f"{name[: resumed.start()]}{resumed[1]}"


def short_line(location: Location) -> str:
    """``slot.py:120``: the line where its folder does not matter."""
    return source_line(replace(location, file=PurePath(location.file).name))


def writer(location: Location, root: str) -> str:
    """``SeedSlot.set_alpha (slot/slot.py:120)``; of a script's own lines, the line alone."""
    line = source_line(location, root)
    return line if location.function in ("", "<module>") else f"{location.function} ({line})"


def short_file(file: str, root: str) -> str:
    """From the project's folder on, or from that of installed packages, or of Python's library."""
    path = PurePath(file)
    for place, part in reversed(tuple(enumerate(path.parts))):
        if part in _INSTALLED:
            return str(PurePath(*path.parts[place + 1 :]))
    if root and path.is_relative_to(root):
        return str(path.relative_to(root))
    return str(_in_standard_library(path) or file)


def _in_standard_library(path: PurePath) -> PurePath | None:
    """``contextlib.py`` of ``/usr/lib/python3.11/contextlib.py``."""
    for place, part in enumerate(path.parts[1:-1], 1):
        if _PYTHONS_OWN.fullmatch(part) and path.parts[place - 1] in ("lib", "lib64"):
            return PurePath(*path.parts[place + 1 :])
    return None


def without_installation(text: str) -> str:
    """A text of torch's, the paths in it from the folder of installed packages on."""
    return _INSTALLATION.sub("", text)


def relative(file: str, root: str) -> str:
    """From the project's folder on, with slashes, if it is inside; for programs that read it."""
    path = PurePath(file)
    inside = bool(root) and path.is_relative_to(root)
    return (path.relative_to(root) if inside else path).as_posix()


def reachable(file: str, root: str) -> str:
    """As an editor opens it: from the project's folder on where that is the current one.

    So is a file of a project that is not on this machine. Every other path is left whole.
    """
    is_here = root == _current_folder() or not is_folder(root)
    return relative(file, root) if is_here else file


def _current_folder() -> str:
    try:
        return str(Path.cwd())
    except OSError:  # it was removed
        return ""


def is_own(file: str, root: str) -> bool:
    """Whether a file belongs to the project, and not to a library that it uses."""
    path = PurePath(file)
    return not path.is_absolute() or (
        bool(root) and path.is_relative_to(root) and "site-packages" not in path.parts
    )


def left_out(file: str, root: str) -> str:
    """That a file is no part of an audit, though it might hold scenarios."""
    return f"{short_file(file, root)} can't be imported; -k leaves it out."
