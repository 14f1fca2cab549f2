"""Guards of every kind that can fail on a CPU: what was, what is, and what that means."""

from __future__ import annotations

import cmath
import itertools
import math
from collections import OrderedDict, defaultdict, deque
from contextlib import contextmanager
from enum import Enum
from types import MappingProxyType

import pytest
import torch
from torch._C._dynamo import guards as leaves
from torch._dynamo.guards import GuardBuilder
from torch.overrides import TorchFunctionMode

from esper_audit import record
from esper_audit.report.words.changes import change, sources
from esper_audit.torch_text.guard_kinds import KINDS


def test_each_leaf_guard_of_the_installed_torch_has_a_row():
    classes = (name for name, thing in vars(leaves).items() if isinstance(thing, type))
    assert {name for name in classes if name.isupper()} <= KINDS.keys()


def test_each_guard_that_the_installed_torch_can_make_has_a_row():
    made = {method for row in KINDS.values() for method in row.made_by}
    assert {name for name in vars(GuardBuilder) if name.isupper()} <= made


X = torch.ones(4)


class Holder:
    """An object whose attributes the compiled code reads."""

    def __init__(self, **held):
        self.__dict__.update(held)


def calls(function, *arguments, **options):
    """A program: the function, compiled, called with each of these in turn."""

    def program():
        compiled = torch.compile(function, backend="eager", **options)
        for given in arguments:
            compiled(X, *given) if isinstance(given, tuple) else compiled(X, given)

    return program


def added(x, parts):
    for part in parts:
        x = x + part
    return x * 2


def scaled(x, by):
    return x * by


def asked(x, among):
    return x * 2 if "a" in among else x * 3


def keyed(x, table):
    for key in table:
        x = x * 2 + table[key]
    return x


def applied(x, function):
    return function(x)


def first(x):
    return x + 1


def second(x):
    return x + 2


class Mode(Enum):
    FAST = 1
    EXACT = 2


class Meters(float):
    def __repr__(self):
        raise RuntimeError("the user's own code ran")


class Scaled(torch.Tensor):
    """A tensor subclass whose metadata is a scale."""

    @staticmethod
    def __new__(cls, inner, scale):
        return torch.Tensor._make_wrapper_subclass(cls, inner.shape, dtype=inner.dtype)

    def __init__(self, inner, scale):
        self.inner, self.scale = inner, scale  # type: ignore[method-assign]

    def __tensor_flatten__(self):
        return ["inner"], {"scale": self.scale}

    @staticmethod
    def __tensor_unflatten__(parts, metadata, *_):
        return Scaled(parts["inner"], metadata["scale"])

    @classmethod
    def __torch_dispatch__(cls, func, types, args=(), kwargs=None):  # type: ignore[override]
        plain = [arg.inner if isinstance(arg, Scaled) else arg for arg in args]
        return Scaled(func(*plain, **(kwargs or {})), args[0].scale)


class OneMode(TorchFunctionMode):
    def __torch_function__(self, func, types, args=(), kwargs=None):
        return func(*args, **(kwargs or {}))


@contextmanager
def both():
    with OneMode(), OneMode():
        yield


def under(*contexts):
    """A program: one function, called plainly and then under each of these contexts."""

    def program():
        compiled = torch.compile(first, backend="eager")
        compiled(X)
        for context in contexts:
            with context():
                compiled(X)

    return program


def marked():
    tensor = torch.ones(4)
    torch._dynamo.mark_dynamic(tensor, 0)
    return tensor


def rows(count):
    return torch.ones(count, 2)


def device_of(x, device, dtype):
    return x.to(device=device, dtype=dtype) * 2


CPU, CPU_0 = torch.device("cpu"), torch.device("cpu", 0)
F32, F16 = torch.float32, torch.float16
NAN = float("nan")

