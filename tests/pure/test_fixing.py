"""A run of fix, with a pool that only pretends to replay."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, cast

import pytest
from builders import ENVIRONMENT, compiled, failure, recording, step
from remedy_builders import edit, lever

from esper_audit.data.compiles import Outcome
from esper_audit.data.jobs import Job, Replay, ReplayStatus, Variant
from esper_audit.data.recording import Recording
from esper_audit.data.remedies import Ground, LeverKind, Reach, RemedyState
from esper_audit.data.steps import Phase
from esper_audit.diagnosis import judge
from esper_audit.fixing import Case, Curing, Trials
from esper_audit.remedies.candidates import Candidates
from esper_audit.remedies.search import Search
from esper_audit.replay.pool import Pool

SETTING = lever("dynamic_sources", Reach.SOURCE, LeverKind.CONFIG, "'a'")


def ran(recompiles: int, sums: tuple[float, ...] = (4.0, 8.0)) -> Recording:
    """A replay of six steady steps, of which so many recompile."""
    made = [compiled(0, phase=Phase.WARM_UP)]
    made += [
        compiled(n, Outcome.RECOMPILED, guard_failures=(failure(actual=f"1.{n}"),))
        for n in range(1, recompiles + 1)
    ]
    warm_up = step(0, misses=0, phase=Phase.WARM_UP, checksum=sums)
    steady = [
        step(n, hits=int(n > recompiles), misses=int(n <= recompiles), label="set", checksum=sums)
        for n in range(1, 7)
    ]
    return recording((warm_up, *steady), made)


class Pretended:
    """A pool whose replays are what ``result`` makes of a job; it keeps what it was asked for."""

    def __init__(self, result: Callable[[Job], Recording]) -> None:
        self._result = result
        self.rounds: list[list[Variant]] = []

    def replay(self, jobs: Sequence[Job], _: Any = None):
        if jobs:
            self.rounds.append([job.variant for job in jobs])
        for job in reversed(jobs):  # the order of their ends is any
            yield Replay(job=job, status=ReplayStatus.COMPLETED, recording=self._result(job))


class Silent:
    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *_: None


def case(*remedies, recompiles: int = 6, name: str = "some") -> Case:
    job = Job(scenario=name, file="/p/s.py")
    before = judge(
        Replay(job=job, status=ReplayStatus.COMPLETED, recording=ran(recompiles)), ENVIRONMENT
    )
    return Case(job, Search(before, lambda *_: Candidates(remedies)))


def trials(pool: Pretended) -> Trials:
    return Trials(cast("Pool", pool), cast("Any", Silent()), ENVIRONMENT, provenance=False)


def with_edits_passes(job: Job) -> Recording:
    return ran(0 if job.variant.overlay else 6)


def test_a_lever_and_a_patch_run_side_by_side_and_the_patch_is_best():
    pool, one = Pretended(with_edits_passes), case(SETTING, lever(), edit())
    trials(pool).run([one])
    fix = one.search.fix("/p")
    assert fix.best is not None and fix.trials[fix.best].id == "buffer"
    assert len(pool.rounds[0]) == 2
    assert [trial.state for trial in fix.trials] == [
        RemedyState.NO_EFFECT,
        RemedyState.PROVEN,
        RemedyState.NOT_TRIED,
    ]


def test_what_passes_is_timed_beside_the_code_as_it_was():
    pool, one = Pretended(with_edits_passes), case(edit())
    trials(pool).run([one])
    timed = pool.rounds[1]
    assert [variant.record for variant in timed] == [False] * 3
    assert [bool(variant.overlay) for variant in timed] == [False, True, False]
    assert one.search.best.gain is not None


def test_where_all_are_tried_what_passes_is_timed_together():
    pool, one = (
        Pretended(lambda job: ran(0 if job.variant.levers else 6)),
        case(lever(), SETTING, lever("fullgraph"), lever("mode")),
    )
    one.search.all_ = True
    trials(pool).run([one])
    assert [len(asked) for asked in pool.rounds] == [2, 2, 6]
    assert len(one.search.proven) == 4


def test_a_patch_that_computes_something_else_is_no_remedy():
    def result(job: Job) -> Recording:
        return ran(0, (9.0, 9.0)) if job.variant.overlay else ran(6)

    one = case(edit())
    trials(Pretended(result)).run([one])
    fix = one.search.fix("/p")
    assert fix.best is None and fix.because.ground is Ground.STALE
    assert fix.trials[0].state is RemedyState.HIDES


def test_an_interrupt_keeps_what_was_done():
    def result(job: Job) -> Recording:
        if job.variant.levers and job.variant.levers[0].name == "dynamic":
            raise KeyboardInterrupt
        return ran(6)

    one = case(lever(), SETTING)
    with pytest.raises(KeyboardInterrupt):
        trials(Pretended(result)).run([one])
    fix = one.search.fix("/p", interrupted=True)
    states = {trial.id: trial.state for trial in fix.trials}
    assert states == {"dynamic_sources": RemedyState.NO_EFFECT, "dynamic": RemedyState.NOT_TRIED}
    assert fix.because.ground is Ground.INTERRUPTED


def test_the_cure_is_proven_with_what_passes_as_it_is():
    pool = Pretended(with_edits_passes)
    run = trials(pool)
    failing = [case(edit(), name="one"), case(edit(), name="two")]
    run.run(failing)
    before = len(pool.rounds)
    cure = Curing(run, failing, [case(recompiles=0, name="four")], "/p").cure()
    assert [trial.id for trial in cure.trials] == ["buffer"]
    assert cure.proven and not cure.uncured
    assert len(pool.rounds[before]) == 3
    assert cure.diff.startswith("--- a/host.py") and "host.py" in cure.made_from


def test_a_case_that_a_remedy_frees_against_all_hope_is_cured():
    run = trials(Pretended(with_edits_passes))
    failing = [case(edit(), name="one"), case(lever(), name="two")]
    run.run(failing)
    assert failing[1].search.best is None
    assert not Curing(run, failing, [], "/p").cure().uncured


def test_a_case_that_no_remedy_frees_is_named():
    def result(job: Job) -> Recording:
        return ran(0 if job.variant.overlay and job.scenario == "one" else 6)

    run = trials(Pretended(result))
    failing = [case(edit(), name="one"), case(lever(), name="two")]
    run.run(failing)
    cure = Curing(run, failing, [], "/p").cure()
    assert cure.proven and cure.uncured == ("two",)


def test_a_cure_that_breaks_what_passed_is_not_proven():
    def result(job: Job) -> Recording:
        broken = job.scenario == "four" and job.variant.overlay
        return ran(6 if broken or not job.variant.overlay else 0)

    run = trials(Pretended(result))
    failing = [case(edit(), name="one")]
    run.run(failing)
    passing = case(recompiles=0, name="four")
    assert not Curing(run, failing, [passing], "/p").cure().proven
