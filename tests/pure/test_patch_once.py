"""What each turn or call makes again, made once: compiles, backends, classes, arguments."""

from __future__ import annotations

import pytest
from edited import FILE, at, edit_of, finding, lines, refusal

from esper_audit.data.diagnoses import Diagnosis
from esper_audit.remedies.patches import compile_once, made_once

HEAD = "import torch\n\n\ndef double(x):\n    return x * 2\n\n\n"


def of(text: str, diagnosis: Diagnosis = Diagnosis.BACKEND_CHANGED, source: str = "<backend>"):
    return finding(diagnosis, source, callers=[at(text, "# here")], called_from=at(text, "# here"))


CASES = {
    "a loop": (
        """
        for x in data:
            step = torch.compile(double, backend=lambda graph, inputs: graph)
            step(x)  # here
        """,
        """
        step = torch.compile(double, backend=lambda graph, inputs: graph)
        for x in data:
            step(x)  # here
        """,
    ),
    "a loop inside of a function": (
        """
        def main():
            net = load()
            # each epoch
            for epoch in range(3):
                for x in data:
                    torch.compile(net, backend=own())(x)  # here
        """,
        """
        def main():
            net = load()
            compiled_net = torch.compile(net, backend=own())
            # each epoch
            for epoch in range(3):
                for x in data:
                    compiled_net(x)  # here
        """,
    ),
    "a function": (
        """
        def run(x):
            return torch.compile(double, backend=own())(x)  # here
        """,
        """
        compiled_double = torch.compile(double, backend=own())


        def run(x):
            return compiled_double(x)  # here
        """,
    ),
    "a function above what it compiles": (
        """
        def run(x):
            step = torch.compile(triple, backend=own())
            return step(x)  # here


        def triple(x):
            return x * 3
        """,
        """
        def run(x):
            return step(x)  # here


        def triple(x):
            return x * 3


        step = torch.compile(triple, backend=own())
        """,
    ),
    "a method": (
        """
        class Trainer:
            def __init__(self, net):
                self.net = net  # trained

            def fit(self, x):
                return torch.compile(self.net, backend=own())(x)  # here
        """,
        """
        class Trainer:
            def __init__(self, net):
                self.net = net  # trained
                self._compiled_net = torch.compile(self.net, backend=own())

            def fit(self, x):
                return self._compiled_net(x)  # here
        """,
    ),
    "two backends": (
        """
        torch.compile(double, backend="aot_eager")(x)
        torch.compile(double, backend="eager")(x)  # here
        """,
        """
        compiled_double = torch.compile(double, backend="aot_eager")
        compiled_double(x)
        compiled_double(x)  # here
        """,
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_a_compile_moves_to_where_it_is_made_once(name):
    before, after = (HEAD + lines(part) for part in CASES[name])
    assert edit_of(compile_once.make, before, of(before)) == after


def test_the_backend_alone_moves_where_the_function_can_not():
    text = HEAD + lines(
        """
        def run(x, k):
            step = torch.compile(lambda y: y * k, backend=lambda graph, inputs: graph)
            return step(x)  # here
        """
    )
    result = edit_of(compile_once.make, text, of(text))
    assert "backend_once = lambda graph, inputs: graph\n\n\ndef run" in result
    assert "torch.compile(lambda y: y * k, backend=backend_once)" in result


def test_a_compile_of_what_the_loop_makes_stays():
    text = HEAD + "for k in range(3):\n    torch.compile(make(k), backend=pick(k))(x)  # here\n"
    because = refusal(compile_once.make, text, of(text))
    assert because.text == "a compile of what outlives the loop or the call"
    assert because.location is not None and (because.location.file) == FILE


def test_a_call_of_what_is_compiled_elsewhere_is_left_alone():
    text = HEAD + "step(x)  # here\n"
    assert "torch.compile" in refusal(compile_once.make, text, of(text)).text


def test_a_class_of_a_function_moves_to_module_level():
    text = HEAD + lines(
        """
        def run():
            class Options:
                by = 2

            double(x, Options())  # here
        """
    )
    found = finding(Diagnosis.OBJECT_EXPIRED, "type(options)", callers=[at(text, "# here")])
    after = HEAD + lines(
        """
        class Options:
            by = 2


        def run():
            double(x, Options())  # here
        """
    )
    text = text.replace("def double", "@torch.compile\ndef double")
    found = finding(Diagnosis.OBJECT_EXPIRED, "type(options)", callers=[at(text, "# here")])
    result = edit_of(made_once.make, text, found)
    assert result == after.replace("def double", "@torch.compile\ndef double")


def test_an_argument_that_each_turn_makes_is_made_before_the_loop(monkeypatch):
    monkeypatch.setattr("edited.FRAME_NAME", "step")
    text = lines(
        """
        @torch.compile
        def step(x, rule):
            return rule(x)

        for x in data:
            step(x, Rule(2))  # here
        """
    )
    found = finding(Diagnosis.OBJECT_IDENTITY, "rule", callers=[at(text, "# here")])
    result = edit_of(made_once.make, text, found)
    assert "rule_once = Rule(2)\nfor x in data:\n    step(x, rule_once)  # here" in result


def test_an_argument_that_depends_on_the_loop_stays(monkeypatch):
    monkeypatch.setattr("edited.FRAME_NAME", "step")
    text = lines(
        """
        @torch.compile
        def step(x, rule):
            return rule(x)

        for x in data:
            step(x, Rule(x))  # here
        """
    )
    found = finding(Diagnosis.OBJECT_IDENTITY, "rule", callers=[at(text, "# here")])
    assert "an object that needs nothing" in refusal(made_once.make, text, found).text
