"""What a step writes is compared wherever it lies, also what compiled code alone writes."""

from __future__ import annotations

import pytest
import torch
from support import replay_here
from torch import nn

from esper_audit.replay.state import state_of
from esper_audit.report.words.reasons import all_in_words


def loses_writes(graph, _inputs):
    """A backend that works on copies."""

    def run(*args):
        return graph(*(a.clone() if isinstance(a, torch.Tensor) else a for a in args))

    return run


class Cache:
    def __init__(self):
        self.keys = torch.zeros(2, 3)


class Holder(nn.Module):
    def __init__(self):
        super().__init__()
        self.kept = torch.zeros(2, 3)

    def forward(self, x):
        self.kept.add_(x)
        return x * 2


def into_a_list(x, cache):
    cache[0].add_(x)
    return x * 2


def into_an_object(x, cache):
    cache.keys.add_(x)
    return x * 2


def into_a_dict(x, cache):
    cache["k"]["v"].add_(x)
    return x * 2


WRITES = {
    "list": (into_a_list, lambda: [torch.zeros(2, 3)]),
    "object": (into_an_object, Cache),
    "dict": (into_a_dict, lambda: {"k": {"v": torch.zeros(2, 3)}}),
    "attribute": (Holder(), None),
}


def verdicts_of(target, make, **options):
    def scenario(replay):
        held = [make()] if make is not None else []
        step = replay.compile(target, **options)
        with replay.warm_up():
            step(torch.ones(2, 3), *held)
        for _ in range(2):
            step(torch.ones(2, 3), *held)

    return replay_here(scenario)


@pytest.mark.parametrize("place", WRITES)
def test_a_write_that_compiled_code_loses_is_stale_wherever_it_goes(place):
    target, make = WRITES[place]
    audit = verdicts_of(target, make, backend=loses_writes)
    assert {step.verdict.value for step in audit.steps} == {"stale"}
    assert "state[" in all_in_words(audit.reasons)


@pytest.mark.parametrize("place", WRITES)
def test_a_write_that_compiled_code_makes_is_right(place):
    target, make = WRITES[place]
    audit = verdicts_of(target, make)
    assert audit.verdict.value == "passed", all_in_words(audit.reasons)


def test_a_write_that_compiled_code_alone_makes_is_stale():
    def zeroes(x):
        if torch.compiler.is_compiling():
            x.zero_()
        return x.sum() * 0

    audit = verdicts_of(zeroes, None)
    assert {step.verdict.value for step in audit.steps} == {"stale"}
    assert "state['argument 0'] differs from eager" in all_in_words(audit.reasons)


def test_an_attribute_that_is_set_anew_is_compared():
    class Sets(nn.Module):
        def __init__(self):
            super().__init__()
            self.last = torch.zeros(2, 3)

        def forward(self, x):
            self.last = x * (3 if torch.compiler.is_compiling() else 2)
            return x * 2

    audit = verdicts_of(Sets(), None)
    assert {step.verdict.value for step in audit.steps} == {"stale"}
    assert "state['.last']" in all_in_words(audit.reasons)


GLOBAL = nn.Linear(3, 1)


def uses_a_global(x):
    y = GLOBAL(x)
    return y.detach() + 0 * y if torch.compiler.is_compiling() else y


def test_gradients_of_a_module_in_a_global_and_of_nested_inputs_are_compared():
    def scenario(replay):
        step = replay.compile(uses_a_global)
        GLOBAL.zero_grad()
        step.train(torch.sum, torch.ones(2, 3))

    assert "gradients[" in all_in_words(replay_here(scenario).reasons)

    def nested(batch):
        x = batch["x"]
        return x.detach() + 0 * x if torch.compiler.is_compiling() else x * 1

    def other(replay):
        replay.compile(nested).train(torch.sum, {"x": torch.ones(2, requires_grad=True)})

    assert "argument 0['x']" in all_in_words(replay_here(other).reasons)


def test_state_is_named_by_where_it_lies():
    module = Holder()
    found = state_of((module,), ({"k": [torch.ones(1)]}, Cache()), {"mask": torch.ones(2)})
    assert list(found) == [
        *(".kept", "argument 0['k'][0]", "argument 1.keys", "argument mask"),
    ]


def test_what_holds_itself_ends():
    held: dict[str, object] = {}
    held["self"] = held
    held["x"] = torch.ones(1)
    assert list(state_of((), (held,), {})) == ["argument 0['x']"]
