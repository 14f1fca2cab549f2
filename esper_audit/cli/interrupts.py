"""Ctrl-C, SIGTERM and SIGHUP end a command, but not a report that it has begun."""

from __future__ import annotations

import atexit
import signal
import threading
import time
from types import FrameType, TracebackType
from typing import Any

PATIENCE_SECONDS = 10.0
"""How long a command has to end by itself; a signal after that ends it at once."""

_NUMBERS = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
)
_PLAIN = (signal.SIG_DFL, signal.default_int_handler)


class Interrupts:
    """The first signal raises KeyboardInterrupt, or is held; further ones don't disturb its end.

    Past its last line nothing is left to interrupt: there the process ignores them.
    """

    def __init__(self) -> None:
        self._first: float | None = None
        self._is_held = False
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Interrupts:
        self._first, self._is_held = None, False
        if threading.current_thread() is threading.main_thread():
            for number in _NUMBERS:
                before = signal.getsignal(number)
                if before in _PLAIN:  # not where it is ignored, as by nohup
                    signal.signal(number, self._came)
                    self._before[number] = before
            atexit.register(_ignore, *self._before)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._put_back()

    def leave_to_program(self) -> None:
        """Put the handlers back now: what comes is the program's to handle."""
        atexit.unregister(_ignore)
        self._put_back()

    def _put_back(self) -> None:
        while self._before:
            signal.signal(*self._before.popitem())

    def hold(self) -> None:
        """What takes long is over: from now on a signal waits for the report."""
        self._is_held = True

    def go_on(self) -> None:
        """Something begins that takes long; raises KeyboardInterrupt for what was held."""
        self._is_held = False
        if self._first is not None:
            raise KeyboardInterrupt

    def _came(self, _number: int, _frame: FrameType | None) -> None:
        now = time.monotonic()
        is_first = self._first is None
        since = self._first = now if self._first is None else self._first
        if (is_first and not self._is_held) or now - since > PATIENCE_SECONDS:
            raise KeyboardInterrupt


def _ignore(*numbers: int) -> None:
    for number in numbers:
        signal.signal(number, signal.SIG_IGN)


INTERRUPTS = Interrupts()
"""Those of this process."""
