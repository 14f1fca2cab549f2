"""Run jobs in processes of their own, several side by side; one that dies costs itself alone."""

from __future__ import annotations

import multiprocessing
import os
import sys
import tempfile
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, wait
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import msgspec
from pebble import ProcessExpired, ProcessPool

from esper_audit.errors import IncompleteError, UsageError
from esper_audit.events import Environment
from esper_audit.replay import worker
from esper_audit.replays import Collection, Ending, Job, Replay

GRACE_SECONDS = 5.0
"""How long a scenario past its time limit has to stop by itself before its process is killed."""

_POLL_SECONDS = 0.1
_LOG_TAIL = 4000
_PRELOAD = ["__main__", "msgspec", "pebble", "esper_audit._dynamo.preload"]

# Each replay compiles small graphs, many side by side: one thread each is faster, a forked child
# must not inherit OpenMP threads, and torch's profile of an earlier run must not decide this one's
# shapes (torch/_dynamo/pgo.py, 2.13).
_ENVIRONMENT = {
    "OMP_NUM_THREADS": "1",
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

    def collect(
        self, paths: Sequence[str], pythonpath: Sequence[str]
    ) -> tuple[Collection, Environment]:
        """Find the scenarios of the paths; raises UsageError as :func:`collect` does."""
        with self._processes(1, spawn=not self.forks) as processes:
            future = processes.schedule(
                worker.collect_in_process, args=[tuple(paths), tuple(pythonpath)]
            )
            try:
                data = future.result()
            except ProcessExpired as error:
                raise IncompleteError(
                    f"A scenario file ended the process that imported it: {error}.",
                    "Import the files one by one with `python FILE` to find it.",
                ) from None
        collection, environment = msgspec.json.decode(data)
        return msgspec.convert(collection, Collection), msgspec.convert(environment, Environment)

    def replay(
        self, jobs: Sequence[Job], running: Running | None = None
    ) -> Generator[Replay, None, None]:
        """Run all jobs and yield each replay as it ends. ``running`` hears what runs now.

        Closing the iterator stops what still runs.
        """
        spawned = [job for job in jobs if job.spawn or not self.forks]
        forked = [job for job in jobs if job not in spawned]
        for spawn, batch in ((False, forked), (True, spawned)):
            if batch:
                with self._processes(self.workers, spawn=spawn) as processes:
                    yield from self._run(processes, batch, running)

    @contextmanager
    def _processes(self, workers: int, spawn: bool) -> Iterator[ProcessPool]:
        context = multiprocessing.get_context("spawn" if spawn else "forkserver")
        if not spawn:
            context.set_forkserver_preload(_PRELOAD)
        processes = ProcessPool(max_workers=workers, max_tasks=1, context=context)
        try:
            yield processes
        except BaseException:
            processes.stop()
            raise
        else:
            processes.close()
        finally:
            processes.join()

    def _run(
        self, processes: ProcessPool, jobs: Sequence[Job], running: Running | None
    ) -> Iterator[Replay]:
        pending: dict[Any, Job] = {}
        for number, job in enumerate(jobs):
            job = replace(job, log_path=str(self.folder / f"{number}-{job.scenario}.log"))
            limit = job.time_limit + GRACE_SECONDS if job.time_limit > 0 else None
            pending[processes.schedule(worker.run_job, args=[job], timeout=limit)] = job
        while pending:
            done, _ = wait(pending, timeout=_POLL_SECONDS, return_when=FIRST_COMPLETED)
            if running is not None:
                active = (future for future in pending if future.running())
                running(frozenset(pending[future].title for future in active))
            for future in done:
                yield _result(future, pending.pop(future))


def _result(future: Any, job: Job) -> Replay:
    log = _tail(job.log_path)
    try:
        return replace(msgspec.json.decode(future.result(), type=Replay), log=log)
    except TimeoutError:
        reason = f"did not stop within {GRACE_SECONDS:g} s of its time limit ({job.time_limit:g} s)"
    except ProcessExpired as error:
        reason = _death(error.exitcode)
    except Exception as error:
        reason = f"its result was lost: {type(error).__name__}: {error}"
    return Replay(job=job, ending=Ending.ERROR, reason=reason, log=log)


def _death(code: int) -> str:
    if code < 0:
        import signal

        try:
            return f"its process was killed by {signal.Signals(-code).name}"
        except ValueError:
            return f"its process was killed by signal {-code}"
    shown = 0 if code == worker.QUIET_EXIT else code
    return f"its process ended by itself with exit code {shown}"


def _tail(path: str) -> str:
    try:
        return Path(path).read_bytes()[-_LOG_TAIL:].decode(errors="replace")
    except OSError:
        return ""


@contextmanager
def open_pool(workers: int, start: str = "auto") -> Iterator[Pool]:
    """A pool of ``workers`` processes and a folder for their logs and compiled code.

    ``start``: ``fork`` forks replays from a process that has imported torch and done nothing
    else; ``spawn`` starts Python anew for each; ``auto`` forks where the system can. Raises
    UsageError where it can't fork and was told to.
    """
    # macOS offers a fork server, but its system libraries don't survive a fork.
    can_fork = sys.platform.startswith("linux")
    if start == "fork" and not can_fork:
        raise UsageError(f"This system ({sys.platform}) can't fork.", "Use --start spawn.")
    with tempfile.TemporaryDirectory(prefix="esper-audit-") as folder:
        before = dict(os.environ)
        for name, value in _ENVIRONMENT.items():
            os.environ.setdefault(name, value)
        os.environ.pop("TORCH_COMPILE_JOB_ID", None)
        os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", str(Path(folder) / "inductor"))
        try:
            yield Pool(workers, Path(folder), forks=can_fork and start != "spawn")
        finally:
            os.environ.clear()
            os.environ.update(before)
