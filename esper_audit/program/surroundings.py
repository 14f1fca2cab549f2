"""What a program has set or changed in its process, and the report that has to be made in it."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from esper_audit.data.text import encodable
from esper_audit.errors import IncompleteError
from esper_audit.recording.journal import Journal

_PACKAGE = str(Path(__file__).parents[1])
_DEEP_ENOUGH = 1000  # Python's own limit as it starts


@contextmanager
def own_surroundings() -> Iterator[None]:
    """What the program has set to trace and to bound its own code does not hold for ours."""
    tracer, profiler, limit = sys.gettrace(), sys.getprofile(), sys.getrecursionlimit()
    sys.settrace(None)
    sys.setprofile(None)
    sys.setrecursionlimit(max(limit, _DEEP_ENOUGH))
    try:
        yield
    finally:
        with suppress(RecursionError):  # it is lower than where we are
            sys.setrecursionlimit(limit)
        sys.settrace(tracer)
        sys.setprofile(profiler)


def not_reported(error: Exception, journal: Journal | None) -> IncompleteError:
    """What to tell of a report that failed: where, and what is kept of the recording."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if frame.filename.startswith(_PACKAGE)]
    places = [f"{frame.filename}:{frame.lineno}" for frame in (*frames[-1:], *ours[-1:])]
    hint = (
        "A program that changes torch or the standard library, or that runs out of files or memory,"
        " can cause this; otherwise please report it."
    )
    if journal is not None and journal.is_kept:
        hint += f" What was recorded is in {journal.path}: print it with `esper-audit show`."
    where = ", from ".join(dict.fromkeys(places))
    return IncompleteError(encodable(f"The report failed: {_said(error)} ({where})."), hint)


def _said(error: Exception) -> str:
    try:
        return f"{type(error).__name__}: {error}"
    except Exception:
        return type(error).__name__
