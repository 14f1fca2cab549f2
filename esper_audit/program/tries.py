"""Runs of a program under variants, two side by side: what each recorded and computed."""

from __future__ import annotations

import tempfile
import threading
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from esper_audit.data.calls import Calls
from esper_audit.data.recording import Recording
from esper_audit.data.storage import CONVERTING, load
from esper_audit.errors import AuditError
from esper_audit.program.again import command_of, run_again
from esper_audit.program.launch import Target
from esper_audit.program.variant import ProgramVariant, read_calls, write_variant
from esper_audit.replay.keeper import keeper

AT_ONCE = 2
"""Runs side by side. Their times are compared with each other, so more would cost precision."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TriedRun:
    """One run. ``recording`` and ``calls`` are None where the process died before it kept them.

    ``cut``: it ran out of time, or was interrupted.
    """

    recording: Recording | None = None
    calls: Calls | None = None
    code: int | None = None
    cut: bool = False
    seconds: float = 0.0


class Tries:
    """Runs variants of one program, each in a process of its own, in its folder.

    A context manager: on leaving, what still runs is ended. It gets no input, and what it prints is
    dropped. Strings are hashed alike in each run.
    """

    def __init__(self, target: Target, folder: str, recompile_limit: int | None = None) -> None:
        self._target, self._folder, self._limit = target, folder, recompile_limit
        self._exits = ExitStack()
        self._over = threading.Event()
        self._runs = 0
        self._lock = threading.Lock()

    def __enter__(self) -> Tries:
        self._kept = self._exits.enter_context(keeper())
        place = tempfile.TemporaryDirectory(prefix="esper-audit-", ignore_cleanup_errors=True)
        self._place = Path(self._exits.enter_context(place))
        self._kept.folder(self._place)
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._exits.close()

    def run(
        self, variants: Iterable[ProgramVariant], time_limit: float | None = None
    ) -> Sequence[TriedRun]:
        """All of them, :data:`AT_ONCE` side by side, each for at most so many seconds."""
        with ThreadPoolExecutor(AT_ONCE) as threads:
            try:
                return list(threads.map(lambda one: self._run(one, time_limit), variants))
            except BaseException:  # Ctrl-C, which comes to this thread alone
                self._over.set()
                raise

    def _run(self, variant: ProgramVariant, time_limit: float | None) -> TriedRun:
        with self._lock:
            self._runs += 1
            place = self._place / str(self._runs)
        place.mkdir()
        asked, calls, saved = place / "variant.json", place / "calls", place / "recording.json"
        write_variant(replace(variant, calls=str(calls)), asked)
        command = command_of(
            self._target, "--variant", str(asked), saved=saved, recompile_limit=self._limit
        )
        started = time.monotonic()

        def is_over() -> bool:
            late = time_limit is not None and time.monotonic() - started > time_limit
            return late or self._over.is_set()

        variables = {"PYTHONHASHSEED": "0"}
        code = run_again(command, self._folder, self._kept, is_over, variables)
        seconds = time.monotonic() - started
        with CONVERTING:
            recording, called = _loaded(saved), read_calls(calls)
        return TriedRun(
            recording=recording, calls=called, code=code, cut=code is None, seconds=seconds
        )


def _loaded(path: Path) -> Recording | None:
    try:
        return load(path, Recording)
    except (AuditError, OSError):
        return None
