"""Threads that compile one variant at once: nothing failed, and nothing is made up."""

from __future__ import annotations

import threading

import pytest
import torch

from esper_audit import record

pytestmark = pytest.mark.usefixtures("clean_dynamo")


def at_once(*works):
    """Run each of these in a thread of its own, all from the same moment on."""
    barrier = threading.Barrier(len(works))

    def begin(work):
        barrier.wait()
        work()

    threads = [threading.Thread(target=begin, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def compiled(function):
    return torch.compile(function, backend="eager", dynamic=False)


def found(live):
    return {(finding.id.value, finding.source, finding.compiles) for finding in live.findings}


def test_threads_that_need_one_variant_each_compile_it():
    double = compiled(lambda x: torch.sin(x) * 2)
    with record() as live:
        at_once(*[lambda: double(torch.ones(4))] * 3)
        double(torch.ones(4))
    assert found(live) == {("concurrent-compile", "<another thread>", 2)}
    assert live.result.unrecognized == ()


def test_a_variant_of_its_own_is_told_from_one_that_was_made_twice():
    double = compiled(lambda x: torch.sin(x) * 2)
    with record() as live:
        at_once(*[lambda: double(torch.ones(4))] * 2, *[lambda: double(torch.ones(5))] * 2)
    kinds = sorted(kind for kind, _, _ in found(live))
    assert kinds == ["concurrent-compile", "size-changed"]
    assert live.result.unrecognized == ()


def test_a_method_of_one_object_called_by_several_threads():
    class Model(torch.nn.Module):
        def forward(self, x):
            return torch.cos(x) * 3

    model = compiled(Model())
    with record() as live:
        at_once(*[lambda: model(torch.ones(4))] * 2)
    assert found(live) == {("concurrent-compile", "<another thread>", 1)}


def test_threads_that_share_a_value_which_changes_are_no_concurrent_compile():
    scale = compiled(lambda x, by: x * by)
    with record() as live:
        for by in ("a", "b"):
            at_once(lambda by=by: scale(torch.ones(4), len(by) + ord(by)))
    assert {kind for kind, _, _ in found(live)} == {"int-counter"}


def test_an_entry_that_was_there_before_is_not_said_to_be_concurrent():
    """Nothing fails, and nobody saw the thread wait: the cause is not known."""
    from esper_audit._dynamo.guards import Lookup, failing_guards
    from esper_audit._dynamo.made_guards import MadeGuards
    from esper_audit._dynamo.names import find

    def double(x):
        return x * 2

    compiled(double)(torch.ones(4))
    entries = find("cache_entries")(double.__code__)
    lookup = Lookup(backend=entries[0].backend)
    [failure] = failing_guards(entries, {"x": torch.ones(4)}, lookup, MadeGuards())
    assert (failure.kind, failure.recognized) == ("NOTHING_FAILED", False)
    seen = Lookup(backend=entries[0].backend, missed=(entries[0].guard_manager,))
    [failure] = failing_guards(entries, {"x": torch.ones(4)}, seen, MadeGuards())
    assert failure.kind == "CONCURRENT"
