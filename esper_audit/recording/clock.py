"""The time of a recording's beginning, by both clocks."""

from __future__ import annotations

import time

_TRIES = 3


def now() -> tuple[float, float]:
    """This moment: seconds since 1970 (UTC), and by ``time.perf_counter``, as close as can be.

    The process may be interrupted between two readings, so the closest of a few is taken.
    """
    _, unix, moment = min(_read() for _ in range(_TRIES))
    return unix, moment


def _read() -> tuple[float, float, float]:
    before = time.perf_counter()
    unix = time.time_ns()
    after = time.perf_counter()
    return after - before, unix / 1e9, (before + after) / 2
