"""What a patch must leave alone: a second behaviour that the run it was proven in did not show."""

from __future__ import annotations

import pytest
from patching import made, refusal

from esper_audit.data.diagnoses import Diagnosis
from esper_audit.remedies.patches import captured, choice, lazy_cache, uncached

MODULE = """
from torch import nn
import torch


class Layer(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(4))
        self.lin = nn.Linear(4, 4)
        self.register_buffer("table", torch.ones(4))
        self.on = True
        self.c = None

    def forward(self, x):
        {body}


m = Layer()
m.on = False
"""
CACHE = "if self.c is None{more}:  # <-\n            self.c = {made}\n        return x + self.c"
SIZED = " or self.c.shape[0] != x.shape[0]"
FLAG = {"expected": "True", "actual": "False"}
ALPHA = """
import torch

ALPHA = 0.5


def forward(x):
    return torch.lerp(x, -x, ALPHA)  # <-


def anneal(v):
    global ALPHA
    ALPHA = v
"""
FLOAT = {"expected": "0.5", "actual": "0.6"}


@pytest.mark.parametrize("made_of", ["self.weight.exp()", "self.lin.weight * 2", "torch.rand(4)"])
@pytest.mark.parametrize(("patch", "more"), [(lazy_cache, ""), (uncached, SIZED)])
def test_a_cache_of_what_changes_stays_where_it_is(patch, more: str, made_of: str) -> None:
    body = CACHE.format(more=more, made=made_of)
    text = MODULE.format(body=body)
    because = refusal(patch.make, text, "self.c", diagnosis=Diagnosis.LAZY_CACHE)
    assert because.text.startswith("it is made of ")


def test_a_cache_of_a_buffer_moves() -> None:
    text = MODULE.format(body=CACHE.format(more="", made="self.table * 2"))
    assert made(lazy_cache.make, text, "self.c", Diagnosis.LAZY_CACHE)


def test_a_cache_of_what_the_first_tensor_held_stays() -> None:
    text = MODULE.format(body=CACHE.format(more="", made="x.mean(0)"))
    because = refusal(uncached.make, text, "self.c", diagnosis=Diagnosis.LAZY_CACHE)
    assert because.text == "it keeps x.mean of the call that filled it"


@pytest.mark.parametrize(
    "line", ["print(f'{m.on}')", "old = m.on", "{'on': m.on}", "y = m.on and 3", "m.on = None"]
)
def test_a_flag_whose_value_is_used_stays_a_bool(line: str) -> None:
    text = MODULE.format(body="return x * 2 if self.on else x  # <-") + line
    because = refusal(choice.make, text, "self.on", diagnosis=Diagnosis.FLAG_CHANGED, **FLAG)
    assert because.text.startswith("lines that ")


@pytest.mark.parametrize("line", ["if m.on: pass", "assert m.on", "y = not m.on"])
def test_a_flag_whose_truth_is_asked_becomes_a_buffer(line: str) -> None:
    text = MODULE.format(body="return x * 2 if self.on else x  # <-") + line
    assert made(choice.make, text, "self.on", Diagnosis.FLAG_CHANGED, **FLAG)


@pytest.mark.parametrize(
    "line",
    [
        "old = ALPHA",
        "def f(a=ALPHA): pass",
        "D = {'a': ALPHA}",
        "def get(): return ALPHA",
        "isinstance(ALPHA, float)",
        "torch.optim.SGD([], lr=ALPHA)",
        "def off():\n    global ALPHA\n    ALPHA = None",
        "def keep():\n    global ALPHA\n    old = ALPHA\n    ALPHA = 0.0\n    ALPHA = old",
    ],
)
def test_a_variable_that_is_kept_elsewhere_stays_a_number(line: str) -> None:
    assert made(captured.make, ALPHA, "ALPHA", Diagnosis.CAPTURED_VARIABLE, **FLOAT)
    text = f"{ALPHA}\n\n{line}\n"
    because = refusal(captured.make, text, "ALPHA", diagnosis=Diagnosis.CAPTURED_VARIABLE, **FLOAT)
    assert "ALPHA" in because.text
