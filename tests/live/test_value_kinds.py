"""A live value and its text in a guard are of the same kind, whatever the value's class is."""

from __future__ import annotations

from enum import Enum, IntEnum

import pytest
import torch
from torch import nn

from esper_audit._dynamo import values
from esper_audit.data.compiles import ValueKind
from esper_audit.torch_text.guard_text import kind_of


class Mode(Enum):
    FAST = 1


class Level(IntEnum):
    LOW = 1


class Meters(float):
    pass


class Proxy:
    @property  # type: ignore[misc]  # as proxies do
    def __class__(self):
        raise RuntimeError("the user's own code ran")


@pytest.mark.parametrize(
    "value",
    [None, True, 3, -2, 0.5, 1e-05, float("inf"), "fast", b"raw", Mode.FAST, torch.float32],
    ids=repr,
)
def test_a_value_and_its_text_agree(value):
    assert kind_of(values.text_of(value)) is values.kind_of(value)


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (Level.LOW, ValueKind.ENUM),
        (Meters(2.0), ValueKind.FLOAT),
        (torch.Size([2]), ValueKind.COLLECTION),
        (nn.Parameter(torch.ones(1)), ValueKind.TENSOR),
        (KeyError("a"), ValueKind.NO_KEY),
        (AttributeError("a"), ValueKind.GONE),
        (nn.Linear(1, 1), ValueKind.OTHER),
    ],
    ids=lambda thing: type(thing).__name__,
)
def test_subclasses_are_of_the_kind_that_they_specialize(value, kind):
    assert values.kind_of(value) is kind


def test_a_proxy_is_not_asked_for_its_class():
    assert values.kind_of(Proxy()) is ValueKind.OTHER


class Parts(list):
    def __len__(self):
        raise RuntimeError("the user's own code ran")

    __repr__ = __iter__ = __len__


class Named(str):
    def __repr__(self):
        raise RuntimeError("the user's own code ran")


def test_a_length_is_the_built_in_types_own():
    assert values.length_of(Parts([1, 2])) == 2
    assert values.length_of(nn.ModuleList()) is None


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ((True, False), "(True, False)"),
        ([1, "a", None, (2.5,)], "[1, 'a', None, (2.5,)]"),
        ({"b": 1, 2: [True]}, "{'b': 1, 2: [True]}"),
        ({"b", "a"}, "{'a', 'b'}"),
        (frozenset(), "frozenset()"),
        (torch.Size([2, 3]), "[2, 3]"),
        (slice(0, None), "slice(0, None, None)"),
        (range(1, 5), "range(1, 5)"),
        (Named("x"), "'x'"),
        (Parts([1, 2]), "Parts of 2"),
        ([object()], "list of 1"),
        (list(range(100)), "list of 100"),
        ((((1,),),), "(((1,),),)"),
        ([[[[1]]]], "list of 1"),
    ],
    ids=lambda thing: thing if isinstance(thing, str) else type(thing).__name__,
)
def test_small_containers_of_constants_show_what_they_hold(value, text):
    assert values.text_of(value) == text
