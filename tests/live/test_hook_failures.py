"""What hooks can't read, and hooks that fail: nothing reaches the program, the rest is kept."""

from __future__ import annotations

import gc
import weakref

import pytest
import torch
from times import X, compiled_times, run
from torch import nn

from esper_audit import Recorder, record
from esper_audit._dynamo import compiles, frames, hooks, names, readings
from esper_audit.data.compiles import Outcome

pytestmark = pytest.mark.usefixtures("clean_dynamo")


READINGS = [
    *(
        (readings, name)
        for name in ("call_of", "entries_of", "compiles_left", "graph_breaks_since")
    ),
    *((readings, name) for name in ("end_of", "stages_of", "plain_code")),
    *((frames, name) for name in ("user_stack", "is_called_directly")),
    *((compiles, name) for name in ("failing_guards", "called")),
]


@pytest.mark.parametrize(
    ("module", "name"), READINGS, ids=lambda value: getattr(value, "__name__", value)
)
def test_a_reading_that_fails_costs_no_compile_and_reaches_nobody(module, name, monkeypatch):
    def out(*args):
        raise RuntimeError(f"{name} is out")

    monkeypatch.setattr(module, name, out)
    with record(provenance=True) as recording:
        run(compiled_times())
    found = recording.result
    assert found.hook_errors and name in found.hook_errors[0].traceback
    assert found.compiles[0].outcome is Outcome.COMPILED
    assert not any(attempt.limit_hit for attempt in found.compiles)
    assert len(found.compiles) == 2
    assert {compile_.frame.raw_name.split(".")[-1] for compile_ in found.compiles} == {"times"}


@pytest.mark.parametrize("raised", [RuntimeError, RecursionError, MemoryError, AssertionError])
def test_a_listener_that_fails_in_everything_reaches_nobody(raised, monkeypatch):
    failed = set()

    def out_at(name):
        def out(*args, **kwargs):
            failed.add(name)
            raise raised("the recorder is out")

        return out

    told = {"compile_began", "compile_ended", "stages_known", "frame_returned", "stance_set"}
    for name in (*told, "graph_made", "hook_failed"):
        monkeypatch.setattr(Recorder, name, out_at(name))
    times = compiled_times()
    with Recorder(watch=True):
        assert [times(X, value).tolist() for value in (1.0, 2.0)] == [[1.0] * 2, [2.0] * 2]
        assert torch.compile(lambda x: x, backend="eager")(X) is X
        with (
            torch.compiler.set_stance("fail_on_recompile"),
            pytest.raises(RuntimeError, match="fail_on_recompile"),
        ):
            times(X, 9.0)
    assert failed == told | {"hook_failed"}  # of a graph nobody is told whose compile never began


def test_a_graph_that_answers_no_question_is_still_counted():
    class Silent:
        def __init__(self, graph):
            object.__setattr__(self, "graph", graph)

        def __call__(self, *args):
            return object.__getattribute__(self, "graph")(*args)

    class Module(nn.Module):
        def forward(self, *args):
            return self.graph(*args)

        def __getattr__(self, name):
            if name in ("__name__", "__qualname__", "__doc__"):
                raise RuntimeError(f"{name} is nobody's business")
            return super().__getattr__(name)

    def as_module(graph, inputs):
        module = Module()
        module.graph = graph
        return module

    def as_object(graph, inputs):
        return Silent(graph)

    for backend in (as_module, as_object):
        torch._dynamo.reset()
        with record() as recording:
            run(torch.compile(lambda x, k: x * k, backend=backend), [1.0, 1.0, 1.0])  # type: ignore[misc]
        assert [compile_.graph_runs for compile_ in recording.result.compiles] == [3]
        assert recording.result.hook_errors == ()


def test_a_recording_keeps_no_compiled_graph_alive():
    graphs = []

    def backend(graph, inputs):
        graphs.append(weakref.ref(graph))
        return graph.forward

    with record() as recording:
        run(torch.compile(lambda x, k: x * k, backend=backend), [1.0, 1.0])  # type: ignore[misc]
        torch._dynamo.reset()
        gc.collect()
        assert [weak() for weak in graphs] == [None]
    assert recording.result.compiles[0].graph_runs == 2


def test_every_patch_has_a_name_and_what_is_lost_without_it():
    assert {key: names.NAMES[key].lost for key in hooks.PATCHES if not names.NAMES[key].lost} == {}
