"""Code after a graph break that torch skips for want of tensors: whether it computes with some.

Truth: the bodies below. Torch says "no tensor-related objects found in frame" of each (2.13).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
import torch
from torch import nn

import esper_audit
from esper_audit.report.blocks import block


@dataclass
class Batch:
    x: Any
    n: int = 0


@dataclass(slots=True)
class Slots:
    x: Any


class Trainer:
    def __init__(self):
        self.model, self.n = nn.Linear(2, 2), 0


TRAINER = Trainer()


def by_an_operator(b):
    b.x.add_(1)
    print("", end="")
    b.x = b.x * 2


def by_a_method_of_a_slot(b):
    b.x.add_(1)
    print("", end="")
    y = b.x.relu()
    b.x = y


def with_what_a_module_gives(b):
    b.x.add_(1)
    print("", end="")
    out = b.trainer.model(b.x)
    return out.pow(2)


def in_a_branch(b):
    b.x.add_(1)
    print("", end="")
    if b.n < 3:
        b.x = -b.x
    return b


def by_an_index(b):
    b.x.add_(1)
    print("", end="")
    return b.x[0]


def gives_back(b):
    b.x.add_(1)
    print("", end="")
    return b


def counts(b):
    b.x.add_(1)
    print("", end="")
    b.n += b.x.size(0)
    return b.n * 2


def branches_on_a_number(b):
    b.x.add_(1)
    print("", end="")
    return b.n if b.n > 3 else b


def batch() -> Batch:
    found = Batch(torch.ones(2, 2))
    found.trainer = TRAINER  # type: ignore[attr-defined]
    return found


def eager_blocks(function) -> list[str]:
    make = (lambda: Slots(torch.ones(2, 2))) if "slot" in function.__name__ else batch
    with esper_audit.record() as live:
        compiled = torch.compile(function, backend="eager")
        for _ in range(2):
            compiled(make())
    return [block(found) for found in live.findings if found.id.value.startswith("eager")]


@pytest.mark.parametrize(
    "function",
    [by_an_operator, by_a_method_of_a_slot, with_what_a_module_gives, in_a_branch, by_an_index],
)
def test_resumed_code_that_computes_is_eager_code(function, clean_dynamo):
    (told,) = eager_blocks(function)
    assert told.startswith(f"eager-unsupported: torch_dynamo_resume_in_{function.__name__}_at_")
    assert "it computes with tensors in line" in told
    assert "no tensor-related objects found in frame" in told


@pytest.mark.parametrize("function", [gives_back, counts, branches_on_a_number])
def test_resumed_code_that_computes_nothing_is_no_finding(function, clean_dynamo):
    assert eager_blocks(function) == []
