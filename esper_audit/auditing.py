"""A whole run: find scenarios, replay them, judge each replay, decide the claims."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from esper_audit.data.audits import Audit, Report
from esper_audit.data.config import Config
from esper_audit.data.expectations import Claim, Control, Question
from esper_audit.data.file_kinds import holds_scenarios
from esper_audit.data.files import is_file
from esper_audit.data.jobs import (
    Job,
    Replay,
    ReplayStatus,
    ScenarioInfo,
    not_run,
    was_run,
)
from esper_audit.data.meant import is_launcher, program_meant
from esper_audit.data.reasons import Reason, Why
from esper_audit.data.recording import Environment, Recording
from esper_audit.data.steps import Phase
from esper_audit.data.text import encodable
from esper_audit.data.verdicts import AuditVerdict
from esper_audit.diagnosis import (
    attempts_to_watch,
    decide_claims,
    judge,
    misses,
    overall,
    testable,
)
from esper_audit.diagnosis.disturbance import needs_proof, proof_job, settled
from esper_audit.errors import UsageError
from esper_audit.recording.writers import wanted, with_writers, without_writers
from esper_audit.replay.collect import scenario_files
from esper_audit.replay.plan import NothingSelectedError, Options, check_backends, plan
from esper_audit.replay.pool import Pool
from esper_audit.replay.unloaded import left_out
from esper_audit.report.words.commands import shell
from esper_audit.report.words.numbers import several
from esper_audit.report.words.reasons import in_words


class Progress(Protocol):
    """Who hears how far a run is."""

    def planned(self, jobs: Sequence[Job]) -> None: ...
    def running(self, titles: frozenset[str]) -> None: ...
    def finished(self, audit: Audit) -> None: ...
    def watching(self, jobs: Sequence[Job]) -> None: ...
    def watched(self) -> None: ...
    def replayed(self) -> None: ...


@dataclass(frozen=True)
class Request:
    """What to audit. Of an audit that ``is_known``, nobody asks who wrote its state."""

    paths: tuple[str, ...]
    options: Options
    config: Config
    start: str = "auto"
    provenance: bool = True
    is_known: Callable[[Audit], bool] = lambda _: False


def chosen_paths(paths: Sequence[str], config: Config, command: str = "run") -> tuple[str, ...]:
    """The paths given, else the configured ones, for a command.

    Raises UsageError where there are neither, where one holds no Python file, or is a program.
    """
    chosen = tuple(paths) or tuple(config.paths)
    if not chosen:
        raise UsageError(
            "There is nothing to run: no paths given, and none configured.",
            "Give a scenario file, or set `paths` in [tool.esper-audit] of pyproject.toml.",
        )
    if is_launcher(chosen[0]) and program_meant(chosen):
        raise UsageError(
            f"{command} takes scenario files, and {chosen[0]} is none.",
            f"To record a program, type: {program_meant(chosen)}",
        )
    scenario_files(chosen)
    for path in map(Path, paths):
        if is_file(path) and not holds_scenarios(path):
            raise UsageError(f"{path} declares no scenarios.", _recording(path, command))
    return chosen


def _recording(path: Path, command: str) -> str:
    """The command line that records a program, and puts it through the gate where that is asked."""
    if command == "fix":
        return f"It is a program. Type: {shell(('esper-audit', 'fix', '--exec', str(path)))}"
    if command != "gate":
        return f"To record it as a program, type: {shell(('esper-audit', 'exec', str(path)))}"
    saved = str(path.with_suffix(".json"))
    record = shell(("esper-audit", "exec", "--save", saved, str(path)))
    return f"It is a program. Type: {record} && {shell(('esper-audit', 'gate', saved))}"


def run_audit(request: Request, pool: Pool, progress: Progress) -> Report:
    """Replay and judge everything that is asked for, as :func:`audited` does."""
    return audited(request, pool, progress)[0]


def audited(request: Request, pool: Pool, progress: Progress) -> tuple[Report, tuple[Job, ...]]:
    """The report, and the jobs of its first audits; files that can't be imported have none.

    A KeyboardInterrupt ends it early: the report is then marked as interrupted, and what was not
    done is an error in it.
    Raises UsageError where nothing can be replayed as asked.
    """
    started = time.monotonic()
    collection, environment = pool.collect(
        request.paths, request.options.pythonpath, request.config.import_time_limit
    )
    if not collection.scenarios:
        refuse_broken(collection.broken)
        raise UsageError(
            f"There are no scenarios in {', '.join(request.paths)}.",
            "Declare one with @esper_audit.scenario, or record a program: esper-audit exec SCRIPT",
        )
    out = left_out(collection.broken, request.options.keyword)
    broken = {file: why for file, why in collection.broken.items() if file not in out}
    check_backends(collection.backends, request.options.backends)
    # An accelerator's runtime does not survive a fork.
    spawn = environment.device != "cpu" and request.start != "fork"
    options = replace(request.options, spawn=request.options.spawn or spawn)
    jobs = _jobs(collection.scenarios, options, broken)
    done: dict[str, Replay] = {}
    unproven: set[str] = set()
    interrupted = False
    try:
        progress.planned(jobs)
        with closing(pool.replay(jobs, progress.running)) as replays:
            for latest in replays:
                done[key_of(latest.job)] = latest
                unproven |= {key_of(latest.job)} if needs_proof(latest) else set()
                progress.finished(judge(latest, environment))
        prove_undisturbed(done, unproven, pool, progress)
        if request.provenance:
            find_writers(
                done, pool, progress, lambda replay: request.is_known(judge(replay, environment))
            )
        progress.replayed()  # the last thing here: what interrupts from now on finds all done
    except KeyboardInterrupt:
        interrupted = True
        done = {key: replay for key, replay in done.items() if key not in unproven}
    replayed = (done.get(key_of(job)) or not_run(job) for job in jobs)
    ordered = tuple(judge(replay, environment) for replay in replayed)
    ordered += tuple(_broken(file, why, environment) for file, why in broken.items())
    whole = not request.options.keyword and request.paths == tuple(request.config.paths)
    seconds = time.monotonic() - started
    claims = testable(collection.claims, ordered) if _is_part(request) else collection.claims
    report = assemble(ordered, claims, environment, request.config, interrupted, whole, seconds)
    known = request.paths == tuple(request.config.paths) and not collection.broken
    declared = {scenario.name: dict(scenario.params) for scenario in collection.scenarios}
    return replace(report, declared=declared if known else None, left_out=out), jobs


def _jobs(
    scenarios: Sequence[ScenarioInfo], options: Options, broken: Mapping[str, Reason]
) -> tuple[Job, ...]:
    """What to replay. Where nothing is selected, files that can't be imported say why."""
    try:
        return plan(scenarios, options)
    except NothingSelectedError:
        refuse_broken(broken)
        raise


