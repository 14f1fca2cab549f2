"""Run jobs in processes of their own, several side by side; one that dies costs itself alone."""

from __future__ import annotations

import multiprocessing
import multiprocessing.util
import os
import signal
import sys
import tempfile
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import count
from multiprocessing.connection import wait
from multiprocessing.context import BaseContext
from pathlib import Path
from typing import Any

import msgspec

from esper_audit.data.jobs import Collection, Job, Replay, ReplayStatus
from esper_audit.data.reasons import Reason, Why, said
from esper_audit.data.recording import Environment
from esper_audit.errors import IncompleteError, UsageError
from esper_audit.replay import worker
from esper_audit.replay.alone import LoneProcess, NoAnswer
from esper_audit.replay.importing import GRACE_SECONDS, Stopwatch, Trail
from esper_audit.replay.keeper import NO_KEEPER, Keeper, keeper

_STARTING_SECONDS = 60.0  # a spawned process imports torch first
_POLL_SECONDS = 0.1
_LONGEST_SOCKET = 107
_LOG_TAIL = 4000
_PRELOAD = ["__main__", "msgspec", "esper_audit.replay.server", "esper_audit.replay.preload"]
_SERVER_DIED = 255  # exit code of a process that Python's fork server was to tell the code of

# Each replay compiles small graphs, many side by side: one thread each is faster, a forked child
# must not inherit OpenMP threads, and torch's profile of an earlier run must not decide this one's
# shapes (torch/_dynamo/pgo.py, 2.13).
_ENVIRONMENT = {
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "TORCHINDUCTOR_COMPILE_THREADS": "1",
    "TORCH_DYNAMO_AUTOMATIC_DYNAMIC_LOCAL_PGO": "0",
}

Running = Callable[[frozenset[str]], None]


@dataclass(frozen=True)
class Pool:
    """Processes for replays, started as the first is needed. Made by :func:`open_pool`."""

    workers: int
    folder: Path
    forks: bool
    keeper: Keeper = NO_KEEPER
    _numbers: Iterator[int] = field(default_factory=count)

    def collect(
        self, paths: Sequence[str], pythonpath: Sequence[str], limit: float = 0.0
    ) -> tuple[Collection, Environment]:
        """Find the scenarios of the paths; raises UsageError as :func:`collect` does.

        ``limit``: seconds that the import of one file may take; 0 for no limit. A file whose import
        ends the process, or never ends, is listed as broken.
        """
        broken: dict[str, Reason] = {}
        while True:
            trail = Trail(self._place("imports"))
            args = (tuple(paths), tuple(pythonpath), broken, trail, limit)
            try:
                data = self._imported(args, Stopwatch(trail), limit)
                break
            except NoAnswer as died:
                file = trail.now_in()
                if not file:
                    raise IncompleteError(
                        f"The process that imports scenarios died, with {_code_of(died)}.",
                        "Run each file with `python FILE` to find which one ends it.",
                    ) from None
                broken[file] = _died_in(trail, died, limit)
        collection, environment = msgspec.json.decode(data)
        return msgspec.convert(collection, Collection), msgspec.convert(environment, Environment)

    def _imported(self, args: tuple[Any, ...], watch: Stopwatch, limit: float) -> bytes:
        """The answer of a process that imports all files; raises NoAnswer where it gives none."""
        try:
            process = LoneProcess(
                self._context(spawn=not self.forks),
                self._place("answer"),
                worker.collect_in_process,
                args,
                keeper=self.keeper,
            )
        except OSError as error:  # the fork server imports torch before anything else
            raise IncompleteError(
                f"No process could be started to import scenarios: {error}.",
                'Where torch ends it, plain Python shows it: python -c "import torch"',
            ) from None
        try:
            while not process.is_over():
                if limit > 0 and watch.seconds() > limit + GRACE_SECONDS:
                    break
                wait([process.sentinel], _POLL_SECONDS)
            return process.answer()
        finally:
            process.end()

    def replay(
        self, jobs: Sequence[Job], running: Running | None = None
    ) -> Generator[Replay, None, None]:
        """Run all jobs and yield each replay as it ends. ``running`` hears what runs now.

        Closing the iterator stops what still runs.
        """
        spawned = [job for job in jobs if job.spawn or not self.forks]
        forked = [job for job in jobs if job not in spawned]
        lost: list[Job] = []
        yield from self._run(forked, self.workers, False, running, lost)
        # With the fork server all that it had started died: one of them killed it.
        yield from self._run(lost, 1, False, running)
        yield from self._run(spawned, self.workers, True, running)

    def _run(
        self,
        jobs: Sequence[Job],
        workers: int,
        spawn: bool,
        running: Running | None,
        lost: list[Job] | None = None,
    ) -> Iterator[Replay]:
        """Where ``lost`` is given, it takes the jobs that went down with the fork server."""
        waiting = deque(jobs)
        active: dict[LoneProcess, Job] = {}
        try:
            while waiting or active:
                yield from self._fill(active, waiting, workers, spawn)
                _tell(active, running)
                for process, job in _over(active):
                    result = _result(process, job, lost)
                    if result is not None:
                        yield result
        finally:
            for process in active:
                process.end()

    def _fill(
        self, active: dict[LoneProcess, Job], waiting: deque[Job], workers: int, spawn: bool
    ) -> Iterator[Replay]:
        """Start as many as may run side by side; yields what could not be started."""
        while waiting and len(active) < workers:
            job = waiting.popleft()
            job = replace(job, log_path=str(self._place("log")))
            try:
                active[self._started(job, spawn)] = job
            except OSError as error:
                yield _lost(job, Reason(why=Why.NOT_STARTED, text=str(error)))

    def _place(self, suffix: str) -> Path:
        """A file of its own for each process: one that is left behind is nobody else's.

        Named by a number alone: a scenario's name need not be that of a file.
        """
        return self.folder / f"{next(self._numbers)}.{suffix}"

    def _context(self, spawn: bool) -> BaseContext:
        context = multiprocessing.get_context("spawn" if spawn else "forkserver")
        if not spawn:
            context.set_forkserver_preload(_PRELOAD)
        return context

    def _started(self, job: Job, spawn: bool) -> LoneProcess:
        limit = job.time_limit + GRACE_SECONDS + spawn * _STARTING_SECONDS
        return LoneProcess(
            self._context(spawn),
            Path(job.log_path).with_suffix(".answer"),
            worker.run_job,
            (job,),
            limit if job.time_limit > 0 else None,
            self.keeper,
        )


