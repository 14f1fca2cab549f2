"""Compiles that torch refuses: told apart from failed ones, with what told torch to raise."""

from __future__ import annotations

import threading

import pytest
import torch
from torch import nn

from esper_audit import Recorder
from esper_audit.data.compiles import Outcome

pytestmark = pytest.mark.usefixtures("clean_dynamo")


def times(x, k):
    return x * k


def call_with(function, values):
    """Call it with each value; how many calls raised."""
    raised = 0
    for value in values:
        try:
            function(torch.ones(2), value)
        except Exception:
            raised += 1
    return raised


def test_error_on_recompile_refuses_and_says_so():
    compiled = torch.compile(times, backend="eager", dynamic=False)
    with Recorder() as recorder:
        compiled(torch.ones(2), 2)
        with torch._dynamo.config.patch(error_on_recompile=True):
            raised = call_with(compiled, (2, 3, 4))
    first, *refused = recorder.recording().compiles
    assert (first.outcome, raised, len(refused)) == (Outcome.COMPILED, 2, 2)
    assert {
        (attempt.outcome, attempt.refused_by, attempt.raised, attempt.limit) for attempt in refused
    } == {(Outcome.REFUSED, "error_on_recompile", True, "")}
    found = [
        (attempt.guard_failures[0].expected, attempt.guard_failures[0].actual)
        for attempt in refused
    ]
    assert found == [("2", "3"), ("2", "4")]


def test_fullgraph_at_the_limit_refuses_and_names_the_limit():
    compiled = torch.compile(times, backend="eager", dynamic=False, fullgraph=True)
    with Recorder() as recorder, torch._dynamo.config.patch(recompile_limit=2):
        raised = call_with(compiled, range(2, 5))
    last = recorder.recording().compiles[-1]
    assert (raised, last.outcome, last.refused_by) == (1, Outcome.REFUSED, "fullgraph")
    assert (last.limit, last.raised, last.limit_hit) == ("recompile_limit", True, True)


@pytest.mark.parametrize("limit", ["recompile_limit", "accumulated_recompile_limit"])
def test_the_limit_that_was_hit_is_named(limit):
    compiled = torch.compile(times, backend="eager", dynamic=False)
    with Recorder() as recorder, torch._dynamo.config.patch({limit: 2}):
        raised = call_with(compiled, range(2, 5))
    last = recorder.recording().compiles[-1]
    assert (raised, last.outcome, last.limit) == (0, Outcome.LIMIT, limit)
    assert (last.raised, last.refused_by) == (False, "")


def test_an_error_that_torch_catches_did_not_reach_the_caller():
    def broken(graph, inputs):
        raise ZeroDivisionError("backend is out")

    with Recorder() as recorder, torch._dynamo.config.patch(suppress_errors=True):
        torch.compile(times, backend=broken)(torch.ones(2), 2)
    torch._dynamo.reset()
    with Recorder() as other:
        call_with(torch.compile(times, backend=broken), (3,))
    caught, reached = recorder.recording().compiles[0], other.recording().compiles[0]
    assert (caught.outcome, reached.outcome) == (Outcome.FAILED, Outcome.FAILED)
    assert (caught.raised, reached.raised) == (False, True)


# --- the stance fail_on_recompile ---


def refused_by_stance(recording):
    return [attempt for attempt in recording.compiles if attempt.refused_by == "fail_on_recompile"]


