"""A program under a recorder: started when it first needs one, ended however the program ends."""

from __future__ import annotations

import gc
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, NoReturn

from esper_audit.data.clean import clean_lines
from esper_audit.data.clock import now
from esper_audit.data.notices import HookError
from esper_audit.data.numbers import whole_number
from esper_audit.data.recording import Environment, Program, Recording
from esper_audit.data.steps import Phase
from esper_audit.data.text import encodable
from esper_audit.errors import AuditError, ExitCode, IncompleteError
from esper_audit.program.endings import (
    Ending,
    EndingKind,
    ending_of,
    join_threads,
    kept_of,
    killed,
)
from esper_audit.program.launch import NotFoundError, Target
from esper_audit.program.on_import import on_import
from esper_audit.program.signals import HELD, FatalSignals
from esper_audit.program.surroundings import not_reported, own_surroundings
from esper_audit.recording.journal import Journal

if TYPE_CHECKING:
    from esper_audit.recording.recorder import Recorder


Finished = Callable[[Recording, Ending], int]
"""Told of the recording; returns the exit code of its verdict."""

_OURS = Ending("an error of esper-audit", 1, EndingKind.OUR_ERROR)


class ProgramRun:
    """Around one program: calls ``finished`` once with its recording, in this process alone.

    Its user executes the program itself, inside, and tells what it :meth:`raised`; then
    ``ending`` is the program's, and ``code`` what the process has to end with. A frame less below
    the program: torch takes a traceback for every operation that it traces.

    For one program in the life of a process: ``os._exit`` and its like stay replaced, as threads
    and exit handlers of the program may call them until its very end.

    Args:
        watch: guard sources by frame whose writers are looked for; None for no watch.
        journal: where events are written as they happen, for what outlives a crash.
        keep_journal: leave it there after ``os._exit``, too: the recording is saved nowhere else.
        recompile_limit: what to set torch's limit to before the program compiles; None leaves it.
    """

    def __init__(
        self,
        target: Target,
        root: str,
        finished: Finished,
        watch: dict[str, tuple[str, ...]] | None = None,
        journal: Path | None = None,
        keep_journal: bool = False,
        recompile_limit: int | None = None,
    ) -> None:
        self._target = target
        self._root = root
        self._finished = finished
        self._watch = watch
        self._program = replace(_program(target), recompile_limit=recompile_limit)
        self._journal = Journal(journal) if journal is not None else None
        self._keep_journal = keep_journal
        self._recorder: Recorder | None = None
        self._pid = os.getpid()
        self._began_at, self._started = now()
        self._trouble = ""
        self._is_over = False
        self._closing = threading.RLock()
        self._verdict_code = 0
        self._exits = ExitStack()
        self.ending = Ending("exit 0", 0)

    @property
    def recorder(self) -> Recorder | None:
        """The recorder, once the program has imported torch._dynamo."""
        return self._recorder

    @property
    def code(self) -> int:
        """The program's own exit code; where that is 0, the verdict's."""
        return kept_of(self.ending.code) or self._verdict_code

    def __enter__(self) -> ProgramRun:
        self._exits.callback(on_import("torch._dynamo", self._start))
        signals = FatalSignals(self._killed, lambda: self._is_over)
        self._exits.enter_context(signals.reported())
        self._report_hard_exits()
        gc.freeze()  # the program's collections need not walk what we have imported
        return self

    def raised(self, error: BaseException) -> None:
        """What the program raised is its ending: shown as Python shows it, and goes no further.

        Raises NotFoundError again: there was no program.
        """
        if type(error) is NotFoundError:  # isinstance would ask an error of the program's own
            self._is_over = True
            if self._recorder is not None:  # torch was imported before us
                self._recorder.__exit__(None, None, None)
            raise error
        self.ending = ending_of(error)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._exits:
            try:
                if error is None:
                    self._join_threads()
            finally:
                self._finish(self.ending if error is None else _OURS)

    def _join_threads(self) -> None:
        try:
            join_threads()
        except BaseException as raised:
            ending = ending_of(raised)
            self.ending = ending if ending.code else self.ending

    def _start(self) -> None:
        """An error here must not reach the program: it is told at the end."""
        if os.getpid() != self._pid:
            return  # a forked child that has imported torch itself
        try:
            from esper_audit.recording.usable_torch import import_torch

            import_torch()
            from esper_audit._dynamo.environment import set_recompile_limit
            from esper_audit.recording.recorder import Recorder

            if self._program.recompile_limit is not None:
                set_recompile_limit(self._program.recompile_limit)
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
        except Exception as error:
            told = f"{error} {error.hint}" if isinstance(error, AuditError) else ""
            self._trouble = told or traceback.format_exc()
            self._recorder = None

    def _note(self, event: Any) -> None:
        if self._journal is not None and self._recorder is not None:
            self._journal.note(event, self._recorder.lookups)

    def _finish(self, ending: Ending, keep_journal: bool = False) -> None:
        """Stop recording and hand the recording over: once, and not in a forked child.

        A thread that comes second waits: it is about to end the process.
        """
        if os.getpid() != self._pid:
            return
        with self._closing:
            if self._is_over:
                return
            self._is_over = True
            try:
                with HELD(), own_surroundings():
                    self._hand_over(ending, keep_journal)
            except Exception as error:  # the program may have changed what we stand on
                self._verdict_code = ExitCode.INCOMPLETE
                _tell(not_reported(error, self._journal))

    def _hand_over(self, ending: Ending, keep_journal: bool) -> None:
        if self._recorder is not None:
            self._recorder.__exit__(None, None, None)
        program = replace(self._program, ended=ending.words, exit_code=ending.code)
        recording = encodable(replace(self.recording(), program=program))
        if self._journal is not None:
            self._journal.end(recording)
        try:
            self._verdict_code = self._finished(recording, ending)
        except AuditError as error:  # the program's own exit code stands, where it is not 0
            self._verdict_code = error.exit_code
            _tell(error)
            return  # with the journal: it may be all that is kept
        if self._journal is not None and not keep_journal:
            self._journal.remove()

    def recording(self) -> Recording:
        """What was recorded up to now; empty where the program never imported torch._dynamo."""
        if self._recorder is not None:
            return self._recorder.recording()
        errors = (HookError("start", self._trouble),) if self._trouble else ()
        seconds = time.perf_counter() - self._started
        return Recording(
            environment=_environment(),
            hook_errors=errors,
            seconds=seconds,
            began_at=self._began_at,
        )

    # --- endings that no ``finally`` sees ---

    def _killed(self, number: int) -> None:
        self._finish(killed(signal.Signals(number).name, number))

    def _report_hard_exits(self) -> None:
        """Report before ``os._exit``, which runs no handler. A forked child leaves as it would."""
        leave, execve, execv = os._exit, os.execve, os.execv

        def leave_reported(status: int) -> None:
            code = status
            try:
                if isinstance(status, int):
                    code = self._left(status)
            finally:
                leave(code)

        def execve_reported(path: Any, argv: Any, env: Any) -> NoReturn:
            self._replaced_by(path)
            execve(path, argv, env)

        def execv_reported(path: Any, argv: Any, /) -> NoReturn:
            self._replaced_by(path)
            execv(path, argv)

        os._exit = leave_reported  # type: ignore[assignment]  # it never returns either
        os.execve = execve_reported
        os.execv = execv_reported

    def _left(self, status: int) -> int:
        """Report before a hard exit; the code to leave with."""
        if os.getpid() != self._pid:
            return status
        own, how = kept_of(status), EndingKind.HARD_EXIT
        self._finish_aloud(Ending(f"os._exit({status})", own, how), self._keep_journal)
        return own or self._verdict_code

    def _replaced_by(self, path: Any) -> None:
        """Report before another program takes this one's place; not where there is none.

        ``os.execvp`` looks for it by trying.
        """
        if isinstance(path, int) or (
            os.access(path, os.X_OK) and not os.path.isdir(path)  # noqa: PTH112  # may be bytes
        ):
            self._finish_aloud(Ending("os.execve", 0, EndingKind.REPLACED))

    def _finish_aloud(self, ending: Ending, keep_journal: bool = False) -> None:
        """Finish where nobody is left who could tell of an error."""
        try:
            self._finish(ending, keep_journal)
        except Exception:
            self._verdict_code = ExitCode.INCOMPLETE
            with suppress(Exception):  # stderr is closed, or none
                sys.stderr.write(clean_lines(traceback.format_exc()))
        _flush(sys.stderr)


