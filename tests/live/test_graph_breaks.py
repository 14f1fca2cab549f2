"""Where graphs break in real code, and what reports say of it. Truth: TORCH_LOGS=graph_breaks."""

from __future__ import annotations

import time
from contextlib import suppress

import pytest
import torch
from torch import nn

from esper_audit import Recorder
from esper_audit.diagnosis import judge_program
from esper_audit.report.blocks import block


@torch.compiler.disable
def helper(x):
    return x + 1


class Own(nn.Module):
    def forward(self, x):
        print("", end="")
        return torch.relu(x)


def disabled(x):
    return helper(x) * 2


def read(x):
    return x * x.sum().item()


def clock(x):
    time.perf_counter()
    return x * 2


def branch(x):
    return x + 1 if x.sum() > 0 else x - 1


def masked(x):
    return x[x > 0] * 2


def copied(x):
    import copy

    return copy.deepcopy(x) * 2


NET = nn.Sequential(nn.Linear(2, 2), Own())
OPT = torch.optim.SGD(NET.parameters(), 0.1)


def update(x):
    loss = NET(x).sum()
    loss.backward()
    OPT.step()
    return loss * 2


@pytest.fixture(scope="module")
def told():
    torch.compiler.reset()
    with Recorder() as recorder:
        for function in (disabled, read, clock, branch, masked, copied, update):
            torch.compile(function, backend="eager")(torch.ones(2, 2))
    found = judge_program(recorder.recording()).findings
    torch.compiler.reset()
    return [block(finding) for finding in found if finding.id == "graph-break"]


def only(told, words):
    found = [text for text in told if words in text]
    assert len(found) == 1, found
    return found[0]


@pytest.mark.parametrize(
    ("function", "remedy"),
    [
        ("disabled", "move the call of helper out of"),
        ("read", "keep the value in a tensor"),
        ("clock", "move the call of time.perf_counter out of"),
        ("branch", "branch with torch.where or torch.cond"),
        ("masked", "move the operation (aten.nonzero.default) out of"),
        ("copied", "move this call out of"),
    ],
)
def test_the_remedy_names_what_to_move(told, function, remedy):
    assert f"try: {remedy}" in only(told, f"graph-break: {function} at {__file__}")


def test_a_line_that_breaks_several_frames_is_told_once(told):
    assert "breaks 2 frames (update, Own.forward), in 2 compiles" in only(told, "(print)")


def test_an_optimizers_own_breaks_are_one_line(told):
    own = only(told, "torch's own code")
    assert "torch/optim/optimizer.py" in own
    assert own.endswith("nothing to try in your code")


def inner(a, b):
    return a @ b


def shapes(x):
    return inner(x * 2, torch.ones(4, 5))


def in_a_loop(x):
    for number in range(2):
        print(number, end="")
        x = x * 2
    return x


KEPT: dict[str, int] = {}


def missing(x):
    return x * KEPT["key"]


@pytest.fixture(scope="module")
def failed():
    torch.compiler.reset()
    with Recorder() as recorder:
        for function in (shapes, in_a_loop, missing):
            with suppress(Exception):
                torch.compile(function, backend="eager")(torch.ones(2, 3))
    found = judge_program(recorder.recording()).findings
    torch.compiler.reset()
    return {finding.frame.name: block(finding) for finding in found}


@pytest.mark.parametrize(
    ("function", "words"),
    [
        ("shapes", ("a and b must have same reduction dim, but got [2, 3] X [4, 5]", "in inner")),
        ("in_a_loop", ("builtin operator `print`", "graph break in loop", "in in_a_loop")),
        ("missing", ("raised exception KeyError('key')", "in missing")),
    ],
)
def test_what_torch_says_of_code_that_does_not_compile_is_kept(failed, function, words):
    assert f"stopped at {__file__}" in failed[function]
    assert all(word in failed[function] for word in words), failed[function]
