"""Signals while the lookup hook runs: a moment later, where their handlers may raise."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any

_LATER_SECONDS = 0.002

UNCAUGHT = KeyboardInterrupt()
"""Of a program that Ctrl-C has ended: not for us to catch."""

Predicate = Callable[[FrameType | None], bool]


class _Shield:
    """Hands every signal on to the program's handler, but never inside a lookup hook.

    An exception there would end the process (torch/csrc/dynamo/eval_frame_cpp.cpp, 2.13). One for
    the process: it is there while any recorder is. A handler that the program sets or asks for
    meanwhile is its own, not ours.
    """

    def __init__(self) -> None:
        self._inside: list[Predicate] = []
        self._handlers: dict[int, Any] = {}
        self._set, self._get = signal.signal, signal.getsignal

    def add(self, is_inside: Predicate) -> None:
        self._inside.append(is_inside)
        if len(self._inside) > 1 or not _on_main():
            return
        for number in signal.valid_signals():
            present = self._get(number)
            if callable(present):
                self._handlers[number] = present
                self._set(number, self._handle)
        self._stand_in(self._set_handler, self._get_handler)

    def remove(self, is_inside: Predicate) -> None:
        if is_inside in self._inside:
            self._inside.remove(is_inside)
        if self._inside or signal.signal != self._set_handler:
            return
        self._stand_in(self._set, self._get)
        if not _on_main():  # only the main thread may set handlers: ours hand on, and nothing more
            return
        for number, handler in self._handlers.items():
            if self._get(number) == self._handle:
                self._set(number, handler)
        self._handlers.clear()

    def _stand_in(self, set_handler: Any, get_handler: Any) -> None:
        signal.signal, signal.getsignal = set_handler, get_handler

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if any(is_inside(frame) for is_inside in self._inside):
            again(number)
        else:
            self._handlers[number](number, frame)

    def _set_handler(self, number: int, handler: Any) -> Any:
        before = self._get_handler(number)
        self._set(number, self._handle if callable(handler) else handler)
        if callable(handler):
            self._handlers[number] = handler
        return before

    def _get_handler(self, number: int) -> Any:
        present = self._get(number)
        return self._handlers[number] if present == self._handle else present


_SHIELD = _Shield()


class DeferredSignals:
    """Keeps handlers of signals out of one recorder's lookup hook."""

    def __init__(self, is_inside: Predicate) -> None:
        self._is_inside = is_inside

    def install(self) -> None:
        """From now on."""
        _SHIELD.add(self._is_inside)

    def remove(self) -> None:
        """No longer."""
        _SHIELD.remove(self._is_inside)


def again(number: int) -> None:
    """Send this process a signal once more, a moment later."""
    threading.Timer(_LATER_SECONDS, os.kill, (os.getpid(), number)).start()


def _on_main() -> bool:
    return threading.current_thread() is threading.main_thread()
