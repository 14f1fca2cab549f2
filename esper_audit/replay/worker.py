"""One job in its own process: import the scenario, run it under the recorder, return the replay."""

from __future__ import annotations

import faulthandler
import os
import sys
import time
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from esper_audit.data.jobs import Job, Replay, ReplayStatus
from esper_audit.data.places import Location
from esper_audit.data.reasons import Reason, Why, said
from esper_audit.data.text import encodable, on_disk, to_json
from esper_audit.recording.usable_torch import import_torch_quietly
from esper_audit.replay.home import leave_unless_home
from esper_audit.replay.importing import Trail
from esper_audit.replay.overlay import overlaid
from esper_audit.replay.scenario_api import Scenario, SkipScenario
from esper_audit.replay.time_limit import TimeLimitReached, time_limit

if TYPE_CHECKING:
    from esper_audit.replay.session import ReplaySession


def collect_in_process(
    paths: tuple[str, ...],
    pythonpath: tuple[str, ...],
    broken: Mapping[str, Reason],
    trail: Trail,
    limit: float,
) -> bytes:
    """What the paths hold and which environment this is, as JSON: ``[collection, environment]``.

    Files that are known as ``broken`` are not imported.
    """
    with _quiet():
        import_torch_quietly()
        from esper_audit import _dynamo
        from esper_audit.replay.collect import collect

        collection = collect(paths, pythonpath, broken, partial(_bounded, trail, limit))
        collection = replace(collection, backends=_dynamo.backends())
    return to_json([collection, _dynamo.environment()])


@contextmanager
def _bounded(trail: Trail, limit: float, path: Path) -> Iterator[None]:
    with trail.follow(path, limit), time_limit(limit):
        yield


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
    return to_json(result)


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
    levers = _dynamo.Pulled(job.variant.levers)
    session = ReplaySession(job, recorder if job.variant.record else None)
    status, cut = ReplayStatus.COMPLETED, False
    reason: Reason | None = None
    overlay = {on_disk(path): text for path, text in job.variant.overlay.items()}
    with overlaid(overlay), recorder if job.variant.record else nullcontext():
        try:
            with levers.in_force():
                _run(job, session)
        except Enough:
            cut = True
        except SkipScenario as skipped:
            status, reason = ReplayStatus.SKIPPED, Reason(why=Why.SKIPPED, text=str(skipped))
        except TimeLimitReached as late:
            reason = Reason(why=Why.TIME_LIMIT, seconds=late.seconds, location=late.location)
            status = ReplayStatus.ERROR
        except KeyboardInterrupt:
            status, reason = ReplayStatus.ERROR, Reason(why=Why.INTERRUPTED)
        except SystemExit as left:
            status, reason = ReplayStatus.ERROR, Reason(why=Why.EXITED, text=repr(left.code))
        except BaseException as error:
            traceback.print_exc()
            status, reason = ReplayStatus.ERROR, _described(error, job)
    session.say_overridden(levers.overridden)
    recording = replace(
        recorder.recording(),
        steps=tuple(session.steps),
        observations=tuple(session.observations),
        notes=tuple(session.notes),
    )
    return Replay(
        job=job,
        status=status,
        cut=cut,
        callables=session.callables,
        reason=reason,
        recording=recording,
    )


def _run(job: Job, session: ReplaySession) -> None:
    """Import the scenario and run it, each within the time limit."""
    with time_limit(job.time_limit), leave_unless_home():
        scenario, parameters = find_scenario(job)
    with time_limit(job.time_limit), leave_unless_home():
        session.run_scenario(partial(scenario, **parameters))


def find_scenario(job: Job) -> tuple[Scenario, dict[str, object]]:
    """The scenario of a job, and the values that its parameters' places stand for."""
    from esper_audit.replay.collect import extend_path, import_file, scenarios_in

    extend_path(job.pythonpath)
    module = import_file(Path(on_disk(job.file)))
    scenario = next(s for s in scenarios_in(module) if encodable(s.name) == job.scenario)
    values = {encodable(name): (name, values) for name, values in scenario.params.items()}
    chosen = ((values[name], place) for name, place in job.choices.items())
    return scenario, {name: declared[place] for (name, declared), place in chosen}


def _described(error: BaseException, job: Job) -> Reason:
    """The exception with the scenario's own line, which tells more than a line inside torch."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if encodable(frame.filename) == job.file] or frames[-1:]
    place = Location(own[-1].filename, own[-1].lineno or 0) if own else None
    kind, _, first = said(error).partition(": ")
    text = f"{kind}: {next(iter(first.strip().splitlines()), '')}"
    return Reason(why=Why.SCENARIO_RAISED, text=text, location=place)
