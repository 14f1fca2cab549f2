"""A list of floats of a module as one buffer."""

from __future__ import annotations

from typing import Any

import pytest
from edited import at, edit_of, finding, refusal

from esper_audit.data.diagnoses import Diagnosis
from esper_audit.remedies.patches.number_list import make
from esper_audit.remedies.patches.refused import Unconcerned

LAYERS = """import torch


class Mix(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.weights = [0.5, 1]  # of each branch

    def forward(self, x):
        {}


mix = Mix()
{}
"""
BUFFER = (
    'self.register_buffer("weights", torch.tensor([0.5, 1]), persistent=False)  # of each branch'
)


def of(text: str, source: str = "self.weights[0]", expected: str = "0.5") -> Any:
    place = at(text, "def forward")
    return finding(
        Diagnosis.FLOAT_SPECIALIZED, source, expected=expected, actual="0.2", user_line=place
    )


@pytest.mark.parametrize(
    ("reads", "writes", "after"),
    [
        ("return x * self.weights[0]", "mix.weights[0] = 0.2", "mix.weights[0] = 0.2"),
        (
            "for weight in self.weights: x = x * weight\n        return x",
            "mix.weights = [0.2, 0.3]  # less",
            "mix.weights.copy_(torch.tensor([0.2, 0.3]))  # less",
        ),
        ("return sum(self.weights) * x / len(self.weights)", "pass", "pass"),
    ],
)
def test_a_list_of_floats_becomes_a_buffer(reads, writes, after):
    text = LAYERS.format(reads, writes)
    expected = LAYERS.format(reads, after).replace(
        "self.weights = [0.5, 1]  # of each branch", BUFFER
    )
    assert edit_of(make, text, of(text)) == expected


@pytest.mark.parametrize(
    ("reads", "writes", "missing"),
    [
        ("return x * self.weights[0]", "mix.weights.append(2.0)", "lines that only read items"),
        ("return torch.cat(self.weights)", "pass", "lines that only read items"),
        (
            "return x * self.weights[0]",
            "old = mix.weights[0]",
            "lines that read items of weights in",
        ),
        ("return x * self.weights[0]", "mix.weights = load()", "lines that only set weights"),
    ],
)
def test_a_list_that_is_used_as_a_list_stays(reads, writes, missing):
    text = LAYERS.format(reads, writes)
    assert refusal(make, text, of(text)).text.startswith(missing)


def test_a_list_that_init_does_not_make_stays():
    text = LAYERS.format("return x * self.other[0]", "pass")
    because = refusal(make, text, of(text, "self.other[0]"))
    assert because.text == "one __init__ that sets other to a list of floats"


@pytest.mark.parametrize(("source", "expected"), [("self.weight", "0.5"), ("self.weights[0]", "1")])
def test_another_value_is_none_of_this_patch(source, expected):
    text = LAYERS.format("return x", "pass")
    found = finding(Diagnosis.FLOAT_SPECIALIZED, source, expected=expected, actual="2")
    with pytest.raises(Unconcerned):
        edit_of(make, text, found)
