"""Choices by a flag or a tensor as torch.where."""

from __future__ import annotations

import pytest
from edited import at, edit_of, edited, finding, lines, refusal

from esper_audit.data.diagnoses import Diagnosis
from esper_audit.remedies.patches.choice import make

SLOT = """import torch


class Slot(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.active = False  # dormant

    def forward(self, x):
        {}

    def wake(self):
        self.active = True
"""
BUFFERED = SLOT.replace(
    "self.active = False",
    'self.register_buffer("active", torch.tensor(False), persistent=False)',
).replace("self.active = True", "self.active.fill_(True)")


def empty(text: str):
    return finding(Diagnosis.EAGER_EMPTY_GRAPH, frame_line=at(text, "def forward").line)


def flipped(text: str, expected: str = "False", actual: str = "True"):
    place = at(text, "def forward")
    return finding(
        Diagnosis.FLAG_CHANGED, "self.active", expected=expected, actual=actual, user_line=place
    )


FORMS = {
    "return x.relu() if self.active else x": "return torch.where(self.active, x.relu(), x)",
    "return x if not self.active else x + 1": "return torch.where(self.active, x + 1, x)",
    "if not self.active:\n            return x\n        y = x * 2  # twice\n        return y.relu()": (
        "y = x * 2  # twice\n        return torch.where(self.active, y.relu(), x)"
    ),
    "y = x * (2 if self.active else 1)\n        return y": (
        "y = x * torch.where(self.active, 2, 1)\n        return y"
    ),
}


@pytest.mark.parametrize("before", FORMS)
@pytest.mark.parametrize("found", [empty, flipped])
def test_a_flag_that_chooses_becomes_a_buffer(before, found):
    text = SLOT.format(before)
    assert edit_of(make, text, found(text)) == BUFFERED.format(FORMS[before])


def test_writers_in_other_files_fill_it():
    text = SLOT.format("return x.relu() if self.active else x")
    train = "from model import Slot\n\nslot = Slot()\nslot.active = epoch > 3\n"
    result = edited(make, text, flipped(text), **{"train.py": train})
    assert "slot.active.fill_(epoch > 3)" in result["train.py"]


@pytest.mark.parametrize(
    ("body", "missing"),
    [
        ("return x.relu() if self.active is True else x", "a choice between two values"),
        (
            "if self.active:\n            self.calls += 1\n        return x",
            "a choice between two values",
        ),
        ("return x.add_(1) if self.active else x", "a choice between two values"),
        (
            "if self.active:\n            return x\n        self.y = x\n        return x + 1",
            "a choice between two values",
        ),
    ],
)
def test_a_choice_with_other_effects_is_left_alone(body, missing):
    text = SLOT.format(body)
    assert refusal(make, text, flipped(text)).text.startswith(missing)


def test_a_flag_that_is_compared_stays_a_bool():
    text = SLOT.format("return x.relu() if self.active else x") + "\nassert Slot().active is True\n"
    assert refusal(make, text, flipped(text)).text == "lines that only ask whether active is true"


def test_a_string_is_no_flag():
    text = SLOT.format("return x.relu() if self.active else x")
    because = refusal(make, text, flipped(text, "'a'", "'b'"))
    assert because.text == "an attribute that is True or False"


def test_a_branch_on_a_tensor_chooses_without_a_break():
    text = lines(
        """
        import torch


        def positive(x):
            y = x * 2
            if y.sum() > 0:  # here
                return y
            return -y
        """
    )
    found = finding(Diagnosis.GRAPH_BREAK, user_line=at(text, "# here"))
    assert edit_of(make, text, found) == lines(
        """
        import torch


        def positive(x):
            y = x * 2
            return torch.where(y.sum() > 0, y, -y)
        """
    )
