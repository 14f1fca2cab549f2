"""One moment by both clocks: the one that tells the time, and the one that nobody sets."""

from __future__ import annotations

import time

_TRIES = 5
_CLOSE = 2e-5


def now() -> tuple[float, float]:
    """This moment: seconds since 1970 (UTC), and by ``time.perf_counter``.

    The process may be interrupted between two readings, so the closest of a few is taken.
    """
    best = _read()
    for _ in range(_TRIES):
        if best[0] < _CLOSE:
            break
        best = min(best, _read())
    return best[1:]


def _read() -> tuple[float, float, float]:
    before = time.perf_counter()
    unix = time.time_ns()
    after = time.perf_counter()
    return after - before, unix / 1e9, (before + after) / 2


def moment_of(unix: float) -> float:
    """What ``time.perf_counter`` was at a time in seconds since 1970, not long ago."""
    present, moment = now()
    return moment - (present - unix)
