"""A report as a timeline: valid, each thing at its time, and with its cause."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest
from builders import FRAME, audit, compiled, failure, judged, recording
from hostile import CONTROL, HOSTILE
from report_builders import report
from trace_checks import checked, nanoseconds, of, spans, tracks_of

from esper_audit.data.audits import ProgramAudit, ProgramReport
from esper_audit.data.compiles import DeferredWork, Outcome, RunsAfter, SkippedFrame, Stance, Write
from esper_audit.data.logs import RankClass
from esper_audit.data.places import Location
from esper_audit.data.recording import Program
from esper_audit.data.stages import Seconds, Stage
from esper_audit.data.steps import NamedStep, Phase
from esper_audit.data.verdicts import StepVerdict
from esper_audit.report.formats import Format, render
from esper_audit.report.timeline.events import base_of

BEGAN = 1_795_000_000.25
STAGES = (Stage("dynamo", 1.0, 0.5), Stage("backend_compile", 1.1, 0.3), Stage("gc", 1.45, 0.01))
WRITTEN = Write("self.alpha", Location("/p/slot.py", 49, "Slot.set"), Location("/p/train.py", 3))


def program(*compiles, **fields):
    defaults = {"began_at": BEGAN, "seconds": 10.0, "program": Program(argv=("train.py",))}
    found = recording(compiles=compiles, **{**defaults, **fields})
    return ProgramReport(root="/p", audits=(ProgramAudit(recording=found),))


def events_of(document):
    return checked(render(document, Format.CHROME_TRACE))


def seconds(event):
    """When it began, and how long it took, in seconds since the recording began."""
    zero = round(BEGAN * 1e9) - base_of(round(BEGAN * 1e9))
    return (nanoseconds(event, "ts") - zero) / 1e9, nanoseconds(event, "dur") / 1e9


FIRST = compiled(0, at=1.0, seconds=Seconds(0.5), stages=STAGES, thread="MainThread")
AGAIN = compiled(
    1,
    Outcome.RECOMPILED,
    at=2.0,
    seconds=Seconds(0.25),
    guard_failures=(failure(),),
    writes=(WRITTEN,),
    thread="MainThread",
)


def test_a_compile_and_its_stages_lie_at_their_times():
    events = events_of(program(FIRST))
    assert seconds(of(events, "compile Host.forward")) == pytest.approx((1.0, 0.5), abs=1e-6)
    assert [event["name"] for event in spans(events, "stage")] == [
        "dynamo",
        "backend_compile",
        "gc",
    ]
    assert seconds(of(events, "backend_compile")) == pytest.approx((1.1, 0.3), abs=1e-6)
    assert tracks_of(events) == ["compiles: MainThread"]


def test_a_recompile_tells_its_cause_and_who_wrote_the_state():
    event = of(events_of(program(FIRST, AGAIN)), "recompile Host.forward")
    assert event["args"]["cause"] == {
        "diagnosis": "float-specialized",
        "source": "self.alpha",
        "old": "0.5",
        "new": "0.6",
        "cache_entry": "0/0",
        "written_by": "slot.py:49 in Slot.set",
        "writer_called_from": "train.py:3",
    }


def test_totals_without_begins_are_marked_approximate():
    totals = Seconds(1.0, dynamo=0.4, aot_autograd=0.3, backend=0.5)
    parts = spans(events_of(program(compiled(0, at=1.0, seconds=totals))), "stage")
    assert [part["name"] for part in parts] == ["dynamo", "aot_autograd", "backend"]
    assert all(part["args"] == {"approximate": True} for part in parts)
    begins = [seconds(part) for part in parts]
    assert begins[1] == pytest.approx((1.4, 0.3), abs=1e-6)
    assert begins[2] == pytest.approx((1.7, 0.3), abs=1e-6)


def test_equal_compiles_that_were_added_up_are_drawn_as_one_of_them():
    many = compiled(0, at=1.0, seconds=Seconds(4.0), count=8)
    event = of(events_of(program(many)), "compile Host.forward")
    assert seconds(event) == pytest.approx((1.0, 0.5), abs=1e-6)
    assert (event["args"]["count"], event["args"]["approximate"]) == (8, True)


def test_a_frame_at_its_limit_is_eager_until_it_compiles_again():
    limit = compiled(
        2, Outcome.LIMIT, at=3.0, seconds=Seconds(0.1), runs_after=RunsAfter.CACHED_ONLY
    )
    event = of(events_of(program(FIRST, limit)), "eager Host.forward")
    assert seconds(event) == pytest.approx((3.1, 6.9), abs=1e-6)
    assert event["args"]["diagnosis"] == "eager-after-limit"
    reset = compiled(3, at=5.0, id="0/0")
    event = of(events_of(program(FIRST, limit, reset)), "eager Host.forward")
    assert seconds(event) == pytest.approx((3.1, 1.9), abs=1e-6)


def test_skipped_frames_stances_and_marks_have_their_tracks():
    skip = SkippedFrame(FRAME, "in skipfiles", None, True, at=4.0)
    stance = Stance("force_eager", Location("/p/train.py", 9), at=5.0, until=6.0)
    usual = Stance("default", Location("/p/train.py", 10), at=6.0)
    named = (NamedStep(0, "epoch 0", 0.5, 3.0), NamedStep(1, "epoch 1", 3.5))
    found = program(FIRST, skips=(skip,), stances=(stance, usual), named_steps=named, steady_at=3.5)
    events = events_of(found)
    assert tracks_of(events) == ["steps", "compiles: MainThread", "eager", "stances"]
    assert seconds(of(events, "epoch 1")) == pytest.approx((3.5, 6.5), abs=1e-6)
    assert seconds(of(events, "force_eager")) == pytest.approx((5.0, 1.0), abs=1e-6)
    assert of(events, "steady state")["cat"] == "mark"
    assert of(events, "skipped Host.forward")["args"]["reason"] == "in skipfiles"


def test_a_backward_is_drawn_by_its_stages_in_its_thread():
    stages = (Stage("entire_backward_compile", 2.0, 0.2),)
    work = DeferredWork("backward", "0/0", 0, 0.2, at=2.0, thread="autograd", stages=stages)
    events = events_of(program(FIRST, deferred=(work,)))
    assert seconds(of(events, "backward Host.forward")) == pytest.approx((2.0, 0.2), abs=1e-6)
    assert (
        of(events, "entire_backward_compile")["tid"] == of(events, "backward Host.forward")["tid"]
    )
    assert tracks_of(events) == ["compiles: MainThread", "compiles: autograd"]
    unknown = replace(work, at=None, stages=())
    event = of(events_of(program(FIRST, deferred=(unknown,))), "backward Host.forward")
    assert seconds(event) == pytest.approx((1.5, 0.2), abs=1e-6)
    assert event["args"]["approximate"] is True


def scenario(*steps, compiles=(), **fields):
    fields |= {"compiles": tuple(compiles), "began_at": BEGAN}
    return audit(scenario="rollout", steps=tuple(steps), **fields)


def test_an_arrow_leads_from_the_step_after_an_event_to_its_recompile():
    before = judged(0, StepVerdict.COMPILED, at=0.5, seconds=1.0, phase=Phase.WARM_UP)
    after = judged(1, StepVerdict.RECOMPILED, at=2.0, seconds=0.3, label="set_alpha(0.1)")
    events = events_of(report(scenario(before, after, compiles=(AGAIN,))))
    assert of(events, "step 1")["args"]["verdict"] == "recompiled"
    assert of(events, "set_alpha(0.1)")["args"] == {"before_step": 1}
    assert of(events, "steady state")["ts"] == of(events, "step 1")["ts"]
    arrows = [event for event in events if event["ph"] in "sf"]
    assert [arrow["tid"] for arrow in arrows] == [
        of(events, "step 1")["tid"],
        of(events, "recompile Host.forward")["tid"],
    ]


def test_no_arrow_leads_back_in_time():
    late = judged(1, StepVerdict.RECOMPILED, at=2.5, seconds=0.3, label="set_alpha(0.1)")
    events = events_of(report(scenario(late, compiles=(AGAIN,))))
    assert not [event for event in events if event["ph"] in "sf"]


def test_a_count_of_nothing_is_drawn():
    work = DeferredWork("backward", "0/0", 0, 0.1, count=0)
    assert spans(events_of(program(replace(FIRST, count=0), deferred=(work,))))


def test_steps_of_older_recordings_lie_around_their_compiles_and_say_so():
    older = [judged(index, StepVerdict.REUSED, seconds=0.5) for index in range(3)]
    events = events_of(report(scenario(*older, compiles=(AGAIN,))))
    found = [of(events, f"step {index}") for index in range(3)]
    assert all(event["args"]["approximate"] is True for event in found)
    began, length = seconds(found[1])
    assert began <= 2.0 < 2.25 <= began + length


def test_each_rank_is_a_process_and_tells_whom_it_stands_for():
    ranks = [
        ProgramAudit(recording=recording([], [FIRST], program=Program(argv=("t.py",), rank=rank)))
        for rank in (0, 3)
    ]
    alike = RankClass(ranks=(3, 4, 5), shown=3, slowest=4)
    events = events_of(ProgramReport(audits=tuple(ranks), classes=(alike,)))
    names = [event["args"]["name"] for event in events if event["name"] == "process_name"]
    assert names == ["t.py (rank 0)", "t.py (rank 3)"]
    labels = [event["args"]["labels"] for event in events if event["name"] == "process_labels"]
    assert "stands for 3 ranks" in labels[-1]


def test_a_recording_that_does_not_know_its_begin_is_still_drawn():
    text = render(program(FIRST, began_at=None), Format.CHROME_TRACE)
    events = checked(text)
    assert of(events, "compile Host.forward")["ts"] == 1e6
    assert "baseTimeNanoseconds" not in text


def test_spans_that_overlap_get_rows_of_their_own():
    other = compiled(5, at=1.2, seconds=Seconds(0.9), thread="MainThread")
    events = events_of(program(FIRST, other))
    assert tracks_of(events) == ["compiles: MainThread", "compiles: MainThread (2)"]


def test_what_has_no_name_is_still_drawn():
    nameless = replace(FIRST, stages=(Stage("", 1.0, 0.1),))
    work = DeferredWork("", "0/0", 0, 0.1, at=1.6)
    events = events_of(program(nameless, deferred=(work,)))
    assert of(events, "(unnamed)")["cat"] == "stage"
    assert len(spans(events, "deferred")) == 1


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_names_stay_text(text):
    frame = replace(FRAME, name=text, file=text)
    cause = failure(source=text, torch_source=text, expected=text, actual=text)
    made = compiled(
        1,
        Outcome.RECOMPILED,
        frame=frame,
        guard_failures=(cause,),
        thread=text,
        stages=(Stage(text, 0.1, 0.1),),
        at=0.1,
    )
    named = (NamedStep(0, text, 0.0),)
    written = render(program(made, named_steps=named), Format.CHROME_TRACE)
    assert len(spans(checked(written), "recompiled")) == 1
    assert not CONTROL.search(written.replace("\n", ""))


def test_times_that_make_no_sense_are_drawn_as_a_valid_timeline():
    odd = (
        compiled(0, at=-5.0, seconds=Seconds(1e9), stages=(Stage("late", 1e12, 1.0),)),
        compiled(1, at=1e12, stages=(Stage("early", -1e12, 0.0), Stage("x", 0.0, 1e12))),
        compiled(2, at=0.5, seconds=Seconds(0.0, dynamo=-1.0, backend=1e12)),
    )
    for began in (None, 0.0, BEGAN, 1e12):
        assert spans(events_of(program(*odd, began_at=began)))


def test_a_thousand_compiles_are_drawn_in_a_second():
    stages = tuple(Stage(f"stage {number}", number / 100, 0.005) for number in range(30))
    made = [
        replace(
            compiled(number, Outcome.RECOMPILED, at=float(number), guard_failures=(failure(),)),
            stages=tuple(replace(stage, at=number + stage.at) for stage in stages),
        )
        for number in range(1000)
    ]
    found = program(*made, seconds=1001.0)
    began = time.process_time()
    text = render(found, Format.CHROME_TRACE)
    assert time.process_time() - began < 2.0  # 0.4 s on a quiet machine
    assert len(text) < 6_000_000
    assert len(spans(checked(text))) == 31_000
