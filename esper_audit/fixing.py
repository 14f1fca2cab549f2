"""A whole run of `esper-audit fix`: audit, try remedies for what failed, keep what was proven.

Remedies of all failing cases are replayed together, wave by wave, each as a variant of its case's
job. What passes is replayed twice more beside the code as it was, without recorder and comparison:
timed, and with checksums of each step's output, since a patch changes eager execution, too.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from typing import Protocol

from esper_audit.auditing import Progress, Request, audited, find_writers, key_of
from esper_audit.data.audits import Audit, Report
from esper_audit.data.jobs import Job, Replay, Variant
from esper_audit.data.reasons import Why
from esper_audit.data.recording import Environment
from esper_audit.data.remedies import Because, Cure, Fix, FixReport, Ground, RemedyState
from esper_audit.data.verdicts import AuditVerdict
from esper_audit.diagnosis import judge
from esper_audit.diagnosis.disturbance import needs_proof, proof_job, settled
from esper_audit.remedies.candidates import Candidates, causes_of
from esper_audit.remedies.catalogue import maker
from esper_audit.remedies.cover import Option, cure_of, options_of, smallest, without_hope
from esper_audit.remedies.diffs import made_from, unified
from esper_audit.remedies.search import Search, Tried, trial_of
from esper_audit.remedies.settling import Settling
from esper_audit.replay.pool import Pool

_FREED = (RemedyState.PROVEN, RemedyState.SLOWER)
"""Of all remedies together; that none is slower was decided one by one."""


class FixProgress(Progress, Protocol):
    """Who hears how far a run of ``fix`` is: first as of an audit, then of the trials."""

    def trying(self, jobs: Sequence[Job]) -> None: ...
    def tried(self) -> None: ...


@dataclass(frozen=True)
class FixRequest:
    """What to audit and fix. ``all_``: go on after the first proven remedy of a case.

    ``minimal``: find the smallest set of remedies that frees every case, too.
    """

    audit: Request
    all_: bool = False
    minimal: bool = False


def run_fix(request: FixRequest, pool: Pool, progress: FixProgress) -> FixReport:
    """Audit what is asked for, and try remedies for each case that failed.

    A KeyboardInterrupt ends it early: the report then holds what was done, and says so. Raises
    UsageError where nothing can be replayed as asked.
    """
    started = time.monotonic()
    report, jobs = audited(request.audit, pool, progress)
    trials = Trials(pool, progress, report.environment, request.audit.provenance)
    cases = _failing(report, jobs, request)
    interrupted, cure = report.interrupted, None
    try:
        if not interrupted:
            trials.run(cases)
        if not interrupted and request.minimal:
            cure = Curing(trials, cases, _passing(report, jobs), report.root).cure()
        progress.replayed()
    except KeyboardInterrupt:
        interrupted = True
    passed = tuple(audit.title for audit in report.audits if audit.verdict is AuditVerdict.PASSED)
    return FixReport(
        environment=report.environment,
        root=report.root,
        fixes=_fixes(report, cases, interrupted),
        passed=passed,
        cure=cure,
        interrupted=interrupted,
        wall_seconds=time.monotonic() - started,
    )


@dataclass(eq=False)
class Case:
    """A failing audit, the job that it came from, and the search for a remedy."""

    job: Job
    search: Search
    replays: dict[int, Replay] = field(default_factory=dict)


def _failing(report: Report, jobs: Sequence[Job], request: FixRequest) -> list[Case]:
    make = maker(report.root)
    return [
        Case(job, Search(audit, make, request.all_))
        for job, audit in zip(jobs, report.audits, strict=False)
        if audit.verdict is AuditVerdict.FAILED
    ]


def _passing(report: Report, jobs: Sequence[Job]) -> list[Case]:
    """What passes as it is, for which nothing is searched."""
    return [
        Case(job, Search(audit, lambda *_: Candidates()))
        for job, audit in zip(jobs, report.audits, strict=False)
        if audit.verdict is AuditVerdict.PASSED
    ]


def _fixes(report: Report, cases: Sequence[Case], interrupted: bool) -> tuple[Fix, ...]:
    """In the order of the audits; of one that has an error, why nothing was tried."""
    known = {id(case.search.before): case for case in cases}
    found = []
    for audit in report.audits:
        case = known.get(id(audit))
        if case is not None:
            found.append(case.search.fix(report.root, interrupted))
        elif audit.verdict is AuditVerdict.ERROR:
            found.append(_not_audited(audit))
    return tuple(found)


def _not_audited(audit: Audit) -> Fix:
    reason = audit.reasons[0] if audit.reasons else None
    not_run = reason is not None and reason.why in (Why.NOT_RUN, Why.INTERRUPTED)
    ground = Ground.INTERRUPTED if not_run else Ground.RAISED
    return Fix(
        title=audit.title,
        file=audit.file,
        parameters=audit.parameters,
        backend=audit.backend,
        verdict=audit.verdict,
        because=Because(ground=ground, reason=reason),
        replay_seconds=audit.wall_seconds,
    )


@dataclass
class Trials:
    """Replays with remedies, through the pool."""

    pool: Pool
    progress: FixProgress
    environment: Environment
    provenance: bool = True

    def run(self, cases: Sequence[Case]) -> None:
        """Try until each case has a proven remedy, or nothing is left to try."""
        for case in cases:
            case.search.begin()
        while True:
            wave = [(case, tried) for case in cases for tried in case.search.wave()]
            self.replay(wave)
            self.settle(cases)
            following = [(case, case.search.to_follow_now()) for case in cases]
            if not wave and not any(tried for _, tried in following):
                following = [(case, case.search.to_follow()) for case in cases]
                if not any(tried for _, tried in following):
                    return
            self._follow([(case, tried) for case, tried in following if tried is not None])

    def replay(self, wave: Sequence[tuple[Case, Tried]]) -> None:
        """Replay each case with its remedy."""
        jobs = [replace(case.job, variant=_variant(tried)) for case, tried in wave]
        for place, replay in self._replayed(jobs):
            case, tried = wave[place]
            case.replays[id(tried)] = replay
            case.search.learn(tried, judge(replay, self.environment))

    def settle(self, cases: Sequence[Case]) -> None:
        """Time what passes beside the code as it was, and compare their outputs."""
        settlings = [
            Settling(case.job, case.search.before, passing)
            for case in cases
            if (passing := case.search.to_settle())
        ]
        while wanted := [(one, key, job) for one in settlings for key, job in one.jobs()]:
            for place, replay in self._replayed([job for _, _, job in wanted]):
                settling, key, _ = wanted[place]
                settling.learn(key, replay)
            for settling in settlings:
                settling.decide()

    def _follow(self, found: Sequence[tuple[Case, Tried]]) -> None:
        """Find remedies for what these leave."""
        for case, tried in found:
            replay = case.replays[id(tried)]
            done = {key_of(replay.job): replay}
            if self.provenance:
                find_writers(done, self.pool, self.progress, lambda _: False)
            (replay,) = done.values()
            case.search.follow(tried, judge(replay, self.environment))

    def _replayed(self, jobs: Sequence[Job]) -> Iterator[tuple[int, Replay]]:
        """Each replay with the place of its job; what a comparison may have disturbed, proven."""
        if not jobs:
            return
        self.progress.trying(jobs)
        unproven: dict[int, Replay] = {}
        for place, replay in self._run(jobs):
            self.progress.tried()
            if needs_proof(replay):
                unproven[place] = replay
            else:
                yield place, replay
        firsts = list(unproven.items())
        for place, replay in self._run([proof_job(first.job) for _, first in firsts]):
            yield firsts[place][0], settled(firsts[place][1], replay)

    def _run(self, jobs: Iterable[Job]) -> Iterator[tuple[int, Replay]]:
        """Each variant is an object of its own, by which a replay is known."""
        jobs = [replace(job, variant=replace(job.variant)) for job in jobs]
        places = {id(job.variant): place for place, job in enumerate(jobs)}
        with closing(self.pool.replay(jobs, self.progress.running)) as replays:
            for replay in replays:
                yield places[id(replay.job.variant)], replay


@dataclass
class Curing:
    """The smallest set of remedies for all cases, replayed together with what passes as it is."""

    trials: Trials
    cases: Sequence[Case]
    passing: Sequence[Case]
    root: str

    def cure(self) -> Cure:
        """What frees as many cases as were freed one by one, as far as one replay proves it.

        A remedy may be hoped to free a case that it was not tried on; where it does not, the set is
        chosen again without that hope.
        """
        found = dict(enumerate(self.cases))
        proven = {place: case.search.proven for place, case in found.items()}
        causes = {place: causes_of(case.search.before) for place, case in found.items()}
        options = options_of(proven, causes)
        while chosen := smallest(options, list(found)):
            failed = self._failed(chosen)
            wrong = [n for n in failed if any(n in option.hoped for option in options)]
            if not wrong:
                return self._told(chosen, failed)
            options = without_hope(options, wrong)
        return Cure(uncured=tuple(case.search.before.title for case in self.cases))

    def _failed(self, chosen: Sequence[Option]) -> list[int]:
        """Numbers of cases that don't pass with all of these; -1 for each that passed before."""
        freed = frozenset(case for option in chosen for case in option.frees)
        numbered = [(n, case) for n, case in enumerate(self.cases) if n in freed]
        numbered += [(-1, case) for case in self.passing]
        joint = [(n, together) for n, case in numbered if (together := _with(chosen, n, case))]
        self.trials.replay([(case, case.search.tried[0]) for _, case in joint])
        self.trials.settle([case for _, case in joint])
        return [n for n, case in joint if case.search.tried[0].state not in _FREED]

    def _told(self, chosen: Sequence[Option], failed: Sequence[int]) -> Cure:
        freed = {case for option in chosen for case in option.frees} - set(failed)
        joint = cure_of(chosen, None)
        edits = joint.edits if joint is not None else ()
        return Cure(
            trials=tuple(trial_of(option.tried, self.root) for option in chosen),
            diff=unified(edits, self.root),
            made_from=made_from(edits, self.root),
            proven=bool(freed) and -1 not in failed,
            uncured=tuple(
                case.search.before.title for n, case in enumerate(self.cases) if n not in freed
            ),
        )


def _with(chosen: Sequence[Option], number: int, case: Case) -> Case | None:
    """A case under all of these; None where they change nothing in it."""
    remedy = cure_of(chosen, number)
    if remedy is None or not (remedy.levers or remedy.edits):
        return None
    before = case.search.before
    parts = frozenset(part for option in chosen for part in option.parts)
    return Case(case.job, Search(before, case.search.make, tried=[Tried(remedy, parts)]))


def _variant(tried: Tried) -> Variant:
    overlay = {edit.file: edit.after for edit in tried.remedy.edits}
    return Variant(levers=tried.remedy.levers, overlay=overlay)
