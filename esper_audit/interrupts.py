"""Ctrl-C while the lookup hook runs: a moment later, where it can be raised safely."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any

_LATER_SECONDS = 0.002
_IN_PLACE: list[DeferredInterrupts] = []


class DeferredInterrupts:
    """Hands SIGINT on to the handler that was there, but never inside the lookup hook.

    An exception there would end the process (torch/csrc/dynamo/eval_frame_cpp.cpp, 2.13). Only
    on the main thread, and only while the handler is one of Python's.
    """

    def __init__(self, is_inside: Callable[[FrameType | None], bool]) -> None:
        self._is_inside = is_inside
        self._before: Any = None

    def install(self) -> None:
        """Take over from the present handler, where there is one to take over from."""
        if threading.current_thread() is threading.main_thread():
            present = signal.getsignal(signal.SIGINT)
            if callable(present):
                self._before = present
                _IN_PLACE.append(self)
                signal.signal(signal.SIGINT, self._handle)

    def remove(self) -> None:
        """Give back, unless the program has set a handler of its own meanwhile."""
        before, self._before = self._before, None
        if self in _IN_PLACE:
            _IN_PLACE.remove(self)
        on_main = threading.current_thread() is threading.main_thread()
        if before is not None and on_main and signal.getsignal(signal.SIGINT) == self._handle:
            signal.signal(signal.SIGINT, before)
        for other in _IN_PLACE:  # one that came later hands on to us: now to what we handed on to
            if other._before == self._handle:
                other._before = before

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self._is_inside(frame):
            self.again(number)
        elif self._before is not None:
            self._before(number, frame)

    @staticmethod
    def again(number: int) -> None:
        """Send this process a signal once more, a moment later."""
        threading.Timer(_LATER_SECONDS, os.kill, (os.getpid(), number)).start()
