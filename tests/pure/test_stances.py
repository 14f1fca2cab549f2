"""Stances as periods: in a recorder's memory, as findings, and in words."""

from __future__ import annotations

from dataclasses import replace

from builders import FRAME, compiled, recording

from esper_audit.data.compiles import Outcome, RunsAfter, SkippedFrame, Stance
from esper_audit.data.diagnoses import Diagnosis
from esper_audit.data.findings import FrameState
from esper_audit.data.places import Location
from esper_audit.data.steps import Lookups
from esper_audit.diagnosis import judge_program
from esper_audit.recording.ledger import MOST_IN_FULL, Ledger
from esper_audit.recording.stances import Calls, Stances
from esper_audit.report.blocks import block

LINE, OTHER = Location("/p/train.py", 4), Location("/p/train.py", 9)
EAGER = Stance("force_eager", LINE, 0.5, until=1.2, calls=12, hits=0, misses=0)
BACK = Stance("default", LINE, 1.2)


def found_in(*stances, **fields):
    findings = judge_program(recording((), [compiled(0)], stances=stances, **fields)).findings
    return [finding for finding in findings if finding.id.value.startswith("eager")]


def test_a_stance_that_is_set_again_goes_on():
    stances = Stances()
    (begun,) = stances.set("force_eager", LINE, 0.5, Calls(0, 7, 1))
    assert stances.set("force_eager", LINE, 0.6, Calls(0, 7, 1)) == ()
    ended, back = stances.set("default", OTHER, 1.2, Calls(12, 8, 3))
    assert begun == Stance("force_eager", LINE, 0.5)
    assert ended == replace(begun, until=1.2, calls=12, hits=1, misses=2)
    assert back == Stance("default", OTHER, 1.2)


def test_a_stance_in_force_is_told_with_its_calls_up_to_now():
    stances = Stances()
    stances.set("force_eager", LINE, 0.5, Calls(0, 0, 0))
    assert [stance.calls for stance in stances.up_to(Calls(3, 0, 0))] == [3]


def test_equal_periods_past_the_first_are_added_up():
    ledger = Ledger("/p", adding_up=True)
    for at in range(MOST_IN_FULL + 3):
        begun = Stance("force_eager", LINE, float(at))
        ledger.stance(begun)
        ledger.stance(replace(begun, until=at + 0.5, calls=2, hits=0, misses=0))
    assert sum(stance.calls or 0 for stance in ledger.stances) == 2 * (MOST_IN_FULL + 3)
    assert sum(stance.count for stance in ledger.stances) == MOST_IN_FULL + 3


def test_a_stance_that_is_over_says_from_when_to_when():
    (found,) = found_in(EAGER, BACK)
    told = "at /p/train.py:4, from 0.5 s after the start to 1.2 s after the start, 12 calls; over"
    assert told in block(found)


def test_a_stance_in_force_at_the_end_is_what_every_frame_does_now():
    on = replace(EAGER, until=None)
    (found,) = found_in(on)
    assert "since 0.5 s after the start, 12 calls, at /p/train.py:4" in block(found)
    states = [
        judge_program(recording((), [compiled(0)], stances=stances)).frames[0].state
        for stances in ((on,), (EAGER, BACK), (replace(on, stance="eager_on_recompile"),))
    ]
    assert states == [FrameState.EAGER, FrameState.COMPILED, FrameState.CACHED_ONLY]


def test_a_stance_without_a_call_in_its_time_is_no_finding():
    assert found_in(replace(EAGER, calls=0), BACK) == []
    served = replace(EAGER, stance="eager_on_recompile", calls=3, hits=3)
    assert found_in(served, BACK) == []


def test_each_line_that_sets_a_stance_is_a_finding():
    again = replace(EAGER, at=2.0, until=3.0, calls=5)
    found = found_in(EAGER, BACK, again, BACK, replace(EAGER, location=OTHER), BACK)
    assert [(one.written_by, one.calls) for one in found] == [(LINE, 17), (OTHER, 12)]
    assert found[0].until.seconds == 3.0


def test_calls_that_a_stance_left_eager_are_not_unexplained():
    stance = replace(EAGER, stance="eager_on_recompile", calls=4, hits=1, misses=3)
    (found,) = found_in(stance, BACK, lookups=Lookups(9, 3))
    assert (found.id, found.unanswered) == ("eager-disabled", 3)
    found = found_in(stance, BACK, lookups=Lookups(9, 5))
    assert [(one.id.value, one.unanswered) for one in found] == [
        ("eager-disabled", 3),
        ("eager-unexplained", 2),
    ]


def test_eager_code_that_compiles_again_was_eager_until_then():
    given_up = compiled(
        0, Outcome.SKIPPED, runs_after=RunsAfter.EAGER, reason="No ops traced", at=1.0
    )
    again = replace(compiled(3, at=2.0), frame=FRAME)
    (found,) = judge_program(recording((), [given_up, again])).findings
    assert "from step 0 to step 3; over" in block(found)
    (found,) = judge_program(recording((), [again, replace(given_up, sequence=4)])).findings
    assert found.until is None


def test_a_limit_is_over_for_a_frame_without_a_graph_too():
    stopped = compiled(1, Outcome.LIMIT, runs_after=RunsAfter.CACHED_ONLY, limit="recompile_limit")
    again = compiled(2, graph_ops=0)
    findings = judge_program(recording((), [compiled(0, graph_ops=0), stopped, again])).findings
    (found,) = (found for found in findings if found.id is Diagnosis.EAGER_AFTER_LIMIT)
    assert found.until is not None


def test_a_frame_that_is_skipped_once_more_is_not_over():
    skip = SkippedFrame(FRAME, "No ops traced", None, True, sequence=0)
    again = compiled(0)
    assert judge_program(recording((), [again], skips=(skip,))).findings[0].until is not None
    skips = (skip, replace(skip, sequence=1))
    assert judge_program(recording((), [again], skips=skips)).findings[0].until is None
