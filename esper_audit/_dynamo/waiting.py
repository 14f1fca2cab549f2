"""Threads that wait for torch's compile lock while another one compiles what they need.

A thread looks for a cache entry, finds none, and waits in ``CatchErrorsWrapper.__call__`` of
torch/_dynamo/convert_frame.py (2.8 to 2.14). It does not look again when its turn has come. So an
entry that was made while it waited is one that it can't have found, whatever its guards say.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from types import CodeType, FrameType
from typing import Any
from weakref import ref

_DEPTH = 4
"""Frames of a lock that are above torch's, at most."""


class Waiting:
    """Which entries were made while a thread waited. Its methods run under torch's lock."""

    def __init__(self) -> None:
        self._missed: dict[int, tuple[int, list[ref[Any]]]] = {}

    def made(self, manager: Any, code: CodeType | None) -> None:
        """An entry of this code is about to be there, and this thread still holds the lock."""
        for thread, call in _waiting_for(code):
            known, managers = self._missed.get(thread, (call, []))
            kept = managers if known == call else []
            self._missed[thread] = call, [*kept, ref(manager)]

    def missed_by(self, frame: Any) -> tuple[Any, ...]:
        """The guard managers of the entries that this thread's call, of this frame, came before."""
        call, managers = self._missed.pop(threading.get_ident(), (0, []))
        found = [weak() for weak in managers] if call == id(frame) else []
        return tuple(manager for manager in found if manager is not None)


def _waiting_for(code: CodeType | None) -> Iterator[tuple[int, int]]:
    """Threads in torch's callback for a frame of this code, with the identity of the frame."""
    own = threading.get_ident()
    for thread, top in sys._current_frames().items():
        callback = _callback(top) if thread != own else None
        frame = callback.f_locals.get("frame") if callback is not None else None
        if frame is not None and getattr(frame, "f_code", None) is code:
            yield thread, id(frame)


def _callback(frame: FrameType | None) -> FrameType | None:
    for _ in range(_DEPTH):
        if frame is None:
            return None
        if frame.f_code.co_name == "__call__" and "compile_lock" in frame.f_code.co_names:
            return frame
        frame = frame.f_back
    return None
