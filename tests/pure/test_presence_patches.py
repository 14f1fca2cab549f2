"""An attribute that is set late is set in __init__, with a value that has no effect."""

from __future__ import annotations

import pytest
from patching import clean, made, refusal

from esper_audit.data.diagnoses import Diagnosis
from esper_audit.remedies.patches import numbers
from esper_audit.remedies.patches.presence import make

PRESENCE = Diagnosis.ATTRIBUTE_PRESENCE


def layer(body: str, more: str = "model.scale = 2.0") -> str:
    lines = body.strip().split("\n")
    return clean("""
        import torch


        class Layer(torch.nn.Module):
            def forward(self, x):
                {body}


        model = Layer()
        {more}
    """).format(body="\n        ".join(lines), more=more)


INIT = """
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.register_buffer("scale", torch.tensor({value}), persistent=False)
"""


@pytest.mark.parametrize(
    ("body", "after", "value"),
    [
        (
            'y = x.relu()\nreturn y * self.scale if hasattr(self, "scale") else y  # <-',
            "y = x.relu()\n        return y * self.scale  # <-",
            "1.0",
        ),
        (
            'if hasattr(self, "scale"):  # <-\n    x = x + self.scale\nreturn x',
            "x = x + self.scale\n        return x",
            "0.0",
        ),
        (
            'if hasattr(self, "scale"):  # <-\n    x /= self.scale\nreturn x',
            "x /= self.scale\n        return x",
            "1.0",
        ),
        (
            'if hasattr(self, "scale"):  # <-\n    return x - self.scale\nreturn x',
            "return x - self.scale\n",
            "0.0",
        ),
        (
            'if hasattr(self, "scale"):  # <-\n    return self.scale * x\nelse:\n    return x',
            "return self.scale * x\n",
            "1.0",
        ),
        ('return x * getattr(self, "scale", 0.5)  # <-', "return x * self.scale  # <-", "0.5"),
        ('return x + getattr(self, "scale", 2)  # <-', "return x + self.scale  # <-", "2.0"),
    ],
)
def test_the_value_without_effect_is_set_in_init(body: str, after: str, value: str) -> None:
    text = made(make, layer(body), "self.scale", PRESENCE)[0]["a.py"]
    assert f"def forward(self, x):\n        {after}" in text
    assert INIT.format(value=value) in text
    assert text.endswith("model = Layer()\nmodel.scale.fill_(2.0)\n")


@pytest.mark.parametrize(
    ("body", "more", "why"),
    [
        ('return x.tanh() * self.scale if hasattr(self, "scale") else x  # <-', "", "differ"),
        ('return x * getattr(self, "scale", None)  # <-', "", "its default is no number"),
        ('return x * 2 if not hasattr(self, "scale") else x  # <-', "", "another form"),
        ('return x * getattr(self, "scale", 1.0)  # <-', "del model.scale", "deletes it"),
        (
            'return x * getattr(self, "scale", 1.0)  # <-',
            "model.scale, y = 1.0, 2",
            "together with something else",
        ),
        ("return x * self.scale  # <-", "", "no one value"),
    ],
)
def test_a_presence_of_another_form_is_refused(body: str, more: str, why: str) -> None:
    assert why in refusal(make, layer(body, more), "self.scale", diagnosis=PRESENCE).text


def test_the_float_whose_presence_is_asked_for_has_the_same_patch() -> None:
    text = layer('return x * getattr(self, "scale", 0.5)  # <-')
    (by_float,) = made(make, text, "self.scale")
    assert [by_float] == made(make, text, "self.scale", PRESENCE)
    assert "whether there is one" in refusal(numbers.make, text, "self.scale").text
