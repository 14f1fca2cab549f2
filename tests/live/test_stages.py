"""Stages of compiles as torch times them, by the recording's clock."""

from __future__ import annotations

import json
import threading
import time

import pytest
import torch
from blend import Blend, drive
from torch.profiler import ProfilerActivity, profile, record_function

from esper_audit import Recorder, step
from esper_audit._dynamo import names
from esper_audit._dynamo.stages import SHORTEST, StageClock
from esper_audit.data.audits import ProgramReport
from esper_audit.data.compiles import Compile, DeferredWork
from esper_audit.diagnosis import judge_program
from esper_audit.report.timeline.beside import beside

pytestmark = pytest.mark.usefixtures("clean_dynamo")

_SLACK = 1e-3
"""Seconds between torch's reading of a clock and ours."""


def recorded(alphas=(0.1, 0.2), backward=False):
    with Recorder() as recorder:
        before = time.time()
        for alpha in alphas:
            step(f"alpha {alpha}")
            drive(Blend(), [alpha])
        if backward:
            trained = torch.compile(lambda x: (x.sin() * 2).sum(), backend="aot_eager")
            trained(torch.ones(3, requires_grad=True)).backward()
    return recorder.recording(), before


@pytest.fixture(scope="module")
def found():
    torch._dynamo.reset()
    return recorded(backward=True)


def end_of(part):
    seconds = part.seconds.total if isinstance(part, Compile) else part.seconds
    return part.at + seconds


def test_the_stages_of_a_compile_lie_inside_of_it_and_of_each_other(found):
    recording, _ = found
    for compile_ in recording.compiles:
        assert {"dynamo", "build_guards"} <= {stage.name for stage in compile_.stages}
        around = [compile_]
        for stage in compile_.stages:
            while stage.at > end_of(around[-1]):
                around.pop()
            assert around[-1].at - _SLACK <= stage.at
            assert end_of(stage) <= end_of(around[-1]) + _SLACK
            assert stage.seconds >= SHORTEST
            around.append(stage)
    assert recording.hook_errors == ()


def test_a_backward_that_is_compiled_later_has_its_begin_and_its_stages(found):
    recording, _ = found
    work = next(row for row in recording.deferred if row.kind == "backward")
    last = recording.compiles[-1]
    assert isinstance(work, DeferredWork)
    assert end_of(last) - _SLACK <= work.at <= recording.seconds
    assert [stage.name for stage in work.stages][:1] == ["entire_backward_compile"]
    assert work.stages[0].at == pytest.approx(work.at, abs=_SLACK)


def test_a_recording_says_when_it_began(found):
    recording, before = found
    first = recording.named_steps[0]
    assert recording.began_at + first.at == pytest.approx(before, abs=0.05)
    assert [named.label for named in recording.named_steps] == ["alpha 0.1", "alpha 0.2"]
    assert end_of(first) == pytest.approx(recording.named_steps[1].at)
    assert recording.named_steps[1].seconds is None


def test_a_compile_lies_in_the_call_of_a_profile_of_the_same_process(tmp_path):
    path = tmp_path / "profile.json.gz"
    model = torch.compile(lambda x: x.sin() * 2, backend="aot_eager")
    with Recorder() as recorder, profile(activities=[ProfilerActivity.CPU]) as profiler:
        for number in range(2):
            with record_function(f"call {number}"):
                model(torch.ones(2, 2 + number))
    profiler.export_chrome_trace(str(path))
    report = ProgramReport(audits=(judge_program(recorder.recording()),))
    events = json.loads(beside(report, path))["traceEvents"]
    events = [event for event in events if event["ph"] == "X"]
    calls = [event for event in events if event["name"].startswith("call ")]
    for number, kind in enumerate(("compiled", "recompiled")):
        compile_ = next(event for event in events if event.get("cat") == kind)
        call = next(event for event in calls if event["name"] == f"call {number}")
        assert call["ts"] - 1000 <= compile_["ts"]
        assert compile_["ts"] + compile_["dur"] <= call["ts"] + call["dur"] + 1000
        assert compile_["dur"] >= call["dur"] / 2
    # The profiler draws torch's stages, too: the same ones, by another clock.
    theirs, ours = (
        [event["ts"] for event in events if event["name"] == "build_guards" and event["cat"] == cat]
        for cat in ("cpu_op", "stage")
    )
    assert ours == pytest.approx(theirs or ours, abs=1000)


def test_a_torch_that_tells_of_no_stages_still_gives_compiles(monkeypatch):
    lacking = names.TorchName("torch._dynamo.utils", ("_no_such_name",), "stages")
    monkeypatch.setitem(names.NAMES, "stages", lacking)
    recording, _ = recorded()
    assert [compile_.stages for compile_ in recording.compiles] == [()] * len(recording.compiles)
    assert [lost.lost for lost in recording.lost] == ["stages"]


def event(kind, name, seconds):
    return {"ph": kind, "name": name, "ts": (time.time() + seconds) * 1e6}


def test_a_stage_that_torch_never_ends_ends_with_the_one_around_it():
    clock = StageClock()
    outer = clock.begin()
    for kind, name, at in (
        ("B", "whole", 0),
        ("B", "lost", 1),
        ("E", "other", 2),
        ("E", "whole", 3),
    ):
        clock.told(event(kind, name, at))
    clock.told({"ph": "i", "name": "mark", "ts": 0.0})
    found = clock.end(outer)
    assert [(stage.name, round(stage.seconds)) for stage in found] == [("whole", 3), ("lost", 2)]


def test_stages_of_another_thread_are_not_a_compiles():
    clock = StageClock()
    outer = clock.begin()
    clock.told(event("B", "mine", 0))
    other = threading.Thread(target=lambda: clock.told(event("E", "mine", 1)))
    other.start()
    other.join()
    assert clock.end(outer) == ()
