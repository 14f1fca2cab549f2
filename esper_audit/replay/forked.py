"""Run a function in a forked child that shares nothing with this process, and take its answer.

The child holds this process's whole state as it is, and leaves by ``os._exit``: whatever it
changes, this process never sees. It has nothing to do with multiprocessing: no thread, no pool.
"""

from __future__ import annotations

import ctypes
import gc
import os
import random
import select
import signal
import struct
import sys
import threading
import time
import warnings
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, NoReturn

from esper_audit.data.reasons import Reason, Why
from esper_audit.replay.home import leave_unless_home
from esper_audit.replay.isolation import (
    keep_files_apart,
    keep_memory_apart,
    open_files,
    shared_memory,
)

_LEAVE = os._exit  # as it was before any program could replace it
_LENGTH = struct.Struct("!Q")
_DIE_WITH_PARENT = 1  # PR_SET_PDEATHSIG (linux/prctl.h)
_CHUNK = 1 << 20
_COPYING_SECONDS = 20.0
_MOST_SHARED = 1 << 30


class Lost(Exception):  # noqa: N818  # becomes a comparison that could not be made
    """The child gave no answer, for this ``reason``."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True)
class _Before:
    """How it is before the fork: shared memory, places in files, and Python's random numbers,
    which it seeds again in every child. ``hidden``: the program must not hear of the child."""

    shared: tuple[tuple[int, int], ...]
    files: dict[int, int]
    drawn: Any
    hidden: bool


class Forked:
    """A child that runs ``function`` now; :meth:`answer` waits for the bytes that it returns.

    Raises OSError where no process can be had, and Lost where too much memory is shared.
    """

    def __init__(self, function: Callable[[], bytes]) -> None:
        shared = shared_memory()
        size = sum(size for _, size in shared)
        if size > _MOST_SHARED:
            raise Lost(Reason(why=Why.TOO_MUCH_SHARED, count=size >> 20))
        self._read, write = os.pipe()
        before = _Before(shared, open_files(), random.getstate(), _has_children_of_its_own())
        self._is_hidden = before.hidden
        try:
            self._pid = _fork_hidden() if self._is_hidden else _fork()
        except OSError:
            os.close(self._read)
            os.close(write)
            raise
        if self._pid == 0:
            _run(function, write, before)
        os.close(write)
        if shared or self._is_hidden:
            self._begin()

    def _begin(self) -> None:
        """Wait until the child has memory of its own, which this process may then write to."""
        try:
            until = time.monotonic() + _COPYING_SECONDS
            self._pid = _LENGTH.unpack(self._receive(_LENGTH.size, until, _COPYING_SECONDS))[0]
        except BaseException:
            self.end()
            raise

    def answer(self, patience: float) -> bytes:
        """The child's answer, after at most so many seconds. Raises Lost."""
        until = time.monotonic() + patience
        try:
            head = self._receive(_LENGTH.size, until, patience)
            return self._receive(_LENGTH.unpack(head)[0], until, patience)
        finally:
            self.end()

    def _receive(self, size: int, until: float, patience: float) -> bytes:
        ready = select.poll()
        ready.register(self._read, select.POLLIN)
        parts: list[bytes] = []
        while size:
            if not ready.poll(max(0.0, until - time.monotonic()) * 1000):
                raise Lost(Reason(why=Why.TWIN_LATE, seconds=patience))
            part = os.read(self._read, min(size, _CHUNK))
            if not part:
                raise Lost(Reason(why=Why.TWIN_DIED))
            parts.append(part)
            size -= len(part)
        return b"".join(parts)

    def end(self) -> None:
        """Let nothing of the child stay, whether it has answered or not.

        Waiting for its end takes milliseconds, but ``os.wait`` of the program must not meet it.
        """
        if self._pid:
            os.close(self._read)
            if self._pid > 0:
                with suppress(ProcessLookupError):
                    os.kill(self._pid, signal.SIGKILL)
            if not self._is_hidden:
                with suppress(ChildProcessError):  # the program has waited for all its children
                    os.waitpid(self._pid, 0)
            self._pid = 0


def _has_children_of_its_own() -> bool:
    """Whether the program may hear of any child, or wait for it: it must not meet ours.

    A thread that waits for any child meets the one in between all the same.
    """
    handler = signal.getsignal(signal.SIGCHLD)
    if handler is None or threading.current_thread() is not threading.main_thread():
        return False
    return handler not in (signal.SIG_DFL, signal.SIG_IGN) or _has_children()


def _has_children() -> bool:
    try:
        _look_for_ended_child()
    except ChildProcessError:
        return False
    return True


def _ended_child() -> object:
    with suppress(ChildProcessError):
        return _look_for_ended_child()
    return None


def _look_for_ended_child() -> object:
    """A child that has ended, which stays to be waited for; None where all of them live."""
    return os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)


def _fork_hidden() -> int:
    """Fork a grandchild, which is nobody's to wait for; -1 for its number, which it tells itself.

    The child in between ends at once, while no handler listens. A mask would not do: a thread of
    torch's own would get the signal.
    """
    handler = signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    between = _fork()
    if between == 0:
        if _fork():
            _LEAVE(0)
        return 0
    os.waitpid(between, 0)
    signal.signal(signal.SIGCHLD, handler)
    if _ended_child() is not None:  # one of the program's, meanwhile
        signal.raise_signal(signal.SIGCHLD)
    return -1


def _fork() -> int:
    if threading.active_count() == 1:
        return os.fork()
    with warnings.catch_warnings():  # Python 3.12 warns; a child that hangs is not waited for long
        warnings.simplefilter("ignore", DeprecationWarning)
        return os.fork()


def _run(function: Callable[[], bytes], write: int, before: _Before) -> NoReturn:
    """All of the child's life."""
    try:
        gc.disable()  # no finalizer of the program's may run twice
        keep_memory_apart(before.shared)
        if before.shared or before.hidden:
            os.write(write, _LENGTH.pack(os.getpid()))
        _be_quiet(before.hidden)
        keep_files_apart(write, before.files)
        random.setstate(before.drawn)
        with leave_unless_home():
            data = function()
        data = _LENGTH.pack(len(data)) + data
        while data:
            data = data[os.write(write, data) :]
    finally:
        _LEAVE(0)


def _be_quiet(hidden: bool) -> None:
    """No output, no handler of the program's, and no life beyond the parent's."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    # Of whatever the program prints to: it need not be one of these two files.
    sys.stdout = sys.stderr = open(nowhere, "w", closefd=False)  # noqa: SIM115  # ends with it
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGALRM):
        with suppress(ValueError):  # not in the main thread
            signal.signal(number, signal.SIG_DFL)
    if sys.platform.startswith("linux") and not hidden:  # its parent has ended already
        ctypes.CDLL(None).prctl(_DIE_WITH_PARENT, signal.SIGKILL)
