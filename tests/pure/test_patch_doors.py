"""Arguments marked or converted where compiled code is called."""

from __future__ import annotations

from typing import Any

import pytest
from edited import at, edit_of, finding, lines, refusal

from esper_audit.data.diagnoses import Diagnosis
from esper_audit.data.remedies import Ground
from esper_audit.remedies.patches import door, marks

STEP = """import torch


@torch.compile
def step(x, y=None):
    return x * 2


{}
"""


def of(
    diagnosis: Diagnosis, text: str, source: str = "x", marked: str = "# here", **fields: object
):
    return finding(diagnosis, source, frame_line=4, callers=[at(text, marked)], **fields)


@pytest.fixture(autouse=True)
def named(monkeypatch):
    """The frame of these findings is ``step``."""
    monkeypatch.setattr("edited.FRAME_NAME", "step")


def sized(text: str, **fields: Any):
    sizes = {"size": ("[16, 4]", "[8, 4]")}
    return of(Diagnosis.SIZE_CHANGED, text, fields=sizes, **fields)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (
            "for batch in data:\n    step(batch)  # here",
            "for batch in data:\n    torch._dynamo.mark_dynamic(batch, 0)\n    step(batch)  # here",
        ),
        (
            "def run():\n    return step(load(3))  # here",
            "def run():\n    x = load(3)\n    torch._dynamo.mark_dynamic(x, 0)\n"
            "    return step(x)  # here",
        ),
        (
            "x = 1\nout = step(y=2, x=load(3))  # here",
            "x = 1\nmarked_x = load(3)\ntorch._dynamo.mark_dynamic(marked_x, 0)\n"
            "out = step(y=2, x=marked_x)  # here",
        ),
        (
            "step(a)\n\n# then\nstep(b)  # here",
            "torch._dynamo.mark_dynamic(a, 0)\nstep(a)\n\ntorch._dynamo.mark_dynamic(b, 0)\n"
            "# then\nstep(b)  # here",
        ),
    ],
)
def test_each_call_of_the_callable_marks_its_argument(before, after):
    text = STEP.format(before)
    assert edit_of(marks.make, text, sized(text)) == STEP.format(after)


@pytest.mark.parametrize(
    ("binding", "elsewhere"),
    [
        ("def run(data):\n    go = torch.compile(step)\n", "def other(go, z):\n    go(z)"),
        ("def run(go, data):\n", "def other(z):\n    go = print\n    go(z)"),
        ("def run(data):\n    for go in [torch.compile(step)]:\n        pass\n", "go(z)"),
        ("def run(data):\n    with made() as go:\n        pass\n", "go(z)"),
    ],
)
def test_a_call_of_another_functions_variable_is_left_alone(binding, elsewhere):
    made = f"{binding}    go(data)  # here\n    go(data[1])\n\n\n{elsewhere}"
    text = STEP.format(made + "\n\n\ngo = torch.compile(step)")
    after = edit_of(marks.make, text, sized(text))
    assert after.count("mark_dynamic") == 2 and "mark_dynamic(z" not in after


def test_a_call_through_self_is_marked_in_every_method():
    text = STEP.format(
        "class T:\n    def __init__(self):\n        self.go = torch.compile(step)\n\n"
        "    def a(self, b):\n        self.go(b)  # here\n\n"
        "    def c(self, d):\n        self.go(d)"
    )
    assert edit_of(marks.make, text, sized(text)).count("mark_dynamic") == 2


def test_a_size_of_zero_or_one_is_marked_unbacked():
    text = STEP.format("step(batch)  # here")
    found = of(Diagnosis.SIZE_ZERO_ONE, text, "x.size()[1]")
    marked = "torch._dynamo.decorators.mark_unbacked(batch, 1)\nstep(batch)"
    assert marked in edit_of(marks.make, text, found)


def test_all_dimensions_that_differ_are_marked():
    text = STEP.format("step(batch)  # here")
    sizes = {"size": ("[16, 4, 3]", "[8, 4, 5]")}
    result = edit_of(marks.make, text, of(Diagnosis.SIZE_CHANGED, text, fields=sizes))
    assert "mark_dynamic(batch, [0, 2])" in result


def test_a_tensor_inside_of_an_argument_is_marked_where_it_is():
    text = STEP.format("step(batch)  # here")
    sizes = {"size": ("[16]", "[8]")}
    found = of(Diagnosis.SIZE_CHANGED, text, "x['ids']", fields=sizes)
    assert "mark_dynamic(batch['ids'], 0)" in edit_of(marks.make, text, found)


@pytest.mark.parametrize(
    ("call", "missing"),
    [
        ("out = [step(one) for one in data]  # here", "a call outside of a comprehension"),
        ("while step(batch): pass  # here", "a call on a line of its own"),
        ("step(*batches)  # here", "arguments written out"),
        ("step()  # here", "a call that passes x as one argument"),
        ("step(step(batch))  # here", "one call of the compiled function on this line"),
        ("other(batch)  # here", "the call of the compiled function on this line"),
    ],
)
def test_a_call_that_can_not_be_marked_is_left_alone(call, missing):
    text = STEP.format(call)
    because = refusal(marks.make, text, sized(text))
    assert because.ground is Ground.NO_PATTERN
    assert because.text.startswith(missing)


