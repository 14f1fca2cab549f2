"""What is in the way of showing lines of source, in words."""

from __future__ import annotations

from esper_audit.source.excerpts import Missing

CHANGED = "the file was changed after the recording: these lines may not be the ones that ran"

_WORDS = {
    Missing.CELL: "its lines are in a notebook, and in no file",
    Missing.NO_PYTHON: "its lines are not shown: the file is not named as Python source",
    Missing.NOT_HERE: "its lines are not shown: the file is not on this machine",
    Missing.TOO_LARGE: "its lines are not shown: the file is larger than 4 MiB",
    Missing.UNREADABLE: "its lines are not shown: the file can't be read",
    Missing.NO_SUCH_LINE: "its lines are not shown: the file on this machine has no such line",
}


def missing_words(missing: Missing) -> str:
    """Why there are no lines."""
    return _WORDS[missing]
