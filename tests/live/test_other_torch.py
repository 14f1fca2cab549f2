"""A torch that lacks a name, or that tells less than 2.13: what is lost is said, the rest works."""

from __future__ import annotations

import pytest
import torch
from blend import Blend, drive

from esper_audit import Recorder
from esper_audit._dynamo import names
from esper_audit.data.compiles import Outcome, RunsAfter

pytestmark = pytest.mark.usefixtures("clean_dynamo")


def test_a_torch_without_compile_falls_back_to_the_trace_log(monkeypatch):
    lacking = names.TorchName("torch._dynamo.convert_frame", ("_no_such_name",), "guards")
    monkeypatch.setitem(names.NAMES, "compile", lacking)
    with Recorder() as recorder:
        drive(Blend(), [0.1, 0.2])
    recording = recorder.recording()
    outcomes = [compile_.outcome for compile_ in recording.compiles]
    assert outcomes == [Outcome.COMPILED, *[Outcome.RECOMPILED] * 3]
    assert recording.lookups.hits == 2
    assert "self.cached" in recording.compiles[2].guard_failures[0].text
    assert [lost.name for lost in recording.lost] == ["torch._dynamo.convert_frame._no_such_name"]
    assert recording.hook_errors == ()


@pytest.mark.parametrize("result_is_in_a_variable", [False, True])
def test_where_torch_says_less_of_a_compile_its_caller_is_listened_to(
    monkeypatch, result_is_in_a_variable
):
    from esper_audit._dynamo import stand_ins
    from esper_audit._dynamo.compiles import NOT_READ

    older = names.TorchName("torch._dynamo.convert_frame", ("CatchErrorsWrapper.__call__",), "")
    monkeypatch.setitem(names.NAMES, "convert_frame", older)
    if not result_is_in_a_variable:
        monkeypatch.setattr(stand_ins, "_result_in", lambda _: NOT_READ)
    with Recorder(watch=True) as recorder:
        drive(Blend(), [index / 20 for index in range(10)])
        compiled = torch.compile(lambda x: x, backend="eager")
        compiled(torch.ones(2))
        with pytest.raises(torch._dynamo.exc.Unsupported):
            broken = torch.compile(lambda x: print(x), backend="eager", fullgraph=True)
            broken(torch.ones(2))
    found = recorder.recording()
    outcomes = [compile_.outcome for compile_ in found.compiles]
    limit, skipped, failed = found.compiles[-3:]
    assert outcomes[:8] == [Outcome.COMPILED, *[Outcome.RECOMPILED] * 7]
    assert (limit.outcome, limit.runs_after) == (Outcome.LIMIT, RunsAfter.CACHED_ONLY)
    assert (skipped.outcome, skipped.runs_after) == (Outcome.SKIPPED, RunsAfter.EAGER)
    assert (failed.outcome, failed.raised, limit.raised) == (Outcome.FAILED, True, False)
    assert (found.hook_errors, found.skips) == ((), ())


def test_without_the_lookup_hook_the_rest_still_works(monkeypatch):
    lacking = names.TorchName("torch._C._dynamo.eval_frame", ("_no_such_name",), "lookups")
    monkeypatch.setitem(names.NAMES, "lookup", lacking)
    with Recorder() as recorder:
        drive(Blend(), [0.1])
    recording = recorder.recording()
    assert (recording.lookups.hits, recording.lookups.misses) == (0, 0)
    assert len(recording.compiles) == 3
    assert recording.lost[0].lost == "lookups"
