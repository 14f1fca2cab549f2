"""Writes that compiled code makes: the line of the statement, or unknown, but no other line."""

from __future__ import annotations

import functools
import inspect
import sys
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import nn

import esper_audit
from esper_audit.data.reasons import Why

pytestmark = pytest.mark.usefixtures("clean_dynamo")

compiled = functools.partial(torch.compile, backend="eager")
STEPS = 0
TABLE = {"n": 0}
settings: Any = ModuleType("settings_of_a_test")
sys.modules["settings_of_a_test"] = settings
settings.n = 0


class Counter:
    seen = 0
    inner: Any = None

    def __init__(self):
        self.n = 0


class Slotted:
    __slots__ = ("n",)
    n: int


def a_global(x):
    def bump():
        global STEPS
        STEPS += 1  # writes

    bump()
    return x * STEPS


def an_entry_of_a_dict(x):
    TABLE["n"] += 1  # writes
    return x * TABLE["n"]


def a_class_attribute(x):
    Counter.seen += 1  # writes
    return x * Counter.seen


def a_module_attribute(x):
    settings.n += 1  # writes
    return x * settings.n


def a_nonlocal():
    count = 0

    def step(x):
        nonlocal count
        y = x + 1
        count += 1  # writes
        return y * count

    return step


def what_grows(held, grow):
    def step(x):
        y = x * len(held)
        grow(held)
        return y

    return step


def a_list_that_is_appended_to():
    def grow(held):
        held.append(1)  # writes

    return what_grows([], grow)


def a_list_that_is_extended():
    def grow(held):
        held.extend((1, 2))  # writes

    return what_grows([], grow)


def a_dict_that_is_updated():
    def grow(held):
        held.update({len(held): 1})  # writes

    return what_grows({}, grow)


def a_dict_that_is_popped_from():
    def shrink(held):
        held.popitem()  # writes

    return what_grows(dict.fromkeys("abcdef"), shrink)


def a_set_that_is_added_to():
    def grow(held):
        held.add(len(held))  # writes

    return what_grows(set(), grow)


def an_attribute_of_an_argument():
    counter = Counter()

    def step(x, counter):
        y = x * counter.n
        counter.n += 1  # writes
        return y

    return lambda x: step_of(step)(x, counter)


def slots():
    slotted = Slotted()
    slotted.n = 0

    def step(x):
        y = x * slotted.n
        slotted.n += 1  # writes
        return y

    return step


def a_buffer():
    class Module(nn.Module):
        held: torch.Tensor

        def __init__(self):
            super().__init__()
            self.register_buffer("held", torch.ones(1))

        def forward(self, x):
            y = x * self.held.sum()
            self.held = torch.cat([self.held, self.held])  # writes
            return y

    return Module()


def an_object_that_is_replaced():
    holder = Counter()
    holder.inner = Counter()

    def step(x):
        y = x * holder.inner.n
        new = Counter()
        new.n = holder.inner.n + 1
        holder.inner = new  # writes
        return y

    return step


def after_a_graph_break():
    counter = Counter()

    def step(x):
        y = x * 2
        print(end="")
        y = y * counter.n
        counter.n += 1  # writes
        return y

    return step


def at_a_graph_break():
    counter = Counter()
    write = torch.compiler.disable(setattr)

    def step(x):
        value = counter.n + 1
        y = x * counter.n
        write(counter, "n", value)  # writes
        return y

    return step


def of_another_compiled_function():
    counter = Counter()

    @compiled
    def write(x):
        counter.n += 1  # writes
        return x

    return lambda x: (write(x), step_of(read)(x, counter))


def read(x, counter):
    return x * counter.n


def of_the_users_module_inside_of_a_librarys():
    class Count(nn.Module):
        def __init__(self):
            super().__init__()
            self.n = 0

        def forward(self, x):
            y = x * self.n
            self.n += 1  # writes
            return y

    return nn.Sequential(Count())


def two_lines_that_write_to_one_list():
    held = [1, 2]

    def step(x):
        y = x * held[0]
        held[0] += 1
        held[1] = 2
        return y

    return step


def a_backend_while_torch_compiles():
    counter = Counter()

    def backend(graph, _):
        counter.n += 1
        return graph

    @torch.compile(backend=backend)
    def write(x, n):
        return x + n

    return lambda x: (step_of(read)(x, counter), write(x, str(counter.n) and counter.n))


@functools.cache
def step_of(function):
    return compiled(function)


AT_ROOT = [a_global, an_entry_of_a_dict, a_class_attribute, a_module_attribute]
MADE = [
    *(a_nonlocal, a_list_that_is_appended_to, a_list_that_is_extended, a_dict_that_is_updated),
    *(a_dict_that_is_popped_from, a_set_that_is_added_to, slots, a_buffer),
    *(an_object_that_is_replaced, after_a_graph_break, at_a_graph_break),
    of_the_users_module_inside_of_a_librarys,
]
CALLED = [an_attribute_of_an_argument, of_another_compiled_function]


def findings_of(step):
    step_of.cache_clear()
    with esper_audit.record(provenance=True) as live:
        for _ in range(4):
            step(torch.ones(2))
            called = inspect.currentframe().f_lineno - 1
    assert live.result.lost == ()
    return [finding for finding in live.findings if finding.pattern is not None], called


@pytest.mark.parametrize("what", [*AT_ROOT, *MADE, *CALLED], ids=lambda what: what.__name__)
def test_a_write_of_compiled_code_has_the_line_of_the_statement(what):
    step = compiled(what) if what in AT_ROOT else what()
    findings, called = findings_of(compiled(step) if what in MADE else step)
    lines, start = inspect.getsourcelines(what)
    written = start + next(n for n, line in enumerate(lines) if "# writes" in line)
    assert findings
    assert {finding.written_by.line for finding in findings} == {written}
    if what in MADE:
        assert {finding.called_from.line for finding in findings} <= {called}


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (two_lines_that_write_to_one_list, Why.WRITTEN_BY_COMPILED),
        (a_backend_while_torch_compiles, Why.WRITTEN_WHILE_COMPILING),
    ],
)
def test_where_the_line_is_not_known_none_is_named(make, why):
    step = make()
    findings, _ = findings_of(compiled(step) if why is Why.WRITTEN_BY_COMPILED else step)
    found = next(finding for finding in findings if finding.source.endswith(("[0]", ".n")))
    assert (found.written_by, found.no_writer.why) == (None, why)
