"""Torch's own code around the user's: what runs eagerly, and what only looks so.

Truth: TORCH_LOGS=graph_breaks, and which graphs ran.
"""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

import esper_audit
from esper_audit.report.blocks import block


class Own(nn.Module):
    def forward(self, x):
        print("", end="")
        return torch.relu(x)


class Whole(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(2, 2)

    def forward(self, x):
        return torch.relu(self.linear(x))


class Outer(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = nn.Sequential(nn.Linear(2, 2), Own())

    def forward(self, x):
        return self.inner(x * 2) + 1


class Checkpointed(nn.Module):
    def __init__(self):
        super().__init__()
        self.block = Own()

    def forward(self, x):
        return checkpoint(self.block, x, use_reentrant=True)


def in_place(module):
    module.compile(backend="eager")
    return module


def trained(module):
    optimizer = torch.optim.SGD(module.parameters(), 0.1)

    def step(x):
        loss = module(x).sum()
        loss.backward()
        optimizer.step()
        return loss

    return torch.compile(step, backend="eager")


@pytest.fixture(scope="module")
def process_group(tmp_path_factory):
    from torch import distributed

    file = tmp_path_factory.mktemp("group") / "store"
    distributed.init_process_group("gloo", init_method=f"file://{file}", rank=0, world_size=1)
    yield
    distributed.destroy_process_group()


def eager_blocks(compiled) -> list[str]:
    with esper_audit.record() as live:
        for _ in range(3):
            compiled(torch.ones(2, 2, requires_grad=True))
    return [block(found) for found in live.findings if found.id.value.startswith("eager")]


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (
            lambda: torch.compile(nn.Sequential(nn.Linear(2, 2), Own()), backend="eager"),
            (
                "Sequential.forward",
                "Linear.forward ran eagerly",
                "test_outside_graphs.py:19 (print)",
            ),
        ),
        (
            lambda: torch.compile(Outer(), backend="eager"),
            (
                "Sequential.forward",
                "Linear.forward ran eagerly",
                "test_outside_graphs.py:19 (print)",
            ),
        ),
        (
            lambda: in_place(nn.Sequential(nn.Linear(2, 2), nn.ReLU(), Whole())),
            (
                "Sequential.forward",
                "Linear.forward, ReLU.forward ran eagerly",
                "only with the code",
            ),
        ),
        (
            lambda: torch.compile(Checkpointed(), backend="eager"),
            ("Checkpointed.forward", "no graph was compiled in its calls", "(print)"),
        ),
    ],
    ids=["container", "container of a module", "compiled in place", "reentrant checkpoint"],
)
def test_what_runs_outside_of_graphs_is_named_with_its_cause(make, words, clean_dynamo):
    (told,) = eager_blocks(make())
    assert told.startswith("eager-outside-graph: ")
    assert all(word in told for word in words), told


@pytest.mark.parametrize(
    "make",
    [
        lambda: in_place(nn.Sequential(Whole(), nn.Identity(), nn.Dropout(0.1).eval())),
        lambda: torch.compile(nn.DataParallel(Whole()), backend="eager"),
        lambda: trained(Whole()),
    ],
    ids=["modules of the user's own", "a wrapper", "an optimizer"],
)
def test_torchs_code_around_compiled_code_is_no_eager_code(make, clean_dynamo):
    assert eager_blocks(make()) == []


def test_a_distributed_module_runs_compiled(process_group, clean_dynamo):
    from torch.nn.parallel import DistributedDataParallel

    assert eager_blocks(torch.compile(DistributedDataParallel(Whole()), backend="eager")) == []
    bare = DistributedDataParallel(nn.Sequential(nn.Linear(2, 2), nn.ReLU()))
    (told,) = eager_blocks(torch.compile(bare, backend="eager"))
    assert "eager-outside-graph: DistributedDataParallel.forward" in told


def test_each_stance_is_told_with_its_end_and_its_calls(clean_dynamo):
    double = torch.compile(lambda x: x * 2, backend="eager")
    helper = torch.compiler.disable(lambda x: x + 1)
    with esper_audit.record() as live:
        double(torch.ones(3))
        with torch.compiler.set_stance("force_eager"):
            for _ in range(12):
                helper(double(torch.ones(3)))
        with torch.compiler.set_stance("eager_on_recompile"):
            double(torch.ones(3))
            double(torch.ones(3, 3))
        torch.compiler.set_stance("force_eager")
        double(torch.ones(3))
    torch.compiler.set_stance("default")
    told = [(found.calls, found.unanswered, found.until is not None) for found in live.findings]
    assert told == [(12, 0, True), (2, 1, True), (1, 0, False)]


def test_eager_code_ends_with_a_reset(clean_dynamo):
    def idle(x, on):
        return x * 2 if on else x

    with esper_audit.record() as live:
        compiled = torch.compile(idle, backend="eager")
        compiled(torch.ones(2), False)
        torch.compiler.reset()
        compiled(torch.ones(2), True)
    assert [(found.id.value, found.until is not None) for found in live.findings] == [
        ("eager-empty-graph", True)
    ]
    assert [frame.state.value for frame in live.frames] == ["compiled"]


class Disabled(Whole):
    @torch.compiler.disable
    def forward(self, x):
        return torch.relu(self.linear(x))


def test_a_disabled_function_that_is_compiled_was_switched_off(clean_dynamo):
    (told,) = eager_blocks(torch.compile(Disabled(), backend="eager"))
    assert told.startswith("eager-disabled: Disabled")
    assert "torch.compiler.disable is on Disabled.forward" in told
