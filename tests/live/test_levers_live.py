"""Levers of torch in a replay: what each does to its compiles, and that nothing of it stays."""

from __future__ import annotations

import pytest
import torch
from support import replay_here

from esper_audit import _dynamo
from esper_audit.data.reasons import Reason, Why
from esper_audit.data.remedies import Lever, LeverKind
from esper_audit.data.verdicts import AuditVerdict

SOURCES = "torch.compiler.config.dynamic_sources"
PASSED, FAILED = AuditVerdict.PASSED, AuditVerdict.FAILED


def config(name: str, value: object) -> Lever:
    return Lever(kind=LeverKind.CONFIG, name=name, value=repr(value))


def keyword(name: str, value: object) -> Lever:
    return Lever(kind=LeverKind.COMPILE, name=name, value=repr(value))


class Counting(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.count = 2

    def forward(self, x):
        return x * self.count


def counts(replay, **keywords):
    module, x = Counting(), torch.ones(3)
    step = replay.compile(module, **keywords)
    with replay.warm_up():
        step(x)
    for count in (3, 4):
        module.count = count
        step(x)


def grows(replay, **keywords):
    step = replay.compile(lambda x: x * 2, **keywords)
    with replay.warm_up():
        step(torch.ones(3))
    step(torch.ones(4))


def grows_statically(replay):
    grows(replay, dynamic=False)


def test_a_listed_source_stops_the_recompiles_of_a_counter():
    assert replay_here(counts).verdict is FAILED
    assert replay_here(counts, levers=(config(SOURCES, "L['self'].count"),)).verdict is PASSED
    assert torch.compiler.config.dynamic_sources == ""


def test_two_levers_on_one_list_add_up_and_go():
    levers = (config(SOURCES, "L['x']"), config(SOURCES, "L['y']"))
    with _dynamo.pulled(levers) as pulled:
        assert torch.compiler.config.dynamic_sources == "L['x'],L['y']"
    assert torch.compiler.config.dynamic_sources == "" and not pulled.overridden


def test_a_keyword_reaches_every_compile_but_where_it_is_given():
    levers = (keyword("dynamic", True),)
    assert replay_here(grows).verdict is FAILED
    assert replay_here(grows, levers=levers).verdict is PASSED
    kept = replay_here(grows_statically, levers=levers)
    assert kept.verdict is FAILED
    assert kept.recording.notes == (Reason(why=Why.LEVER_OVERRIDDEN, text="dynamic"),)


def test_torch_compile_is_put_back():
    original = torch.compile
    with pytest.raises(KeyError), _dynamo.pulled((keyword("dynamic", True),)):
        assert torch.compile is not original
        raise KeyError
    assert torch.compile is original


def test_a_setting_that_torch_lacks_is_said_and_none_is_set():
    levers = (config(SOURCES, "L['x']"), config("torch._dynamo.config.no_such_setting", True))
    assert _dynamo.missing(levers) == ("torch._dynamo.config.no_such_setting",)
    with pytest.raises(_dynamo.NoSuchLeverError, match="no_such_setting"), _dynamo.pulled(levers):
        pass
    assert torch.compiler.config.dynamic_sources == ""
