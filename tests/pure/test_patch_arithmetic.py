"""Operations that bake a float in, in their symbolic forms."""

from __future__ import annotations

import pytest
from edited import FILE, at, edit_of, edited, finding, lines, refusal

from esper_audit.data.diagnoses import Diagnosis
from esper_audit.data.places import Location
from esper_audit.data.remedies import Ground
from esper_audit.remedies.patches.arithmetic import make
from esper_audit.remedies.patches.refused import Unconcerned

FORWARD = """import torch
import torch.nn.functional as F


class Blend(torch.nn.Module):
    def forward(self, x, y):
        a = self.alpha
        return {}
"""

FORMS = {
    # a weight, a factor of the second operand
    "torch.lerp(x, y, a)": "x + a * (y - x)",
    "x.lerp(y + 1, weight=self.alpha)": "x + self.alpha * (y + 1 - x)",
    "torch.lerp(f(x), y, 1 - a)": "f(x) * (1 - (1 - a)) + (1 - a) * y",
    "2 * torch.lerp(x, y, a)": "2 * (x + a * (y - x))",
    "x.lerp_(y, a)": "x.add_(a * (y - x))",
    "torch.add(x, y, alpha=a)": "torch.add(x, a * y)",
    "x.mul_(a).add_(y, alpha=1 - a)": "x.mul_(a).add_((1 - a) * y)",
    "x.sub(y - 1, alpha=a)": "x.sub(a * (y - 1))",
    "torch.addcmul(x, x, y, value=a)": "torch.add(x, a * x * y)",
    "x.addcdiv_(x, y, value=-a)": "x.add_((-a) * x / y)",
    # a tensor filled with it
    "torch.full_like(x, a).exp()": "(torch.zeros_like(x) + a).exp()",
    "torch.full((3, 4), a, device=x.device)": "torch.zeros((3, 4), device=x.device) + a",
    "x.new_full((), a)": "x.new_zeros(()) + a",
    "torch.tensor(a, dtype=x.dtype)": "torch.zeros((), dtype=x.dtype) + a",
    "x.fill_(a)": "x.zero_().add_(a)",
    # a bound, an exponent, a choice
    "x.clamp(max=a)": "x.clamp(max=x.new_zeros(()) + a)",
    "torch.clamp(x, 0.0, a)": "torch.clamp(x, x.new_zeros(()) + 0.0, x.new_zeros(()) + a)",
    "x ** a": "x ** (x.new_zeros(()) + a)",
    "torch.pow(x, a)": "torch.pow(x, x.new_zeros(()) + a)",
    "torch.where(x > 0, x, a)": "torch.where(x > 0, x, x.new_zeros(()) + a)",
    "x.masked_fill(x > 0, a)": "x.masked_fill(x > 0, x.new_zeros(()) + a)",
    "F.leaky_relu(x, a)": "torch.where(x > 0, x, a * x)",
    "2 * (a - x)": "2 * -(x - a)",
}

SYMBOLIC_ALREADY = ["x.mul(a)", "x + a * (y - x)", "torch.add(x, a)", "(x > a) * y", "1 - a"]
NO_FORM = ["F.dropout(x, p=a)", "F.elu(x, a)", "torch.tensor(a, dtype=torch.int64)", "x[: int(a)]"]


def of(text: str, marked: str = "self.alpha", source: str = "self.alpha", **fields: object):
    values = {"expected": "0.1", "actual": "0.2", **fields}
    return finding(Diagnosis.FLOAT_SPECIALIZED, source, user_line=at(text, marked), **values)


@pytest.mark.parametrize("before", FORMS)
def test_an_operation_gets_its_symbolic_form(before):
    text = FORWARD.format(before)
    assert edit_of(make, text, of(text)) == FORWARD.format(FORMS[before])


@pytest.mark.parametrize("operation", [*SYMBOLIC_ALREADY, *NO_FORM])
def test_an_operation_outside_of_the_list_is_left_alone(operation):
    text = FORWARD.format(operation)
    assert (
        refusal(make, text, of(text)).text == "an operation on the float that has a symbolic form"
    )


