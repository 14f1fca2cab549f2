"""The last proof of what passes: the clock, and the output of the code as it was."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from builders import compiled, recording, step
from remedy_builders import PASSED, STORM, C, E, R, cause, edit, finding, lever, ran

from esper_audit.data.compiles import Outcome
from esper_audit.data.jobs import Job, Replay, ReplayStatus
from esper_audit.data.reasons import Reason, Why
from esper_audit.data.remedies import Ground, RemedyState
from esper_audit.data.stages import Seconds
from esper_audit.remedies.candidates import causes_of
from esper_audit.remedies.gains import Timed, gain_of, is_slower
from esper_audit.remedies.search import Tried
from esper_audit.remedies.settling import Settling
from esper_audit.remedies.states import state_of

JOB = Job(scenario="some_scenario", file="/p/s.py")
SUMS = (4.0, 8.0)


def steps(seconds: float | list[float] = 1e-3, sums: Any = SUMS, number: int = 10):
    times = seconds if isinstance(seconds, list) else [seconds] * number
    return [step(n, seconds=time, checksum=sums) for n, time in enumerate(times)]


def timed(seconds: float = 1e-3, sums: Any = SUMS) -> Replay:
    found = recording(steps(seconds, sums))
    return Replay(job=JOB, status=ReplayStatus.COMPLETED, recording=found)


FAILED = Replay(
    job=JOB, status=ReplayStatus.ERROR, reason=Reason(why=Why.SCENARIO_RAISED, text="E: no")
)


def settled(remedy=None, **replays: Replay) -> tuple[Tried, int]:
    """A remedy that passed, settled by these replays, and how many rounds it took."""
    remedy = remedy or edit()
    shown = state_of(STORM, PASSED, (cause(),), causes_of(PASSED))
    tried = Tried(remedy, frozenset((1,)), after=PASSED, shown=shown)
    settling = Settling(JOB, STORM, [tried])
    parts = {"base": timed(), "timed": timed(), "eager": timed(), "again": timed(), **replays}
    parts.setdefault("edits", parts["timed"])
    parts.setdefault("retimed", parts["timed"])
    while jobs := settling.jobs():
        for key, _ in jobs:
            settling.learn(key, parts[key[0]])
        settling.decide()
    assert tried.settled
    return tried, settling.rounds


def ground(tried: Tried) -> Ground:
    return tried.shown.because.ground


def test_equal_output_in_the_same_time_is_proven_in_one_round():
    tried, rounds = settled()
    assert (tried.is_proven, rounds) == (True, 1)


def test_a_patch_that_changes_what_the_code_computes_hides():
    tried, _ = settled(timed=timed(sums=(4.1, 8.0)))
    assert (tried.state, ground(tried)) == (RemedyState.HIDES, Ground.STALE)


def test_a_patch_whose_sums_are_in_another_order_is_proven():
    tried, _ = settled(timed=timed(sums=(4.0001, 8.0001)))
    assert tried.is_proven


def test_a_patch_of_code_without_equal_runs_is_unproven():
    tried, rounds = settled(timed=timed(sums=(5.0, 9.0)), again=timed(sums=(6.0, 9.0)))
    assert (tried.state, ground(tried)) == (RemedyState.UNPROVEN, Ground.NOT_COMPARED)
    assert rounds == 2


def test_levers_change_no_eager_output_and_need_no_equal_runs():
    tried, rounds = settled(lever(), timed=timed(sums=(5.0, 9.0)))
    assert (tried.is_proven, rounds) == (True, 1)


def test_a_patch_with_a_rehearsal_is_compared_without_it():
    both = replace(edit(), levers=lever().levers)
    tried, _ = settled(both, timed=timed(sums=(5.0, 9.0)), edits=timed())
    assert tried.is_proven


def test_a_step_that_takes_longer_in_both_rounds_is_slower():
    tried, rounds = settled(timed=timed(2e-3))
    assert (tried.state, ground(tried), rounds) == (RemedyState.SLOWER, Ground.SLOWER, 2)


def test_a_machine_that_was_busy_once_makes_nothing_slower():
    tried, _ = settled(timed=timed(2e-3), retimed=timed(1e-3))
    assert tried.is_proven


def test_a_replay_that_raises_without_a_comparison_breaks():
    tried, _ = settled(timed=FAILED)
    assert tried.state is RemedyState.BREAKS


def test_a_patch_is_unproven_where_the_code_as_it_was_can_not_be_replayed():
    tried, _ = settled(base=FAILED)
    assert (tried.state, ground(tried)) == (RemedyState.UNPROVEN, Ground.NOT_COMPARED)


# --- the clock ---


@pytest.mark.parametrize(
    ("was", "now", "slower"),
    [
        (1e-3, 1e-3, False),
        (1e-3, 1.1e-3, False),
        (1e-3, 1.5e-3, True),
        (1e-3, 0.5e-3, False),
        (1e-6, 9e-6, False),  # less than the machine's own noise
    ],
)
def test_a_step_is_slower_past_a_fifth_and_the_noise(was, now, slower):
    assert is_slower(STORM, PASSED, Timed(steps(was), steps(now))) is slower


def test_seconds_that_scatter_more_than_they_differ_are_not_slower():
    noisy = [1e-3, 4e-3] * 5
    assert not is_slower(STORM, PASSED, Timed(steps(1e-3), steps(noisy)))


def test_only_steps_that_reuse_compiled_code_are_timed():
    # STORM recompiles in its even steady steps: what those take says nothing of a step.
    was = [1e-3, 1e-3, *(5.0, 1e-3) * 4]
    assert is_slower(STORM, PASSED, Timed(steps(was), steps(2e-3)))


def test_gains_are_of_compiles_that_are_gone():
    gain = gain_of(STORM, PASSED, Timed(steps(), steps()))
    assert gain.seconds_per_event == pytest.approx(0.1)
    assert gain.per_thousand == pytest.approx(0.4 / 8 * 1000)
    assert gain.remedied == pytest.approx(1.0)


def test_where_nothing_compiled_before_no_seconds_are_saved():
    eager = ran(E, E, findings=[finding()])
    gain = gain_of(eager, ran(R, R), Timed(steps(number=4), steps(number=4)))
    assert (gain.seconds_per_event, gain.per_thousand) == (None, None)


def test_gains_hold_speeds_as_ratios_to_a_reused_step():
    limited = ran(C, R, R, R, E, E, E, findings=[finding(limit_hit=True)])
    was = [1e-3, 1e-3, 5.0, *[1e-3] * 3, *[4e-3] * 3]
    gain = gain_of(limited, ran(*[R] * 7), Timed(steps(was), steps([2e-3] * 9)))
    assert gain.after_limit == pytest.approx(0.25)
    assert gain.remedied == pytest.approx(0.5)


def test_a_speed_of_one_or_two_steps_is_not_told():
    limited = ran(C, R, E, E, findings=[finding(limit_hit=True)])
    was = [1e-3, 1e-3, 5.0, 1e-3, 4e-3, 4e-3]
    gain = gain_of(limited, ran(R, R, R, R), Timed(steps(was), steps([2e-3] * 6)))
    assert (gain.after_limit, gain.remedied, gain.pays_back) == (None, None, None)


def test_a_compile_pays_back_where_a_step_is_faster_than_eager():
    made = (compiled(0, Outcome.COMPILED, seconds=Seconds(2.0)),)
    after = ran(R, R, R, compiles=made)
    timing = Timed(steps(number=5), steps(1e-3, number=5), steps(3e-3, number=5))
    assert gain_of(STORM, after, timing).pays_back == 1000
    slow = Timed(steps(number=5), steps(3e-3, number=5), steps(1e-3, number=5))
    assert gain_of(STORM, after, slow).pays_back is None
