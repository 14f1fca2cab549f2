"""Where an argument's value comes from: the line that assigned the variable, only if certain."""

from __future__ import annotations

import inspect

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


CERTAIN = [by_place, by_name_in_a_loop, of_a_module]
NOT_CERTAIN = [
    where_a_condition_is_on_the_line,
    where_an_error_kept_it_from_being_assigned,
    where_the_statement_assigns_it_after_the_call,
    where_an_expression_is_passed,
    where_the_caller_got_it_itself,
]


def assigned_in(what):
    with esper_audit.record(provenance=True) as live:
        what(torch.compile(scaled, backend="eager"))
    assert live.result.lost == ()
    (finding,) = live.findings
    return finding.assigned_at


@pytest.mark.parametrize("what", CERTAIN)
def test_the_line_that_assigned_what_was_passed_is_named(what):
    lines, start = inspect.getsourcelines(what)
    expected = start + next(n for n, line in enumerate(lines) if "# assigns" in line)
    found = assigned_in(what)
    assert found is not None and found.line == expected


@pytest.mark.parametrize("what", NOT_CERTAIN)
def test_where_it_is_not_certain_no_assignment_is_named(what):
    assert assigned_in(what) is None