def _is_part(request: Request) -> bool:
    """Whether more could be asked for: without configured paths those given are all there is."""
    configured = tuple(request.config.paths)
    elsewhere = bool(configured) and request.paths != configured
    return bool(request.options.keyword or request.options.params) or elsewhere


def prove_undisturbed(
    done: dict[str, Replay], unproven: set[str], pool: Pool, progress: Progress
) -> None:
    """Replay once more, without a comparison, what was compared in its own process."""
    jobs = [proof_job(done[key].job) for key in done if key in unproven]
    with closing(pool.replay(jobs, progress.running)) as replays:
        for replay in replays:
            key = key_of(replay.job)
            done[key] = settled(done[key], replay)
            unproven.discard(key)


def find_writers(
    done: dict[str, Replay], pool: Pool, progress: Progress, is_known: Callable[[Replay], bool]
) -> None:
    """Replay once more, watched, what recompiled; and put the writers into the first replays."""
    jobs = [
        replace(
            replay.job,
            compare=False,
            variant=replace(
                replay.job.variant,
                watch=sources,
                enough=attempts_to_watch(replay.recording.compiles),
            ),
        )
        for replay in done.values()
        if replay.recording is not None
        and replay.status is ReplayStatus.COMPLETED
        and (sources := wanted(_late(replay.recording)))
        and not is_known(replay)
    ]
    if not jobs:
        return
    progress.watching(jobs)
    with closing(pool.replay(jobs, progress.running)) as replays:
        for watched in replays:
            key = key_of(watched.job)
            first = done[key].recording
            assert first is not None
            if watched.recording is None or watched.status is not ReplayStatus.COMPLETED:
                why = Reason(why=Why.WATCHED_FAILED, cause=watched.reason)
                recording = without_writers(first, why)
            else:
                recording = with_writers(first, watched.recording, cut=watched.cut)
            done[key] = replace(done[key], recording=recording)
            progress.watched()


def _late(recording: Recording) -> Recording:
    """Its compiles after warm-up: only these become findings."""
    steady = tuple(compile_ for compile_ in recording.compiles if compile_.phase is Phase.STEADY)
    return replace(recording, compiles=steady)


def key_of(job: Job) -> str:
    """What tells the jobs of one run apart."""
    return f"{job.title} {sorted(job.choices.items())} {job.options.backend}"


def _broken(file: str, why: Reason, environment: Environment) -> Audit:
    """The audit of a file that can't be imported: it costs itself, the others are replayed."""
    return Audit(
        recording=Recording(environment=environment),
        scenario=Path(file).name,
        file=file,
        verdict=AuditVerdict.ERROR,
        reasons=(why,),
    )


def refuse_broken(broken: Mapping[str, Reason]) -> None:
    """Raise UsageError, with why, where a file can't be imported."""
    if broken:
        files = "\n".join(f"  {file}: {in_words(why)}" for file, why in broken.items())
        raise UsageError(
            f"{several(len(broken), 'scenario file')} can't be imported:\n{files}",
            "Fix them, or give the paths of the other files. Modules are also imported from the"
            " folders that `pythonpath` of [tool.esper-audit] names.",
        )


def assemble(
    audits: tuple[Audit, ...],
    claims: Sequence[Claim],
    environment: Environment,
    config: Config,
    interrupted: bool,
    whole: bool,
    seconds: float,
) -> Report:
    """The report of these audits. ``whole``: they are the whole suite, not a selection of it."""
    wanted = config.control
    control = Control(dict(wanted.params), wanted.verdict, whole) if wanted else None
    return Report(
        environment=environment,
        root=encodable(config.root),
        verdict=overall(audits, interrupted, control),
        audits=audits,
        claims=decide_claims(claims, audits),
        question=Question(config.question.text, dict(config.question.about)),
        control=control,
        control_missed=misses(tuple(filter(was_run, audits)), control),
        columns=config.columns,
        interrupted=interrupted,
        wall_seconds=seconds,
    )
