"""Code whose state lies in every place that a step can reach, and a way to forget all of it."""

from __future__ import annotations

import functools
from types import SimpleNamespace
from typing import Any

import torch
from torch import nn

CACHE: dict[int, torch.Tensor] = {}
PLAIN = SimpleNamespace(scale=None)
COUNT = 0
MODULE: Any = nn.Linear(4, 4)
MODULE.calls = 0


def global_dict(x):
    if x.shape[0] not in CACHE:
        CACHE[x.shape[0]] = torch.ones(4)
    return x * CACHE[x.shape[0]]


def global_int(x):
    global COUNT
    COUNT += 1
    return x * COUNT


class Masked(nn.Module):
    mask: torch.Tensor | None = None

    def forward(self, x):
        if Masked.mask is None:
            Masked.mask = torch.ones(4)
        return x * Masked.mask


def default_argument(x, seen=[]):  # noqa: B006  # it is the state
    seen.append(1.0)
    return x * len(seen)


def function_attribute(x):
    function_attribute.n += 1  # type: ignore[attr-defined]
    return x * function_attribute.n  # type: ignore[attr-defined]


def closure():
    count, cached = 0, None

    def counted(x):
        nonlocal count, cached
        count += 1
        cached = torch.ones(4) if cached is None else cached
        return x * cached * count

    return counted


def plain_object(x):
    PLAIN.scale = torch.ones(4) if PLAIN.scale is None else PLAIN.scale
    return x * PLAIN.scale


@functools.cache
def table(n):
    return torch.ones(n)


def functools_cache(x):
    return x * table(x.shape[-1])


def module_in_a_global(x):
    MODULE.calls += 1
    return MODULE(x) * MODULE.calls


LIBRARY = """
import torch
_TABLES = {}
class Rotary:
    made = 0
def table(n):
    if n not in _TABLES:
        _TABLES[n] = torch.ones(n)
        Rotary.made += 1
    return _TABLES[n] * Rotary.made
"""


def forget(library):
    """Every state as it is when the process starts."""
    global COUNT
    CACHE.clear()
    table.cache_clear()
    library._TABLES.clear()
    default_argument.__defaults__[0].clear()  # type: ignore[index]
    COUNT = function_attribute.n = MODULE.calls = library.Rotary.made = 0  # type: ignore[attr-defined]
    Masked.mask = PLAIN.scale = None


def targets(library):
    return {
        "global dict": global_dict,
        "global int": global_int,
        "class attribute": Masked(),
        "default argument": default_argument,
        "function attribute": function_attribute,
        "closure": closure(),
        "plain object in a global": plain_object,
        "functools.cache": functools_cache,
        "module in a global": module_in_a_global,
        "cache of a library": lambda x: x * library.table(4),
    }


KINDS = (
    *("global dict", "global int", "class attribute", "default argument", "function attribute"),
    *("closure", "plain object in a global", "functools.cache", "module in a global"),
    "cache of a library",
)


def five_steps(target):
    def scenario(replay):
        step = replay.compile(target)
        with replay.warm_up():
            step(torch.ones(2, 4))
        for _ in range(4):
            step(torch.ones(2, 4))

    return scenario


def compiles_of(audit):
    return [
        (compile_.step, compile_.outcome, compile_.frame.raw_name)
        for compile_ in audit.recording.compiles
    ]
