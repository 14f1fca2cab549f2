"""A time limit on code of the user's, by an alarm inside its own process."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from esper_audit.data.places import Location
from esper_audit.replay.importing import line_of

_AGAIN_SECONDS = 0.02


class TimeLimitReached(BaseException):
    """Code ran past its limit, where ``location`` says. No ``except Exception`` may swallow it."""

    def __init__(self, seconds: float, location: Location | None) -> None:
        super().__init__(seconds, location)
        self.seconds = seconds
        self.location = location


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Stop after this long, with what was recorded up to then; the pool kills what won't stop.

    The alarm comes again: what it raises may be swallowed.
    """
    usable = hasattr(signal, "SIGALRM") and threading.current_thread() is threading.main_thread()
    if not usable or seconds <= 0:
        yield
        return

    is_over = False

    def stop(_signal: int, frame: FrameType | None) -> None:
        if not is_over:
            raise TimeLimitReached(seconds, line_of(frame))

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds, _AGAIN_SECONDS)
    try:
        try:
            yield
        finally:
            is_over = True
    finally:  # an alarm may have come first in the other one
        is_over = True
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
