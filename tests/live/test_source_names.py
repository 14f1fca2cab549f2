"""Guard sources of live code, as the user wrote them."""

from __future__ import annotations

import functools
import itertools

import numpy as np
import pytest
import torch
from torch import nn

import esper_audit
from esper_audit.data.compiles import Held
from esper_audit.data.reasons import Why

pytestmark = pytest.mark.usefixtures("clean_dynamo")
X = torch.ones(2)


def findings(run):
    """(source, what holds it, from, to) of each failed guard of a run, each once."""
    with esper_audit.record() as live:
        run()
    assert not live.result.hook_errors
    return {
        (guard.source, guard.origin.held if guard.origin else None, guard.expected, guard.actual)
        for made in live.result.compiles
        for guard in made.guard_failures
    }


def compiled(function):
    return torch.compile(function, backend="eager", dynamic=False)


def scaled(x, k=2, *, mode="fast"):
    return x * k if mode == "fast" else x - k


def wrapping(function):
    level = [1]

    @functools.wraps(function)
    def wrapper(*args, **kwargs):
        return function(*args, **kwargs) * level[0]

    return wrapper, level


def test_what_a_function_holds_has_the_users_name():
    def made():
        scale = 1

        def act(x):
            return x * scale

        def rescale(to):
            nonlocal scale
            scale = to

        return act, rescale

    class Layer(nn.Module):
        def __init__(self, act, norm):
            super().__init__()
            self.act, self.norm = act, norm

        def forward(self, x):
            return scaled(self.norm(self.act(x)))

    def run():
        act, rescale = made()
        layer = Layer(act, functools.partial(scaled, k=4))
        step = compiled(layer)
        step(X)
        rescale(3)
        step(X)
        layer.norm = functools.partial(scaled, k=5)
        step(X)
        scaled.__defaults__ = (7,)
        scaled.__kwdefaults__["mode"] = "slow"  # type: ignore[index]
        step(X)
        wrapper, level = wrapping(act)
        wrapped = compiled(wrapper)
        wrapped(X)
        level[0] = 9
        wrapped(X)
        rescale(8)
        wrapped(X)

    assert findings(run) >= {
        ("scale", Held.CLOSURE, "1", "3"),
        ("k", Held.PARTIAL, "4", "5"),
        ("k", Held.DEFAULT, "2", "7"),
        ("mode", Held.DEFAULT, "'fast'", "'slow'"),
        ("level[0]", None, "1", "9"),
        ("scale", Held.CLOSURE, "3", "8"),
    }


def test_entries_of_modules_classes_and_dictionaries_are_reached_as_in_code():
    class Base:
        seen = 0

    class Own(Base):
        pass

    class Inner(nn.Module):
        def __init__(self):
            super().__init__()
            self.register_buffer("cos", torch.ones(2))
            self.gain = 1

        def forward(self, x):
            return x * self.cos.sum() * self.gain  # type: ignore[operator]

    class Outer(nn.Module):
        count = 1

        def __init__(self):
            super().__init__()
            self.layers = nn.ModuleList([Inner(), Inner()])
            self.heads = nn.ModuleDict({"a-b": Inner(), "c": Inner()})
            self.scales = nn.ParameterList([nn.Parameter(torch.ones(2))])
            self.biases = nn.ParameterDict({"w": nn.Parameter(torch.ones(2))})
            self.add_module("odd name", Inner())
            self.own = Own()

        def forward(self, x, table):
            x = self.layers[1](x) * self.heads["a-b"](x) * self.heads["c"](x) * table[1, 2]
            x = x * self.scales[0].sum() * self.biases["w"].sum() * self.count * self.own.seen
            for value in table.values():
                x = x * value
            return getattr(self, "odd name")(x)

    outer, table = Outer(), {(1, 2): 1, None: 1}
    inner = list(outer.heads.values())

    def write(place):
        writes = (
            lambda: outer.layers[1].register_buffer("cos", torch.ones(3)),
            lambda: setattr(inner[0], "gain", 2),
            lambda: setattr(inner[1], "gain", 3),
            lambda: outer.scales.__setitem__(0, nn.Parameter(torch.ones(4))),
            lambda: setattr(outer.biases, "w", nn.Parameter(torch.ones(5))),
            lambda: setattr(getattr(outer, "odd name"), "gain", 6),
            lambda: setattr(Outer, "count", 7),
            lambda: setattr(Base, "seen", 8),
            lambda: table.update({(1, 2): 9}),
            lambda: table.update({None: 10}),
        )
        writes[place]()

    def run():
        for place in range(10):
            torch.compiler.reset()
            step = compiled(outer)
            step(X, table)
            write(place)
            step(X, table)

    assert {found[0] for found in findings(run)} == {
        "self.layers[1].cos",
        "self.heads['a-b'].gain",
        "self.heads['c'].gain",
        "self.scales[0]",
        "self.biases['w']",
        "getattr(self, 'odd name').gain",
        "Outer.count",
        "Base.seen",
        "table[1, 2]",
        "table[None]",
    }


