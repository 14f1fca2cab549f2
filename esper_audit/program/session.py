"""A program under a recorder: started when it first needs one, ended however the program ends."""

from __future__ import annotations

import gc
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import FrameType, TracebackType
from typing import TYPE_CHECKING, Any, NoReturn

from esper_audit.errors import IncompleteError
from esper_audit.events import (
    Environment,
    Phase,
    Program,
    Recording,
)
from esper_audit.interrupts import again
from esper_audit.journal import Journal
from esper_audit.notices import HookError
from esper_audit.program.launch import NotFoundError, Target
from esper_audit.program.on_import import on_import

if TYPE_CHECKING:
    from esper_audit.recorder import Recorder

_NO_TORCH = Environment(torch="not imported", python=sys.version.split()[0], device="")
_PACKAGE = str(Path(__file__).parents[1])


@dataclass(frozen=True)
class Ending:
    """How a program ended. ``signal`` is what plain Python would have died of."""

    words: str
    code: int
    signal: int = 0


Finished = Callable[[Recording, Ending], None]

_OURS = Ending("an error of esper-audit", 1)


class ProgramSession:
    """Around one program: calls ``finished`` once with its recording, in this process alone.

    Its user executes the program itself, inside, and tells what it :meth:`raised`; then
    ``ending`` is the program's. A frame less below the program: torch takes a traceback for every
    operation that it traces.

    Args:
        watch: guard sources by frame whose writers are looked for; None for no watch.
        journal: where events are written as they happen, for what outlives a crash.
        keep_journal: leave it there after ``os._exit``, too: the recording is saved nowhere else.
    """

    def __init__(
        self,
        target: Target,
        root: str,
        finished: Finished,
        watch: dict[str, tuple[str, ...]] | None = None,
        journal: Path | None = None,
        keep_journal: bool = False,
    ) -> None:
        self._target = target
        self._root = root
        self._finished = finished
        self._watch = watch
        self._program = _program(target)
        self._journal = Journal(journal) if journal is not None else None
        self._keep_journal = keep_journal
        self._recorder: Recorder | None = None
        self._pid = os.getpid()
        self._started = time.perf_counter()
        self._trouble = ""
        self._is_over = False
        self._exits = ExitStack()
        self.ending = Ending("exit 0", 0)

    @property
    def recorder(self) -> Recorder | None:
        """The recorder, once the program has imported torch._dynamo."""
        return self._recorder

    def __enter__(self) -> ProgramSession:
        self._exits.callback(on_import("torch._dynamo", self._start))
        self._exits.enter_context(self._signals())
        self._exits.enter_context(self._hard_exits())
        gc.freeze()  # the program's collections need not walk what we have imported
        return self

    def raised(self, error: BaseException) -> None:
        """What the program raised is its ending: shown as Python shows it, and goes no further.

        Raises NotFoundError again: there was no program.
        """
        if isinstance(error, NotFoundError):
            self._is_over = True
            raise error
        self.ending = _ending_of(error)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            with self._exits:
                if error is None:
                    self._join_threads()
        finally:
            self._finish(self.ending if error is None else _OURS)

    def _join_threads(self) -> None:
        try:
            _join_threads()
        except BaseException as raised:
            ending = _ending_of(raised)
            self.ending = ending if ending.code else self.ending

    def _start(self) -> None:
        """An error here must not reach the program: it is told at the end."""
        try:
            from esper_audit.recorder import Recorder

            self._recorder = Recorder(
                self._root,
                phase=Phase.WARM_UP,
                adding_up=True,
                watch=self._watch if self._watch is not None else False,
                journal=self._note if self._journal is not None else None,
            )
            self._recorder.__enter__()
            if self._journal is not None:
                self._journal.begin(self._recorder.recording(), self._program)
        except Exception:
            self._trouble = traceback.format_exc()
            self._recorder = None

    def _note(self, event: Any) -> None:
        if self._journal is not None and self._recorder is not None:
            self._journal.note(event, self._recorder.lookups)

    def _finish(self, ending: Ending, keep_journal: bool = False) -> None:
        """Stop recording and hand the recording over: once, and not in a forked child."""
        if self._is_over or os.getpid() != self._pid:
            return
        self._is_over = True
        if self._recorder is not None:
            self._recorder.__exit__(None, None, None)
        recording = replace(
            self.recording(),
            program=replace(self._program, ended=ending.words, exit_code=ending.code),
        )
        self._finished(recording, ending)
        if self._journal is not None and not keep_journal:
            self._journal.remove()

    def recording(self) -> Recording:
        """What was recorded up to now; empty where the program never imported torch._dynamo."""
        if self._recorder is not None:
            return self._recorder.recording()
        errors = (HookError("start", self._trouble),) if self._trouble else ()
        seconds = time.perf_counter() - self._started
        return Recording(environment=_NO_TORCH, hook_errors=errors, seconds=seconds)

    # --- endings that no ``finally`` sees ---

    @contextmanager
    def _signals(self) -> Iterator[None]:
        """Report before SIGTERM ends the process; a handler of the program's own is left alone."""
        on_main = threading.current_thread() is threading.main_thread()
        if not on_main or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
            yield
            return
        signal.signal(signal.SIGTERM, self._terminated)
        try:
            yield
        finally:
            if signal.getsignal(signal.SIGTERM) == self._terminated:
                signal.signal(signal.SIGTERM, signal.SIG_DFL)

    def _terminated(self, number: int, frame: FrameType | None) -> None:
        if self._recorder is not None and self._recorder.is_hook(frame):
            again(number)  # not here: raising in the hook ends the process
            return
        try:
            self._finish(Ending("SIGTERM", 128 + number, number))
        finally:
            die_of(number)

    @contextmanager
    def _hard_exits(self) -> Iterator[None]:
        """Report before ``os._exit``, which runs no handler. A forked child leaves as it would."""
        leave, replace_process, execv = os._exit, os.execve, os.execv

        def leave_reported(code: int) -> None:
            try:
                self._finish(Ending(f"os._exit({code})", code), self._keep_journal)
                sys.stderr.flush()
            finally:
                leave(code)

        def replace_reported(path: Any, argv: Any, environment: Any) -> NoReturn:
            self._finish(Ending("os.execve", 0))
            sys.stderr.flush()
            replace_process(path, argv, environment)

        os._exit = leave_reported  # type: ignore[assignment]  # it never returns either
        os.execve = replace_reported  # type: ignore[assignment]  # as wide as any
        os.execv = lambda path, argv: replace_reported(path, argv, os.environ)
        try:
            yield
        finally:
            os._exit, os.execve, os.execv = leave, replace_process, execv


