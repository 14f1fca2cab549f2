"""How a program ends, as under ``python``: its traceback, its exit code, its threads."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path
from types import TracebackType
from typing import cast

_PACKAGE = str(Path(__file__).parents[1])
_C_LONGS = range(-(2**63), 2**63)
"""What the interpreter makes an exit code of; any other number is -1."""

# Past what a class of the program's own may stand there instead.
_NAME: Callable[[type], str] = type.__dict__["__name__"].__get__
_TRACE: Callable[[BaseException], TracebackType | None]
_TRACE = BaseException.__dict__["__traceback__"].__get__


class EndingKind(Enum):
    """What ended a program."""

    EXIT = auto()
    """Its last line, ``sys.exit`` or an exception that nothing caught."""
    SIGNAL = auto()
    HARD_EXIT = auto()
    """``os._exit``: the process is gone at once."""
    REPLACED = auto()
    """``os.execv`` and its like: another program goes on in its process."""
    OUR_ERROR = auto()


@dataclass(frozen=True)
class Ending:
    """How a program ended. ``signal`` is what plain Python would have died of."""

    words: str
    code: int
    how: EndingKind = EndingKind.EXIT
    signal: int = 0

    @property
    def can_be_repeated(self) -> bool:
        """Whether a second run of the program would end where this one did."""
        return self.how not in (EndingKind.SIGNAL, EndingKind.HARD_EXIT)


def kept_of(code: int) -> int:
    """What the system keeps of an exit code."""
    return code & 0xFF if os.name == "posix" else code


def die_of(number: int) -> None:
    """End this process by a signal, as it would have ended without a handler."""
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)


def killed(words: str, number: int) -> Ending:
    """The ending by a signal."""
    return Ending(words, 128 + number, EndingKind.SIGNAL, number)


def ending_of(error: BaseException) -> Ending:
    """The ending by what a program raised. Nothing of its class is asked: that may raise in turn.

    Python itself looks at types alone (_PyErr_PrintEx and handle_system_exit, CPython 3.11).
    """
    if not issubclass(type(error), SystemExit):
        return _shown(error)
    try:
        code: object = cast("SystemExit", error).code
    except BaseException:  # a property of the program's own
        code = error
    return _left(code)


def _shown(error: BaseException) -> Ending:
    """The ending of an exception, once it has been shown; the program's own hook may raise."""
    try:
        _show(error)
    except SystemExit as left:
        return ending_of(left)
    if type(error) is KeyboardInterrupt:  # of a subclass Python does not die
        return killed("KeyboardInterrupt", signal.SIGINT)
    return Ending(": ".join([_NAME(type(error)), *_first_line(error)]), 1)


def _first_line(error: BaseException) -> list[str]:
    try:
        return str(error).strip().splitlines()[:1]
    except BaseException:  # an error, or an exit, of the program's own words for it
        return []


def _left(code: object) -> Ending:
    """``sys.exit`` with no code, a number, or a text that goes to stderr."""
    if code is None or issubclass(type(code), int):
        number = int.__int__(cast("int", code)) if code is not None else 0
        return Ending(f"exit {number}", number if number in _C_LONGS else -1)
    if sys.stderr is not None:  # print would take stdout instead
        try:
            print(code, file=sys.stderr)
        except BaseException:  # one that has no text; Python ends the line all the same
            with suppress(Exception):
                print(file=sys.stderr)
    return Ending("exit 1", 1)


def _show(error: BaseException) -> None:
    """The traceback as Python shows it, without the frames of ours that ran the program."""
    trace = _without_ours(_TRACE(error))
    BaseException.with_traceback(error, trace)
    sys.last_type, sys.last_value, sys.last_traceback = type(error), error, trace
    try:
        sys.excepthook(type(error), error, trace)
    except SystemExit:
        raise
    except BaseException as raised:
        _show_failed_hook(raised, error)


def _show_failed_hook(raised: BaseException, error: BaseException) -> None:
    trace = _without_ours(_TRACE(raised))
    BaseException.__dict__["__context__"].__set__(raised, None)
    BaseException.with_traceback(raised, trace)
    with suppress(Exception):  # stderr of the program's own
        print("Error in sys.excepthook:", file=sys.stderr)
        sys.__excepthook__(type(raised), raised, trace)
        print("\nOriginal exception was:", file=sys.stderr)
        sys.__excepthook__(type(error), error, _TRACE(error))


def _without_ours(trace: TracebackType | None) -> TracebackType | None:
    while trace is not None and trace.tb_frame.f_code.co_filename.startswith(_PACKAGE):
        trace = trace.tb_next
    return trace


def join_threads() -> None:
    """Python ends when the last thread has that is no daemon, and so does the recording.

    Pools of threads end by a call of their own, before that (threading._shutdown, 3.11 to 3.14):
    without it an idle pool, such as inductor's, is waited for in vain.
    """
    for act in reversed(list(getattr(threading, "_threading_atexits", ()))):
        act()
    while waiting := [thread for thread in threading.enumerate() if _is_waited_for(thread)]:
        waiting[0].join()


def _is_waited_for(thread: threading.Thread) -> bool:
    return thread is not threading.current_thread() and not thread.daemon