def test_an_attribute_that_changed_its_size_is_no_argument():
    text = STEP.format("step(batch)  # here")
    assert "argument" in refusal(marks.make, text, sized(text, source="self.weight")).text


CONVERSIONS = [
    (
        Diagnosis.LAYOUT_CHANGED,
        {"stride": ("[8, 1]", "[1, 4]")},
        "batch.t()",
        "batch.t().contiguous()",
    ),
    (
        Diagnosis.LAYOUT_CHANGED,
        {"stride": ("[48, 1, 12, 3]", "[48, 16, 4, 1]")},
        "-batch",
        "(-batch).contiguous(memory_format=torch.channels_last)",
    ),
    (
        Diagnosis.DTYPE_CHANGED,
        {"dtype": ("float32", "float64")},
        "batch",
        "batch.to(torch.float32)",
    ),
    (Diagnosis.DEVICE_CHANGED, {"device": ("cuda:0", "cpu")}, "batch", 'batch.to("cuda:0")'),
]


@pytest.mark.parametrize(("diagnosis", "fields", "before", "after"), CONVERSIONS)
def test_an_argument_is_converted_to_what_the_first_call_passed(diagnosis, fields, before, after):
    text = STEP.format(f"step({before})  # here")
    result = edit_of(door.make, text, of(diagnosis, text, fields=fields))
    assert result == STEP.format(f"step({after})  # here")


def test_the_second_name_of_one_tensor_is_cloned():
    text = STEP.format("step(a, a)  # here")
    found = of(
        Diagnosis.TENSOR_ALIASING,
        text,
        "x is y",
        expected="different tensors",
        actual="one tensor",
    )
    assert "step(a, a.clone())" in edit_of(door.make, text, found)


@pytest.mark.parametrize(
    ("expected", "actual", "after"),
    [
        ("list", "tuple", "step(list(a))"),
        ("int", "float", "step(float(a))"),
        ("float", "numpy.float64", "step(float(a))"),
        ("numpy.int64", "int", "step(int(a))"),
        ("1", "0.5", "step(float(a))"),
        ("tensor(size=[], dtype=float64, device=cpu, stride=[])", "4.0", "step(float(a))"),
    ],
)
def test_a_type_is_converted_where_nothing_is_lost(expected, actual, after):
    text = STEP.format("step(a)  # here")
    found = of(Diagnosis.TYPE_CHANGED, text, expected=expected, actual=actual)
    assert after in edit_of(door.make, text, found)


@pytest.mark.parametrize(("expected", "actual"), [("list", "dict"), ("str", "int"), ("A", "B")])
def test_types_that_lose_something_are_not_converted(expected, actual):
    text = STEP.format("step(a)  # here")
    found = of(Diagnosis.TYPE_CHANGED, text, expected=expected, actual=actual)
    assert refusal(door.make, text, found).text == "a conversion to what the first call passed"


def test_what_the_function_writes_in_place_is_not_copied():
    text = STEP.replace("return x * 2", "return x.add_(1)").format("step(a.t())  # here")
    found = of(Diagnosis.LAYOUT_CHANGED, text, fields={"stride": ("[8, 1]", "[1, 4]")})
    assert refusal(door.make, text, found).text == "a function that does not write x in place"


def test_a_call_of_a_method_passes_what_follows_self():
    text = lines(
        """
        import torch

        class Net(torch.nn.Module):
            def forward(self, x):
                return x * 2

        net = torch.compile(Net())
        net(batch.t())  # here
        """
    )
    found = finding(
        Diagnosis.LAYOUT_CHANGED,
        "x",
        frame_line=4,
        callers=[at(text, "# here")],
        fields={"stride": ("[8, 1]", "[1, 4]")},
    )
    assert "net(batch.t().contiguous())" in edit_of(door.make, text, found)


def test_a_mark_that_came_late_is_made_before_each_call():
    text = STEP.format("step(a)\nstep(b)  # here")
    found = of(Diagnosis.DIMENSION_MARKED, text, expected="no marks", actual="dynamic [0, 2]")
    result = edit_of(marks.make, text, found)
    assert result.count("torch._dynamo.mark_dynamic(a, [0, 2])\nstep(a)") == 1


def test_a_float_argument_becomes_a_tensor_in_each_call():
    text = STEP.format("step(a, 0.5)\nstep(a, y=index / 10)  # here")
    found = of(Diagnosis.FLOAT_SPECIALIZED, text, "y", expected="0.5", actual="0.1")
    result = edit_of(door.make, text, found)
    assert "step(a, torch.tensor(0.5))\nstep(a, y=torch.tensor(index / 10))  # here" in result


def test_a_literal_of_the_type_is_not_converted():
    text = STEP.format("step([a, b])\nstep((a, b))  # here")
    found = of(Diagnosis.TYPE_CHANGED, text, expected="list", actual="tuple")
    assert "step([a, b])\nstep(list((a, b)))  # here" in edit_of(door.make, text, found)


def test_a_call_whose_argument_is_marked_already_is_left_as_it_is():
    marked = "torch._dynamo.mark_dynamic(b, 0)\nstep(b)  # here"
    text = STEP.format(f"step(a)\n{marked}")
    result = edit_of(marks.make, text, sized(text))
    assert result == STEP.format(f"torch._dynamo.mark_dynamic(a, 0)\nstep(a)\n{marked}")