def test_other_lines_and_comments_stay():
    text = FORWARD.format("torch.lerp(x, y, a)  # between both\n\n    # the end")
    result = edit_of(make, text, of(text))
    assert result == text.replace("torch.lerp(x, y, a)", "x + a * (y - x)")


def test_an_argument_is_known_by_its_name():
    text = "import torch\n\ndef blend(x, y, weight):\n    return torch.lerp(x, y, weight)\n"
    assert "return x + weight * (y - x)" in edit_of(make, text, of(text, "lerp", "weight"))


def test_another_float_is_not_touched():
    text = FORWARD.format("torch.lerp(x, y, self.beta)")
    assert refusal(make, text, of(text)).ground is Ground.NO_PATTERN


def test_an_import_of_the_function_alone_is_followed():
    text = lines(
        """
        import torch as th
        from torch import lerp as mixed

        def blend(x, y, a):
            return mixed(x, y, a), th.full((2,), a)
        """
    )
    result = edit_of(make, text.replace("th", "torch"), of(text, "mixed(", "a"))
    assert "return x + a * (y - x), torch.zeros((2,)) + a" in result


def test_the_float_is_followed_through_a_return_and_an_argument():
    text = lines(
        """
        import torch

        class Held(torch.nn.Module):
            def read(self):
                return self.value

            def mix(self, x, y, alpha):
                return torch.lerp(x, y, alpha)

        class Blend(torch.nn.Module):
            def forward(self, x, y):
                alpha = self.held.read()
                return self.held.mix(x, y, alpha)
        """
    )
    result = edit_of(make, text, of(text, "self.value", "self.held.value"))
    assert result == text.replace("torch.lerp(x, y, alpha)", "x + alpha * (y - x)")


def test_a_line_that_gets_the_float_as_an_argument_is_rewritten():
    text = lines(
        """
        import torch

        class Held(torch.nn.Module):
            def read(self):
                return self.value

            def mix(self, x, y, alpha):
                return torch.lerp(x, y, alpha)

            def other(self, x, y, weight):
                return torch.lerp(x, y, weight)

        class Blend(torch.nn.Module):
            def forward(self, x, y):
                alpha = self.held.read()
                return self.held.mix(x, y, alpha)
        """
    )
    found = of(text, "torch.lerp(x, y, alpha)", "self.held.value")
    result = edit_of(make, text, found)
    assert result == text.replace("torch.lerp(x, y, alpha)", "x + alpha * (y - x)")


def test_the_float_is_followed_into_another_file():
    text = "from ops import mix\n\ndef step(x, y, a):\n    return mix(x, y, w=a)\n"
    ops = "import torch\n\n\ndef mix(x, y, w):\n    return torch.lerp(x, y, w)\n"
    result = edited(make, text, of(text, "mix(", "a"), **{"ops.py": ops})
    assert result == {"ops.py": ops.replace("torch.lerp(x, y, w)", "x + w * (y - x)")}


def test_a_value_that_is_no_float_is_none_of_this_patch():
    text = FORWARD.format("torch.lerp(x, y, a)")
    with pytest.raises(Unconcerned):
        edit_of(make, text, of(text, expected="1", actual="2"))


def test_code_outside_of_the_project_is_refused():
    text = FORWARD.format("torch.lerp(x, y, a)")
    place = Location("/elsewhere/torch/optim/sgd.py", 3)
    found = finding(Diagnosis.FLOAT_SPECIALIZED, "lr", user_line=place, expected="0.1")
    because = refusal(make, text, found)
    assert (because.ground, because.location) == (Ground.NO_SOURCE, place)
    assert place.file != FILE


def test_a_file_that_does_not_parse_is_refused():
    because = refusal(make, "def f(:\n  self.alpha\n", of("self.alpha"))
    assert because.ground is Ground.NO_SOURCE
