"""A number of a module that something else than one compiled forward reads or writes."""

from __future__ import annotations

import pytest
from patching import made, refusal

from esper_audit.remedies.patches.numbers import make

SCALE = """
import torch
from torch import nn


class Scale(nn.Module):
    def __init__(self, gain=None, on=True):
        super().__init__()
        self.gain = 0.5

    def forward(self, x):
        return torch.lerp(x, -x, self.gain)  # <-


m = Scale()
m.gain = 0.2
"""

BESIDE = "self._gain_tensor.fill_(value)"
READ = "return torch.lerp(x, -x, self._gain_tensor)  # <-"


@pytest.mark.parametrize(
    "value", ["None", "'half'", "1,", "0.5 if m.training else None", "nn.Parameter(torch.ones(1))"]
)
def test_an_attribute_that_is_no_number_at_times_stays(value: str) -> None:
    because = refusal(make, SCALE + f"m.gain = {value}\n", "self.gain")
    assert because.text.endswith(", not a number")


def test_an_argument_whose_default_is_none_stays() -> None:
    because = refusal(make, SCALE.replace("self.gain = 0.5", "self.gain = gain"), "self.gain")
    assert because.text == "a line writes gain, which may be None"


@pytest.mark.parametrize("more", ["print(Scale.gain)", "Scale.gain = 0.3", "type(m).gain = 0.3"])
def test_an_attribute_that_is_used_of_the_class_is_no_property(more: str) -> None:
    text = SCALE.replace("    def __init__", "    gain = 0.5\n\n    def __init__", 1)
    because = refusal(make, text.replace("self.gain = 0.5", "self.on = on") + more, "self.gain")
    assert because.text == "a line uses it of the class itself"


def test_a_number_that_a_branch_of_init_sets_keeps_its_lines() -> None:
    block = "if on:\n            self.gain = 0.5\n        else:\n            self.gain = 0.1"
    after = made(make, SCALE.replace("self.gain = 0.5", block), "self.gain")[0]["a.py"]
    assert block in after
    assert BESIDE in after


@pytest.mark.parametrize(
    "line",
    [
        "self.last = self.gain",
        "self.seen['gain'] = self.gain",
        "self.last = (x, self.gain)",
        "if self.training: return x, self.gain",
        "if self.training: return {'x': x, 'gain': self.gain}",
    ],
)
def test_a_number_that_goes_out_stays_a_number_there(line: str) -> None:
    text = SCALE.replace("        return torch", f"        {line}\n        return torch")
    after = made(make, text, "self.gain")[0]["a.py"]
    assert line in after
    assert READ in after


def test_a_property_that_code_elsewhere_reads_gives_the_number() -> None:
    getter = "    @property\n    def beta(self):\n        return self.gain  # <-\n\n"
    text = SCALE.replace("    def forward", f"{getter}    def forward")
    text = text.replace("self.gain)  # <-", "self.beta)")
    inside, outside = (
        made(make, text + more, "self.gain")[0]["a.py"] for more in ("", "print(m.beta)\n")
    )
    assert BESIDE not in inside
    assert getter in outside
    assert READ.replace("  # <-", "") in outside


def test_a_method_that_code_elsewhere_compiles_may_return_a_tensor_of_it() -> None:
    method = "    def loss(self, x):\n        return x.sum() + self.gain * x.mean()  # <-\n\n"
    text = SCALE[: SCALE.index("    def forward")] + method + "\nm = Scale()\nm.gain = 0.2\n"
    after = made(make, text + "torch.compile(m.loss)\n", "self.gain")[0]["a.py"]
    assert "m.gain.fill_(0.2)" in after


def test_a_method_that_code_elsewhere_calls_gives_the_number() -> None:
    getter = "    def beta(self):\n        return self.gain  # <-\n\n"
    text = SCALE.replace("    def forward", f"{getter}    def forward")
    text = text.replace("self.gain)  # <-", "self.beta())")
    assert made(make, text, "self.gain")
    because = refusal(make, text + "print(m.beta())\n", "self.gain")
    assert because.text == "it is read outside of compiled code, too"


FORWARD = "class Other(nn.Module):\n    def forward(self, x):\n        return"


@pytest.mark.parametrize(
    "reader",
    [
        f"{FORWARD} x * m.beta()\n",
        f"def blend(x):\n    return x * m.beta()\n\n{FORWARD} blend(x)\n",
        f"{FORWARD} self.mix(x)\n\n    def mix(self, x):\n        return x * m.beta()\n",
        "@torch.compile\ndef run(x):\n    return x * m.beta()\n",
        "@torch.compile(dynamic=True)\ndef run(x):\n    return x * m.beta()\n",
    ],
)
def test_a_method_that_other_compiled_code_calls_may_return_a_tensor(reader: str) -> None:
    getter = "    def beta(self):\n        return self.gain  # <-\n\n"
    text = SCALE.replace("    def forward", f"{getter}    def forward")
    text = text.replace("self.gain)  # <-", "self.beta())")
    assert made(make, f"{text}{reader}", "self.gain")


def test_a_value_in_brackets_keeps_its_lines_and_comments() -> None:
    text = SCALE.replace("m.gain = 0.2", "m.gain = (\n    # it (grows\n    0.1\n    + 0.1\n)  # on")
    after = made(make, text, "self.gain")[0]["a.py"]
    assert "m.gain.fill_(\n    # it (grows\n    0.1\n    + 0.1\n)  # on\n" in after