def die_of(number: int) -> None:
    """End this process by a signal, as it would have ended without a handler."""
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)


def _program(target: Target) -> Program:
    def number(name: str) -> int | None:
        text = os.environ.get(name, "")
        return int(text) if text.isdigit() else None

    return Program(
        argv=target.argv,
        folder=str(Path.cwd()),
        rank=number("RANK"),
        world_size=number("WORLD_SIZE"),
    )


def _ending_of(error: BaseException) -> Ending:
    return _left(error.code) if isinstance(error, SystemExit) else _shown(error)


def _shown(error: BaseException) -> Ending:
    """The ending of an exception, once it has been shown; the program's own hook may raise."""
    try:
        _show(error)
    except SystemExit as left:
        return _left(left.code)
    if isinstance(error, KeyboardInterrupt):
        return Ending("KeyboardInterrupt", 128 + signal.SIGINT, signal.SIGINT)
    first = str(error).strip().splitlines()[:1]
    return Ending(": ".join([type(error).__name__, *first]), 1)


def _left(code: object) -> Ending:
    """``sys.exit`` with no code, a number, or a text that goes to stderr."""
    if code is None or isinstance(code, int):
        return Ending(f"exit {code or 0}", code or 0)
    print(code, file=sys.stderr)
    return Ending("exit 1", 1)


def _show(error: BaseException) -> None:
    """The traceback as Python shows it, without the frames of ours that ran the program."""
    trace: TracebackType | None = error.__traceback__
    while trace is not None and trace.tb_frame.f_code.co_filename.startswith(_PACKAGE):
        trace = trace.tb_next
    error.__traceback__ = trace
    sys.excepthook(type(error), error, trace)


def _join_threads() -> None:
    """Python ends when the last thread has that is no daemon, and so does the recording.

    Pools of threads end by a call of their own, before that (threading._shutdown, 3.11 to 3.14):
    without it an idle pool, such as inductor's, is waited for in vain.
    """
    for act in reversed(list(getattr(threading, "_threading_atexits", ()))):
        act()
    while waiting := [each for each in threading.enumerate() if _is_waited_for(each)]:
        waiting[0].join()


def _is_waited_for(thread: threading.Thread) -> bool:
    return thread is not threading.current_thread() and not thread.daemon


def not_started(recording: Recording) -> None:
    """Raise IncompleteError where the recorder could not be put in place."""
    for error in recording.hook_errors:
        if error.hook == "start":
            last = error.gist
            raise IncompleteError(f"The recorder could not start: {last}.")