PROGRAMS = {
    "container-changed: parts: empty -> 1 item, 2 items": calls(added, [], [X], [X, X]),
    "container-changed: table: 1 key -> 2 keys": calls(keyed, {"a": 1.0}, {"a": 1.0, "b": 2.0}),
    "container-changed: table: keys ['a', 'b'] -> ['b', 'a']": calls(
        keyed, {"a": 1.0, "b": 1.0}, {"b": 1.0, "a": 1.0}
    ),
    "container-changed: table: keys ['a'] -> ['b']": calls(
        keyed, MappingProxyType({"a": 1}), MappingProxyType({"b": 1})
    ),
    "container-changed: parts: 1 item -> 3 items": calls(added, deque([X]), deque([X] * 3)),
    "container-changed: parts: 1 item -> 2 items": calls(added, iter((X,)), iter((X, X))),
    "container-changed: parts: range(3) -> range(4)": calls(added, iter(range(3)), iter(range(4))),
    "container-changed: among: {'a'} -> {'b', 'c'}": calls(asked, {"a"}, {"c", "b"}),
    "int-counter: by: count(1) -> count(5)": calls(
        lambda x, by: x + next(by), itertools.count(1), itertools.count(5)
    ),
    "int-counter: by: 2 -> 100000000000000000000": calls(lambda x, by: x + by % 7, 2, 10**20),
    "float-specialized: by.v: nan -> 2.0": calls(
        lambda x, by: x * by.v, Holder(v=NAN), Holder(v=2.0)
    ),
    "float-specialized: by.v: 2.0 -> 3.0": calls(
        lambda x, by: x * by.v, Holder(v=Meters(2.0)), Holder(v=Meters(3.0))
    ),
    "float-specialized: by: 1j -> 2j": calls(scaled, 1j, 2j),
    "flag-changed: mode: b'a' -> b'b'": calls(
        lambda x, mode: x * 2 if mode == b"a" else x * 3, b"a", b"b"
    ),
    "flag-changed: mode: 'a' -> \"it's  # no (HINT: x)\", 'c'": calls(
        lambda x, mode: x * 2 if mode == "a" else x * 3, "a", "it's  # no (HINT: x)", "c"
    ),
    "flag-changed: mode: Mode.FAST -> Mode.EXACT": calls(
        lambda x, mode: x * 2 if mode is Mode.FAST else x * 3, Mode.FAST, Mode.EXACT
    ),
    "type-changed: by: True -> 1": calls(lambda x, by: x * 2 if by else x, True, 1),
    "object-identity: function: function first -> function second": calls(applied, first, second),
    "object-identity: function: function torch.sin -> function torch.cos": calls(
        applied, torch.sin, torch.cos
    ),
    "object-identity: by: module math -> module cmath": calls(lambda x, by: x * by.pi, math, cmath),
    "object-identity: a is b: one object -> two objects": calls(
        lambda x, a, b: x * (2 if a is b else 3) * a.v,
        (one := Holder(v=1.0), one),
        (one, Holder(v=1.0)),
    ),
    "tensor-aliasing: x is y: different tensors -> one tensor": calls(
        lambda x, y: x + y, torch.ones(4), X
    ),
    "tensor-aliasing: x is y: one object -> two objects": calls(
        lambda x, y: x + y, X, torch.ones(4)
    ),
    "device-changed: device: cpu -> cpu:0": calls(device_of, (CPU, F32), (CPU_0, F32)),
    "dtype-changed: dtype: float32 -> float16": calls(device_of, (CPU, F32), (CPU, F16)),
    "layout-changed: form: contiguous_format -> preserve_format": calls(
        lambda x, form: x.clone(memory_format=form) * 2,
        torch.contiguous_format,
        torch.preserve_format,
    ),
    "type-changed: y: {'scale': 1} -> {'scale': 2}": calls(
        lambda _, y: y * 2, Scaled(X, 1), Scaled(X, 2)
    ),
    "dimension-marked: y: no marks -> dynamic [0]": calls(
        lambda _, y: y * 2, torch.ones(4), marked()
    ),
    "int-counter: b == a: equal -> 6 and 5": calls(
        lambda x, a, b: x * 2 if a == b else x * 3, (5, 5), (5, 6), dynamic=True
    ),
    "size-changed: z.size()[0] == y.size()[0]: equal -> 6 and 5": calls(
        lambda _, y, z: y.sum() if y.shape[0] == z.shape[0] else z.sum(),
        (rows(5), torch.ones(5)),
        (rows(5), torch.ones(6)),
        dynamic=True,
    ),
    "size-changed: y.size()[0]: … % 4 == 0 -> 9": calls(
        lambda _, y: y * 2 if y.shape[0] % 4 == 0 else y * 3, rows(8), rows(9), dynamic=True
    ),
    "size-changed: y.size()[0]: 2 to 15 -> 20": calls(
        lambda _, y: y * 2 if y.shape[0] <= 15 else y * 3, rows(8), rows(20), dynamic=True
    ),
    "global-state-changed: torch function modes: none -> OneMode": under(OneMode),
    "global-state-changed: functorch transforms: none -> Vmap": lambda: transformed(
        torch.func.vmap
    ),
    "global-state-changed: torch function modes: none -> OneMode, OneMode + OneMode": under(
        OneMode, both
    ),
    "grad-mode-changed: inference mode, grad mode: off -> on, on -> off": under(
        torch.inference_mode
    ),
    "attribute-presence: by.s: absent -> present": calls(
        lambda x, by: x * by.s if hasattr(by, "s") else x * 3, Holder(), Holder(s=2.0)
    ),
    "attribute-presence: by.s: present -> absent": calls(
        lambda x, by: x * by.s if hasattr(by, "s") else x * 3, Holder(s=2.0), Holder()
    ),
    "container-changed: by[1, 2]: absent -> present": calls(
        lambda x, by: x * by[1, 2] if (1, 2) in by else x * 3, {0: 1}, {(1, 2): 2.0}
    ),
    "lazy-cache: by.w: None -> tensor(size=[4], dtype=float32, device=cpu, stride=[1],"
    " requires_grad=False)": calls(
        lambda x, by: x * 2 if by.w is None else x * by.w, Holder(w=None), Holder(w=X)
    ),
    "type-changed: by: type=Parameter, requires_grad=True -> type=Tensor,"
    " requires_grad=False": calls(scaled, torch.nn.Parameter(torch.ones(4)), torch.ones(4)),
    "grad-mode-changed: grad mode: on -> off": under(torch.no_grad),
    "autocast-changed: autocast(cpu) enabled: off -> on": under(lambda: torch.autocast("cpu")),
}


def transformed(transform):
    compiled = torch.compile(first, backend="eager")
    compiled(X)
    transform(compiled)(torch.ones(3, 4))


@pytest.mark.parametrize("said", PROGRAMS)
def test_values_are_told_and_never_the_text_of_a_guard(clean_dynamo, said):
    with record() as live:
        PROGRAMS[said]()
    found = [finding for finding in live.findings if finding.pattern is not None]
    assert [f"{one.id}: {sources(one)}: {change(one)}" for one in found] == [said]
    assert (live.result.unrecognized, live.result.hook_errors) == ((), ())


def test_a_dictionary_of_another_class_is_told_and_left_as_it_is(clean_dynamo):
    def total(x, items):
        return x + sum(items.values() if isinstance(items, dict) else items)

    compiled = torch.compile(total, backend="eager")
    x, made = torch.ones(2), defaultdict(X.clone, a=torch.ones(2))
    with record() as live:
        compiled(x, deque([x]))
        compiled(x, OrderedDict(a=x))
        compiled(x, made)
    assert list(made) == ["a"]
    told = [f for c in live.result.compiles for f in c.guard_failures]
    assert {(f.kind, f.source) for f in told} == {("TYPE_MATCH", "items")}
    assert len(told) == 3
