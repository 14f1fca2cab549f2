"""Default arguments: who replaced them or made them grow; and where it is the call after all."""

from __future__ import annotations

import inspect

import pytest
import torch
from torch import nn

import esper_audit
from esper_audit.data.reasons import Why

pytestmark = pytest.mark.usefixtures("clean_dynamo")

X = torch.ones(2)


def compiled(function):
    return torch.compile(function, backend="eager")


def replaced():
    def scale(x, k=1):
        return x * k

    step = compiled(scale)
    step(X)
    scale.__defaults__ = (5,)  # writes
    step(X)


def replaced_by_name():
    def scale(x, *, k=1):
        return x * k

    step = compiled(scale)
    step(X)
    scale.__kwdefaults__ = {"k": 5}  # writes
    step(X)


def grown_inside():
    def count(x, seen=[]):  # noqa: B006
        y = x * len(seen)
        seen.append(1)  # writes
        return y

    step = compiled(count)
    for _ in range(3):
        step(X)


def grown_outside():
    seen: dict[str, int] = {}

    class Count(nn.Module):
        def forward(self, x, seen=seen):
            return x * len(seen)

    step = compiled(Count())
    step(X)
    seen["a"] = 1  # writes
    step(X)


def of_what_is_called_inside():
    def scale(x, k=1):
        return x * k

    step = compiled(lambda x: scale(x))
    step(X)
    scale.__defaults__ = (5,)  # writes
    step(X)


@pytest.mark.parametrize(
    "what", [replaced, replaced_by_name, grown_inside, grown_outside, of_what_is_called_inside]
)
def test_who_wrote_a_default_argument_is_named(what):
    with esper_audit.record(provenance=True) as live:
        what()
    lines, start = inspect.getsourcelines(what)
    expected = start + next(n for n, line in enumerate(lines) if "# writes" in line)
    assert [finding.written_by.line for finding in live.findings] == [expected]


def test_a_default_that_nobody_wrote_is_up_to_the_call():
    step = compiled(lambda x, mask=None: x * 2 if mask is None else x * mask)
    with esper_audit.record(provenance=True) as live:
        step(X, X)
        step(X)
    finding = next(finding for finding in live.findings if finding.source == "mask")
    assert (finding.written_by, finding.no_writer.why) == (None, Why.IS_ARGUMENT)