def test_each_call_that_the_stance_refuses_is_an_event_with_its_failing_guards():
    compiled = torch.compile(lambda x: x * 2, backend="aot_eager", dynamic=False)
    compiled(torch.ones(3))
    raised = 0
    with Recorder() as recorder, torch.compiler.set_stance("fail_on_recompile"):
        for size in (3, 4, 5, 3):
            try:
                compiled(torch.ones(size))
            except RuntimeError:
                raised += 1
    refused = recorder.recording().compiles
    assert raised == len(refused) == 2
    for attempt, actual in zip(refused, ("size=[4]", "size=[5]"), strict=True):
        failure = attempt.guard_failures[0]
        assert (failure.source, failure.expected, failure.actual) == ("x", "size=[3]", actual)
        assert (attempt.outcome, attempt.raised, attempt.direct) == (Outcome.REFUSED, True, True)
        assert "fail_on_recompile" in attempt.reason and attempt.stack[-1].file == __file__
        assert attempt.cache_entries_before == attempt.cache_entries_after == 1
    assert recorder.lookups.hits == 2


def test_a_first_call_refused_by_the_stance_has_no_failing_guards():
    module = torch.compile(nn.Linear(2, 2), backend="eager")
    with (
        Recorder() as recorder,
        torch.compiler.set_stance("fail_on_recompile"),
        pytest.raises(RuntimeError, match="fail_on_recompile"),
    ):
        module(torch.ones(1, 2))
    (only,) = refused_by_stance(recorder.recording())
    assert (only.frame.name, only.guard_failures) == ("Linear", ())


def test_a_stance_that_refuses_nothing_leaves_no_event():
    compiled = torch.compile(times, backend="eager", dynamic=False)
    compiled(torch.ones(2), 2)
    with Recorder() as recorder, torch.compiler.set_stance("fail_on_recompile"):
        assert call_with(compiled, (2, 2)) == 0
        torch._dynamo.eval_frame._debug_get_cache_entry_list(times)
    assert recorder.recording().compiles == ()


class Scale(nn.Module):
    def __init__(self):
        super().__init__()
        self.k = 2

    def forward(self, x):
        return x * self.k


def test_a_refused_call_names_its_instance_and_the_line_that_wrote():
    module = Scale()
    compiled = torch.compile(module, backend="eager", dynamic=False)
    with Recorder(watch=True) as recorder:
        compiled(torch.ones(2))
        with torch.compiler.set_stance("fail_on_recompile"):
            module.k = 3
            assert call_with(lambda x, _: compiled(x), (0,)) == 1
    first, refused = recorder.recording().compiles
    assert refused.instance == first.instance != ""
    (write,) = (write for write in refused.writes if write.source == "L['self'].k")
    assert write.location is not None and write.location.file == __file__


def test_in_threads_each_refused_call_is_one_event():
    compiled = torch.compile(times, backend="eager", dynamic=False)
    compiled(torch.ones(2), 0)
    with Recorder() as recorder, torch.compiler.set_stance("fail_on_recompile"):
        threads = [
            threading.Thread(target=call_with, args=(compiled, (0, n, 0))) for n in range(1, 5)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    refused = refused_by_stance(recorder.recording())
    assert sorted(attempt.guard_failures[0].actual for attempt in refused) == ["1", "2", "3", "4"]
    assert len({attempt.thread for attempt in refused}) == 4


def test_error_on_recompile_under_the_stance_is_one_event():
    compiled = torch.compile(times, backend="eager", dynamic=False)
    compiled(torch.ones(2), 2)
    with (
        Recorder() as recorder,
        torch.compiler.set_stance("fail_on_recompile"),
        torch._dynamo.config.patch(error_on_recompile=True),
    ):
        assert call_with(compiled, (3,)) == 1
    assert len(recorder.recording().compiles) == 1


def test_a_skip_after_an_error_is_not_how_that_compile_ended():
    def broken(graph, inputs):
        raise ZeroDivisionError("backend is out")

    compiled = torch.compile(times, backend=broken)
    with Recorder() as recorder:
        assert call_with(compiled, (2,)) == 1
        with torch._dynamo.config.patch(disable=True):
            assert call_with(compiled, (2,)) == 0
    found = recorder.recording()
    (failed,) = found.compiles
    assert (failed.outcome, failed.raised) == (Outcome.FAILED, True)
    assert [skip.reason for skip in found.skips] == ["Dynamo tracing is disabled"]
