"""A call in a process of its own. Its answer comes through a file: nothing is shared with others.

No pipe and no lock that a process which dies at the wrong moment, or a child that it has forked,
could break for the rest.
"""

from __future__ import annotations

import ctypes
import os
import pickle
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from multiprocessing import forkserver, resource_tracker
from multiprocessing.context import BaseContext
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from esper_audit.replay.home import leave_unless_home
from esper_audit.replay.keeper import NO_KEEPER, Keeper

LINGER_SECONDS = 5.0
"""How long a process may still take to end once it has answered: threads, children, its cleanup."""

_DIE_WITH_PARENT = 1  # PR_SET_PDEATHSIG (linux/prctl.h)
_STARTS = 3
_JOIN_SECONDS = 5.0

Function = Callable[..., bytes]


class NoAnswer(Exception):  # noqa: N818  # it becomes the reason of an audit
    """The process ended without one. ``exit_code`` is negative for a signal, None where killed."""

    def __init__(self, exit_code: int | None) -> None:
        super().__init__(exit_code)
        self.exit_code = exit_code


class LoneProcess:
    """A process that runs ``function`` now, and leaves what it returns at ``place``.

    It leads a group of its own, and no process of that group outlives it. ``patience`` is how
    many seconds it may take; None for no bound. Raises OSError where no process can be had.
    """

    def __init__(
        self,
        context: BaseContext,
        place: Path,
        function: Function,
        args: tuple[Any, ...],
        patience: float | None = None,
        keeper: Keeper = NO_KEEPER,
    ) -> None:
        self._place = place
        self._keeper = keeper
        self._process = _started(context, (str(place), function, args))
        assert self._process.pid is not None
        keeper.group(self._process.pid)
        self._until = time.monotonic() + patience if patience is not None else float("inf")
        self._has_answered = self._has_ended = False
        self._exit_code: int | None = None

    @property
    def sentinel(self) -> int:
        """Ready to be read once the process has ended; later where a child of its own holds it."""
        return self._process.sentinel

    def is_over(self) -> bool:
        """Whether it has ended; one that has had its time is killed."""
        self._exit_code = self._process.exitcode
        if not self._has_answered and self._place.exists():
            self._has_answered = True
            self._until = min(self._until, time.monotonic() + LINGER_SECONDS)
        return self._exit_code is not None or time.monotonic() > self._until

    def end(self) -> None:
        """Let nothing of it stay, whatever it does."""
        if self._has_ended:
            return
        assert self._process.pid is not None
        if hasattr(os, "killpg"):
            with suppress(OSError):  # it has not come to lead its group yet, or all have gone
                os.killpg(self._process.pid, signal.SIGKILL)
        self._keeper.ended(self._process.pid)
        self._process.kill()
        self._process.join(_JOIN_SECONDS)
        with suppress(ValueError):  # it can't be killed: it waits for a disk
            self._process.close()
        self._has_ended = True

    def answer(self) -> bytes:
        """What the function returned, once the process is over.

        Raises NoAnswer, or what the function raised.
        """
        try:
            answer = pickle.loads(self._place.read_bytes())
        except FileNotFoundError:
            raise NoAnswer(self._exit_code) from None
        if isinstance(answer, BaseException):
            raise answer
        return bytes(answer)


def _started(context: BaseContext, args: tuple[Any, ...]) -> BaseProcess:
    """The fork server is started again where it is found dead, which can show a moment late."""
    process: BaseProcess = context.Process(target=_live, args=args)  # type: ignore[attr-defined]
    for left in reversed(range(_STARTS)):
        try:
            _start(process, context)
            break
        except (OSError, EOFError) as error:
            if not left:
                raise OSError(f"{type(error).__name__}: {error}") from error
            time.sleep(0.1)
    return process


def _start(process: BaseProcess, context: BaseContext) -> None:
    with _deaf(), _quiet_tracker():
        resource_tracker.ensure_running()
    if context.get_start_method() == "forkserver":
        with _deaf():
            forkserver.ensure_running()
        process.start()  # may wait for the server, which imports torch first: Ctrl-C is heard
    else:
        with _deaf():
            process.start()


@contextmanager
def _deaf() -> Iterator[None]:
    """What is started meanwhile never hears Ctrl-C: it is told to the audit, which ends it."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before if before is not None else signal.SIG_DFL)


@contextmanager
def _quiet_tracker() -> Iterator[None]:
    """Who deletes the semaphores of a killed replay does not warn of them: we have killed it.

    The tracker is started with our own options (multiprocessing/resource_tracker.py, 3.11 to 3.14).
    """
    option = f"ignore::UserWarning:{resource_tracker.__name__}"
    sys.warnoptions.append(option)
    try:
        yield
    finally:
        sys.warnoptions.remove(option)


def _live(place: str, function: Function, args: tuple[Any, ...]) -> None:
    """All of the process's life."""
    _lead()
    answer: object
    try:
        with leave_unless_home():
            answer = function(*args)
    except BaseException as error:
        answer = error
    _write(Path(place), answer)


def _write(place: Path, answer: object) -> None:
    """Whole or not at all: one who dies while writing has not answered."""
    try:
        data = pickle.dumps(answer)
    except Exception:
        data = pickle.dumps(RuntimeError(f"{type(answer).__name__} can't be sent"))
    part = place.with_suffix(".part")
    with suppress(FileNotFoundError):  # the folder has gone, and with it who waits for the answer
        part.write_bytes(data)
        part.replace(place)


def _lead() -> None:
    """Lead a process group: a signal to the group is not for other replays, nor for the audit."""
    if hasattr(os, "setpgid"):
        os.setpgid(0, 0)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is told to the audit, which ends us
    die_with_parent()


def die_with_parent() -> None:
    """Where the system can: not to go on once nobody is there to take the answer."""
    if sys.platform.startswith("linux"):
        ctypes.CDLL(None).prctl(_DIE_WITH_PARENT, signal.SIGKILL)
