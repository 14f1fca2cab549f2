"""Signals that would end a program under the recorder: its report comes first.

A handler of the program's own is left alone, and a forked child dies as it would.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from esper_audit.program.endings import die_of

PATIENCE_SECONDS = 10.0
"""How long a report may take once a signal has come; one after that ends the process at once."""

# Kept from before the program: some replace signal.signal.
_handler_of, _set_handler = signal.getsignal, signal.signal
_FATAL = tuple(getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name))


class FatalSignals:
    """Calls ``report`` before SIGTERM or SIGHUP ends the process; not once all ``is_over``."""

    def __init__(self, report: Callable[[int], None], is_over: Callable[[], bool]) -> None:
        self._report = report
        self._is_over = is_over
        self._ours: list[int] = []

    @contextmanager
    def reported(self) -> Iterator[None]:
        """While the program runs. For the main thread alone; elsewhere nothing happens."""
        if threading.current_thread() is threading.main_thread():
            self._ours = [n for n in _FATAL if _handler_of(n) is signal.SIG_DFL]
        for number in self._ours:
            _set_handler(number, self._came)
        if self._ours:
            self._spare_children()
        try:
            yield
        finally:
            self._put_back()

    def _put_back(self) -> None:
        for number in self._ours:
            if _handler_of(number) == self._came:
                _set_handler(number, signal.SIG_DFL)

    def _came(self, number: int, _frame: FrameType | None) -> None:
        try:
            self._report(number)
        finally:
            die_of(number)

    def _spare_children(self) -> None:
        """A forked child dies of these signals as it would.

        They are held back around the fork: one that came before the child has put its handler
        back would be lost (PyOS_AfterFork_Child clears what waits to be handled, CPython 3.11).
        """
        blocked: list[set[signal.Signals | int]] = []

        def before() -> None:
            if not self._is_over():
                blocked.append(signal.pthread_sigmask(signal.SIG_BLOCK, self._ours))

        def after() -> None:
            if blocked:
                signal.pthread_sigmask(signal.SIG_SETMASK, blocked.pop())

        def after_in_child() -> None:
            if blocked:
                self._put_back()
            after()

        os.register_at_fork(before=before, after_in_parent=after, after_in_child=after_in_child)


class HeldSignals:
    """While a program is reported, what would end the process waits for the end of its report."""

    def __init__(self) -> None:
        self._pending: tuple[int, float] | None = None

    @property
    def came(self) -> bool:
        """Whether a signal waits: what takes long is to be left out."""
        return self._pending is not None

    @contextmanager
    def __call__(self) -> Iterator[None]:
        """The program's handlers, or the system's, get the signal at the end of the block."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before: dict[int, Any] = {}
        for number in (signal.SIGINT, *_FATAL):
            handler = _handler_of(number)
            if handler is not None and handler is not signal.SIG_IGN:
                before[number] = _set_handler(number, self._hold)
        try:
            yield
        finally:
            for number, handler in before.items():
                _set_handler(number, handler)
            if self._pending is not None:
                number, self._pending = self._pending[0], None
                signal.raise_signal(number)

    def _hold(self, number: int, _frame: FrameType | None) -> None:
        now = time.monotonic()
        if self._pending is None:
            self._pending = number, now
        elif now - self._pending[1] > PATIENCE_SECONDS:
            die_of(number)


HELD = HeldSignals()
"""Those of this process."""