def test_what_a_graph_break_left_on_the_stack_is_named_by_its_code():
    numbers = itertools.count(2)

    @torch._dynamo.disable
    def foo(*_, **__):
        return next(numbers)

    class Net(nn.Module):
        def meth(self, x):
            return foo(x)

        def forward(self, x, flag=True):
            with torch.no_grad():
                y = x * foo(x)
            total = (x if flag else y).sum() + self.meth(x)
            return (
                y
                + total * foo(x, a=1) ** 2
                + (x @ x)
                * foo(
                    y,
                )
            )

    def several(x):
        return x.tolist()[0] * x + foo(f"{foo(x)}")

    def run():
        step, other = compiled(Net()), compiled(several)
        for number in range(2):
            torch.manual_seed(number)
            step(X)
            other(X * number)

    named = {found[:2] for found in findings(run)}
    assert named >= {
        ("foo(x)", Held.RESULT),
        ("self.meth(x)", Held.RESULT),
        ("foo(x, a=1)", Held.RESULT),
        ("foo(y)", Held.RESULT),
        ("x.tolist()[0]", Held.RESULT),
    }
    rest = {held for source, held in named if source.startswith("___stack")}
    assert rest <= {Held.STACK}


def test_torchs_own_wrapper_and_optimizer_are_told_in_the_users_terms():
    def run():
        net = nn.Sequential(nn.Linear(2, 2), nn.Dropout(0.1))
        step = compiled(net)
        step(torch.ones(1, 2))
        step(torch.ones(3, 2))
        net[1].p = 0.5  # type: ignore[assignment]
        step(torch.ones(3, 2))
        weights = [nn.Parameter(torch.ones(3)), nn.Parameter(torch.ones(2))]
        optimizer = torch.optim.SGD(weights, lr=0.1, momentum=0.9)
        for weight in weights:
            weight.grad = torch.ones_like(weight)
        update = compiled(lambda: optimizer.step())
        update()
        optimizer.param_groups[0]["lr"] = 0.2
        update()
        gelu = compiled(nn.functional.gelu)  # in torch's frame of the module, which has no keys now
        gelu(X)

    sources = {found[0] for found in findings(run)}
    assert {"input", "self[1].p", "self.param_groups[0]['lr']"} <= sources
    assert not {source for source in sources if "dict.keys" in source or "__" in source}


def test_an_expression_is_told_of_the_attribute_in_it_with_its_writer():
    class Drop(nn.Module):
        def __init__(self):
            super().__init__()
            self.p, self.table = 0.1, np.ones(4)

        def forward(self, x):
            keep = 1 - self.p
            x = x.bernoulli(keep) / keep
            return x * 2 if self.table.shape[0] * 2 < 10 else x

        def change(self, p, rows):
            self.p = p
            self.table = np.ones(rows)

    drop = Drop()
    step = torch.compile(drop, backend="eager")
    with esper_audit.record(provenance=True) as live:
        for p, rows in ((0.1, 3), (0.2, 4), (0.3, 4), (0.3, 8)):
            drop.change(p, rows)
            step(torch.ones(2))
    line = Drop.change.__code__.co_firstlineno
    found = {finding.source: finding for finding in live.findings}
    assert found["self.p"].values == ("0.2", "0.3")
    assert wanted_of(live, "self.p")[:2] == ["0.1", "0.2"]
    assert found["self.p"].written_by.line == line + 1
    assert wanted_of(live, "self.table.shape[0]") == ["2 to 4"]
    assert found["self.table.shape[0]"].written_by.line == line + 2


def wanted_of(live, source):
    """What the newest cache entry wanted of a source, at each recompile."""
    newest: dict[int, str] = {}
    for made in live.result.compiles:
        for guard in made.guard_failures:
            if guard.source == source:
                newest.setdefault(made.sequence, guard.expected)
    return list(newest.values())


def test_a_numpy_array_is_an_argument_by_its_own_name():
    scale = compiled(lambda frame, gain: (frame - frame.mean()) * gain)
    with esper_audit.record(provenance=True) as live:
        for rows, kind in ((4, np.float32), (5, np.float32), (5, np.float64)):
            scale(np.ones((rows, 3), dtype=kind), 0.5)
    assert {finding.source for finding in live.findings} == {"frame"}
    for finding in live.findings:
        assert finding.no_writer.why is Why.IS_ARGUMENT
        assert finding.called_from.function.endswith("is_an_argument_by_its_own_name")
