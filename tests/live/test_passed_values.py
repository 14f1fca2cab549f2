"""Where an argument's value comes from: what assigned the variable or changed what is in it."""

from __future__ import annotations

import inspect
from collections import deque

import pytest
import torch
from torch import nn

import esper_audit

pytestmark = pytest.mark.usefixtures("clean_dynamo")

X = torch.ones(2)


def scaled(x, k):
    return x * 2 if k == "a" else x * 3


def by_place(step):
    k = "a"
    step(X, k)
    k = "b"  # assigns
    step(X, k)


def by_name_in_a_loop(step):
    for k in ("a", "b"):  # assigns
        step(X, k=k)


def of_a_module(_):
    step = torch.compile(nn.Linear(2, 2), backend="eager")
    x = torch.ones(1, 2)
    step(x)
    x = torch.ones(3, 2)  # assigns
    step(x)


def where_a_condition_is_on_the_line(step):
    k = "a"
    for number in range(2):
        k = "b" if number else "a"
        step(X, k)


def where_an_error_kept_it_from_being_assigned(step):
    k = "a"
    step(X, k)
    k = "b"
    try:
        k = str(int("c"))
    except ValueError:
        step(X, k)


def where_the_statement_assigns_it_after_the_call(_):
    step = torch.compile(lambda x: torch.cat([x, x]), backend="eager")
    x = torch.ones(2)
    for _ in range(2):
        x = step(
            x,
        )


def where_an_expression_is_passed(step):
    k = "ab"
    step(X, k[0])
    step(X, k[1])


def where_the_caller_got_it_itself(step):
    def run(k):
        step(X, k)

    run("a")
    run("b")


def by_a_key(_):
    step = torch.compile(lambda of: sum(of.values()), backend="eager")
    of = {"a": X}
    step(of)
    of["b"] = X  # changes
    step(of)


def by_an_append(_):
    step = torch.compile(lambda x, frames: x + len(frames), backend="eager")
    frames = deque([X], maxlen=3)
    for _ in range(3):
        step(X, frames)
        frames.append(X)  # changes


def by_compiled_code(_):
    step = torch.compile(keeping, backend="eager")
    kept: list[torch.Tensor] = []
    for _ in range(3):
        step(X, kept)


def keeping(x, kept):
    kept.append(x)
    return x + len(kept)


def by_another_container(_):
    step = torch.compile(lambda x, of: x + len(of), backend="eager")
    of = [X]
    step(X, of)
    of.append(X)
    step(X, of)
    of = [X, X, X]  # assigns
    step(X, of)


CHANGED = {by_a_key: by_a_key, by_an_append: by_an_append, by_compiled_code: keeping}
CERTAIN = [by_place, by_name_in_a_loop, of_a_module]
NOT_CERTAIN = [
    where_a_condition_is_on_the_line,
    where_an_error_kept_it_from_being_assigned,
    where_the_statement_assigns_it_after_the_call,
    where_an_expression_is_passed,
    where_the_caller_got_it_itself,
]


def found_in(what):
    with esper_audit.record(provenance=True) as live:
        what(torch.compile(scaled, backend="eager"))
    assert live.result.lost == ()
    return live


def assigned_in(what):
    (finding,) = found_in(what).findings
    return finding.assigned_at


def line_in(what, comment):
    lines, start = inspect.getsourcelines(what)
    return start + next(n for n, line in enumerate(lines) if comment in line)


@pytest.mark.parametrize("what", CERTAIN)
def test_the_line_that_assigned_what_was_passed_is_named(what):
    found = assigned_in(what)
    assert found is not None and found.line == line_in(what, "# assigns")


@pytest.mark.parametrize("what", NOT_CERTAIN)
def test_where_it_is_not_certain_no_assignment_is_named(what):
    assert assigned_in(what) is None


@pytest.mark.parametrize(("what", "changing"), CHANGED.items())
def test_the_line_that_changed_what_is_in_a_container_that_was_passed_is_named(what, changing):
    (finding,) = found_in(what).findings
    comment = "# changes" if changing is what else "kept.append"
    assert finding.written_by is not None and finding.assigned_at is None
    assert finding.written_by.line == line_in(changing, comment)


def test_of_another_container_no_line_that_changed_one_is_named():
    last = found_in(by_another_container).result.compiles[-1]
    (write,) = last.writes
    assert write.location is None and write.bound is not None
    assert write.bound.line == line_in(by_another_container, "# assigns")