def _environment() -> Environment:
    """Of a program that never imported torch._dynamo; it may have imported torch all the same."""
    version = getattr(sys.modules.get("torch"), "__dict__", {}).get("__version__")
    torch = str.__str__(version) if isinstance(version, str) else ""
    return Environment(torch=torch, python=sys.version.split()[0], device="")


def _program(target: Target) -> Program:
    def number(name: str) -> int | None:
        return whole_number(os.environ.get(name, ""))

    return Program(
        argv=target.argv,
        name=target.label,
        folder=str(Path.cwd()),
        rank=number("RANK"),
        world_size=number("WORLD_SIZE"),
    )


def _tell(error: AuditError) -> None:
    hint = f"\n  {error.hint}" if error.hint else ""
    if sys.stderr is None:  # print would take stdout instead, which is the program's
        return
    with suppress(Exception):  # closed, full, or an object of the program's own
        print(clean_lines(f"esper-audit: {error}{hint}"), file=sys.stderr)


def _flush(stream: Any) -> None:
    with suppress(Exception):  # closed, or none
        stream.flush()


def not_started(recording: Recording) -> None:
    """Raise IncompleteError where the recorder could not be put in place."""
    for error in recording.hook_errors:
        if error.hook == "start":
            raise IncompleteError(f"The recorder could not start: {error.gist.rstrip('.')}.")