def _over(active: dict[LoneProcess, Job]) -> Iterator[tuple[LoneProcess, Job]]:
    """Wait a moment, then take out what is over, each with its job."""
    wait([process.sentinel for process in active], _POLL_SECONDS)
    for process in [process for process in active if process.is_over()]:
        process.end()
        yield process, active.pop(process)


def _tell(active: dict[LoneProcess, Job], running: Running | None) -> None:
    if running is not None:
        running(frozenset(job.title for job in active.values()))


def _result(process: LoneProcess, job: Job, lost: list[Job] | None) -> Replay | None:
    """The replay of a process that is over; None where the job goes among the ``lost``."""
    try:
        replay = msgspec.json.decode(process.answer(), type=Replay)
        return replace(replay, job=job, log=_tail(job.log_path))  # its paths as they are
    except NoAnswer as died:
        if died.exit_code == _SERVER_DIED and lost is not None:
            lost.append(job)
            return None
        late = Reason(why=Why.DID_NOT_STOP, seconds=job.time_limit, allowed=GRACE_SECONDS)
        return _lost(job, late if died.exit_code is None else _death(died.exit_code))
    except Exception as error:
        return _lost(job, Reason(why=Why.RESULT_LOST, text=said(error)))


def _lost(job: Job, reason: Reason) -> Replay:
    return Replay(job=job, status=ReplayStatus.ERROR, reason=reason, log=_tail(job.log_path))


def _died_in(trail: Trail, died: NoAnswer, limit: float) -> Reason:
    """Why a file can't be imported whose import ended the process, or never ended."""
    if died.exit_code is None:
        cause = Reason(why=Why.IMPORT_LATE, seconds=limit)
    else:
        cause = _death(died.exit_code)
    return Reason(
        why=Why.NOT_IMPORTED, cause=msgspec.structs.replace(cause, location=trail.last_line())
    )


def _code_of(died: NoAnswer) -> str:
    """``exit code 3`` or ``SIGSEGV``."""
    how = _death(died.exit_code)
    return how.text or f"exit code {how.count}"


def _death(code: int | None) -> Reason:
    if code is None or code >= 0:
        return Reason(why=Why.PROCESS_EXITED, count=code)
    try:
        return Reason(why=Why.PROCESS_KILLED, text=signal.Signals(-code).name)
    except ValueError:
        return Reason(why=Why.PROCESS_KILLED, text=f"signal {-code}")


def _tail(path: str) -> str:
    try:
        return Path(path).read_bytes()[-_LOG_TAIL:].decode(errors="replace")
    except OSError:
        return ""


def usable_cores() -> int:
    """The cores that this process may use, which can be fewer than there are."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@contextmanager
def open_pool(workers: int, start: str = "auto") -> Iterator[Pool]:
    """A pool of ``workers`` processes and a folder for their logs and compiled code.

    ``workers``: 0 is one for each core.
    ``start``: ``fork`` forks replays from a process that has imported torch and done nothing
    else; ``spawn`` starts Python anew for each; ``auto`` forks where the system can. Raises
    UsageError where it can't fork and was told to.
    """
    # macOS offers a fork server, but its system libraries don't survive a fork.
    can_fork = sys.platform.startswith("linux")
    if start == "fork" and not can_fork:
        raise UsageError(
            f"This system ({sys.platform}) does not support fork.", "Use --start spawn."
        )
    forks = can_fork and start != "spawn"
    with keeper() as kept, _folder(kept) as folder, _environment(folder):
        if forks:
            kept.folder(_sockets())  # of the fork server's socket
        yield Pool(workers or usable_cores(), folder, forks, kept)


def _sockets() -> str:
    """The folder of the fork server's socket, whose path may have 107 bytes (unix(7)).

    Where that of temporary files has a longer path, it is one in ``/tmp``, as in Python 3.14.
    """
    before = tempfile.tempdir
    room = _LONGEST_SOCKET - len("/pymp-xxxxxxxx/listener-xxxxxxxx")
    if len(os.fsencode(tempfile.gettempdir())) > room and os.access("/tmp", os.W_OK):
        tempfile.tempdir = "/tmp"
    try:
        return multiprocessing.util.get_temp_dir()
    finally:
        tempfile.tempdir = before


@contextmanager
def _folder(kept: Keeper) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="esper-audit-") as folder:
        kept.folder(folder)
        yield Path(folder)


@contextmanager
def _environment(folder: Path) -> Iterator[None]:
    """The environment of all replays, which inherit it."""
    before = dict(os.environ)
    os.environ.update(_ENVIRONMENT)
    os.environ.pop("TORCH_COMPILE_JOB_ID", None)
    os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", str(folder / "inductor"))
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
