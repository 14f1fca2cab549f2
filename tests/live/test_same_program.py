"""A recorded program is the same program: what torch, the backend and the user see of the stack.

Each program runs plain, under each hook alone and under all of them, and gives what it saw: counts,
graphs, printed tracebacks, recorded stacks, log records.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import pytest
import same_compiles
import same_runs
import torch
from seen import PROGRAMS, Program, plain_text

from esper_audit import Recorder
from esper_audit._dynamo import Hooks, Watch, names
from esper_audit._dynamo.hooks import PATCHES

assert same_compiles and same_runs  # importing them fills PROGRAMS

pytestmark = pytest.mark.usefixtures("clean_dynamo")


@contextmanager
def one_hook(key: str) -> Iterator[None]:
    hooks = Hooks(Recorder(), Watch())
    PATCHES[key].add(hooks)
    try:
        yield
    finally:
        PATCHES[key].remove(hooks)


@contextmanager
def lookups_alone() -> Iterator[None]:
    hooks = Hooks(Recorder())
    hooks.lookups.install()
    try:
        yield
    finally:
        hooks.lookups.remove()


@contextmanager
def watch_alone() -> Iterator[None]:
    watch = Watch()
    watch.start()
    try:
        yield
    finally:
        watch.stop()


@contextmanager
def two_recorders() -> Iterator[None]:
    with Recorder(watch=True), Recorder():
        yield


@contextmanager
def as_in_older_torch() -> Iterator[None]:
    """What torch decides of a frame is known to CatchErrorsWrapper.__call__ alone."""
    with pytest.MonkeyPatch.context() as patch:
        older = names.TorchName("torch._dynamo.convert_frame", ("CatchErrorsWrapper.__call__",), "")
        patch.setitem(names.NAMES, "convert_frame", older)
        with Recorder():
            yield


RUNS: dict[str, Callable[[], Any]] = {
    **{key: lambda key=key: one_hook(key) for key in PATCHES},  # type: ignore[misc]
    "lookups": lookups_alone,
    "watch": watch_alone,
    "all": Recorder,
    "all, watched": lambda: Recorder(watch=True),
    "two recorders": two_recorders,
    "again plain": nullcontext,
}


def outcome(function: Program, context: Any) -> tuple[object, ...]:
    torch._dynamo.reset()
    torch._dynamo.utils.counters.clear()
    torch.manual_seed(0)
    with context:
        seen = function()
        counted = torch._dynamo.utils.counters.items()
        counters = sorted((key, sorted(value.items())) for key, value in counted)
    return seen, plain_text(counters)


@pytest.mark.parametrize("function", PROGRAMS, ids=lambda function: function.__name__)
def test_a_program_is_the_same_under_each_hook_and_under_all(function):
    results = {}
    runs = {"first": nullcontext, "plain": nullcontext, **RUNS}
    for name, run in runs.items():
        results[name] = outcome(function, run())
    differing = [name for name in RUNS if results[name] != results["plain"]]
    assert differing == [], first_difference(results["plain"], results[differing[0]])


COUNTED = [
    function
    for function in PROGRAMS
    if function.__name__.startswith(("a_function_that", "disabled_f", "a_disabled_m"))
]


@pytest.mark.parametrize("function", COUNTED, ids=lambda function: function.__name__)
def test_a_program_compiles_the_same_graphs_under_older_torch(function):
    results = [outcome(function, run()) for run in (nullcontext, nullcontext, as_in_older_torch)]
    assert without_stacks(results[2]) == without_stacks(results[1])


def without_stacks(seen: object) -> str:
    return re.sub(r"<FrameSummary [^>]*>", "", str(seen)).replace("'', ", "")


def first_difference(wanted: object, found: object) -> str:
    """Of two nested results, the first place where they are not equal."""
    if isinstance(wanted, (list, tuple)) and isinstance(found, (list, tuple)):
        for one, other in zip(wanted, found, strict=False):
            if one != other:
                return first_difference(one, other)
        rest = [*wanted[len(found) :], *found[len(wanted) :]]
        return f"{len(wanted)} and {len(found)} long: {str(rest[:2])[:2000]}"
    return f"wanted: {wanted}\n\nfound: {found}"
