"""One job in its own process: import the scenario, run it under the recorder, return the replay."""

from __future__ import annotations

import faulthandler
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from types import FrameType

import msgspec

from esper_audit.data.jobs import Job, Replay, ReplayStatus
from esper_audit.replay.home import leave_unless_home
from esper_audit.replay.scenario_api import Scenario, SkipScenario

_AGAIN_SECONDS = 0.02


class TimeLimitReached(BaseException):
    """The scenario ran past its limit. No ``except Exception`` of a scenario may swallow it."""


def collect_in_process(paths: tuple[str, ...], pythonpath: tuple[str, ...]) -> bytes:
    """What the paths hold and which environment this is, as JSON: ``[collection, environment]``."""
    from esper_audit import _dynamo
    from esper_audit.replay.collect import collect

    with _quiet():
        collection = replace(collect(paths, pythonpath), backends=_dynamo.backends())
    return msgspec.json.encode([collection, _dynamo.environment()])


@contextmanager
def _quiet() -> Iterator[None]:
    """What a file prints as it is imported must not mix with a report on stdout."""
    sys.stdout.flush()
    kept = os.dup(1)
    os.dup2(2, 1)
    try:
        yield
    finally:
        sys.stdout.flush()
        os.dup2(kept, 1)
        os.close(kept)


def run_job(job: Job) -> bytes:
    """Replay one job; the replay as JSON, whatever the scenario did short of ending the process."""
    _log_to(job.log_path)
    started = time.perf_counter()
    result = replay(job)
    result = replace(result, wall_seconds=time.perf_counter() - started)
    return msgspec.json.encode(result)


def _log_to(path: str) -> None:
    """Send all output of this process to a file, that of C code and of a crash included."""
    if not path:
        return
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(handle, 1)
    os.dup2(handle, 2)
    os.close(handle)
    faulthandler.enable(file=2)
    sys.stdout = open(1, "w", buffering=1, closefd=False)  # noqa: SIM115  # ends with the process


def replay(job: Job) -> Replay:
    """Run the job's scenario in this process and return what happened, also after an exception."""
    from esper_audit import _dynamo
    from esper_audit.recording.recorder import Recorder
    from esper_audit.replay.session import Enough, ReplaySession

    if job.options.recompile_limit is not None:
        _dynamo.set_recompile_limit(job.options.recompile_limit)
    if job.compare and job.options.backend == "inductor":
        _dynamo.draw_as_eager()
    recorder = Recorder(job.root, watch=job.variant.watch or False)
    session = ReplaySession(job, recorder if job.variant.record else None)
    ending, reason, cut = ReplayStatus.COMPLETED, "", False
    with recorder if job.variant.record else nullcontext():
        try:
            with leave_unless_home():
                scenario, parameters = find_scenario(job)
            with _time_limit(job.time_limit), leave_unless_home():
                scenario(session, **parameters)
        except Enough:
            cut = True
        except SkipScenario as skipped:
            ending, reason = ReplayStatus.SKIPPED, str(skipped)
        except TimeLimitReached as late:
            ending, reason = ReplayStatus.ERROR, str(late)
        except KeyboardInterrupt:
            ending, reason = ReplayStatus.ERROR, "interrupted"
        except SystemExit as left:
            ending, reason = ReplayStatus.ERROR, f"the scenario called sys.exit({left.code!r})"
        except BaseException as error:
            traceback.print_exc()
            ending, reason = ReplayStatus.ERROR, _describe(error, job)
    recording = replace(
        recorder.recording(),
        steps=tuple(session.steps),
        observations=tuple(session.observations),
        notes=tuple(session.notes),
    )
    return Replay(
        job=job,
        status=ending,
        cut=cut,
        callables=session.callables,
        reason=reason,
        recording=recording,
    )


def find_scenario(job: Job) -> tuple[Scenario, dict[str, object]]:
    """The scenario of a job, and the values that its parameters' places stand for."""
    from esper_audit.replay.collect import extend_path, import_file, scenarios_in

    extend_path(job.pythonpath)
    module = import_file(Path(job.file))
    scenario = next(each for each in scenarios_in(module) if each.name == job.scenario)
    return scenario, {name: scenario.params[name][place] for name, place in job.choices.items()}


@contextmanager
def _time_limit(seconds: float) -> Iterator[None]:
    """Stop after this long, with what was recorded up to then; the pool kills what won't stop.

    The alarm comes again: what it raises may be swallowed.
    """
    usable = hasattr(signal, "SIGALRM") and threading.current_thread() is threading.main_thread()
    if not usable or seconds <= 0:
        yield
        return

    def stop(_signal: int, frame: FrameType | None) -> None:
        where = f" in {frame.f_code.co_filename}:{frame.f_lineno}" if frame is not None else ""
        raise TimeLimitReached(f"ran longer than its time limit of {seconds:g} s{where}")

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds, _AGAIN_SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _describe(error: BaseException, job: Job) -> str:
    """The exception with the scenario's own line, which tells more than a line inside torch."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if frame.filename == job.file] or frames[-1:]
    where = f" ({Path(own[-1].filename).name}:{own[-1].lineno})" if own else ""
    first = str(error).strip().splitlines()[:1]
    return f"{type(error).__name__}: {first[0] if first else ''}{where}"
