"""Common mistakes in a scenario are named as such, never judged as code that recompiles."""

from __future__ import annotations

import pytest
import torch
from support import replay_here
from torch import nn

from esper_audit.data.verdicts import AuditVerdict
from esper_audit.report.words.reasons import all_in_words

X = torch.ones(2, 4)


def without_warm_up(replay):
    step = replay.compile(nn.Linear(4, 4))
    for _ in range(3):
        step(X)


def nothing_compiled(replay):
    nn.Linear(4, 4)(X)


def compiled_outside(replay):
    step = torch.compile(nn.Linear(4, 4), backend="aot_eager")
    with replay.warm_up():
        step(X)
    step(X)


def never_called(replay):
    replay.compile(nn.Linear(4, 4))


def warm_up_alone(replay):
    step = replay.compile(nn.Linear(4, 4))
    with replay.warm_up():
        step(X)


@pytest.mark.parametrize(
    ("scenario", "said"),
    [
        (without_warm_up, "no step ran inside `with replay.warm_up():`"),
        (nothing_compiled, "it never calls `replay.compile`"),
        (compiled_outside, "outside of every step"),
        (never_called, "it never calls what `replay.compile` returned"),
        (warm_up_alone, "every step ran inside `with replay.warm_up():`"),
    ],
)
def test_a_mistake_is_an_error_with_its_own_words(scenario, said):
    audit = replay_here(scenario)
    assert audit.verdict is AuditVerdict.ERROR
    assert said in all_in_words(audit.reasons)
