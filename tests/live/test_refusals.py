"""Compiles that torch refuses: told apart from failed ones, with what told torch to raise."""

from __future__ import annotations

import pytest
import torch

from esper_audit import Recorder
from esper_audit.events import Outcome

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
    assert {(each.outcome, each.refused_by, each.raised, each.limit) for each in refused} == {
        (Outcome.REFUSED, "error_on_recompile", True, "")
    }
    found = [(each.guard_failures[0].expected, each.guard_failures[0].actual) for each in refused]
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
