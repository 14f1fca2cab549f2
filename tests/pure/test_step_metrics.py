"""Metrics by step, and a budget that is kept: warnings with the cause once, errors when asked for."""

from __future__ import annotations

import importlib
import sys
import warnings
from dataclasses import replace
from types import SimpleNamespace

import pytest
from builders import compiled, failure, recording

import esper_audit
from esper_audit import RecompileError, RecompileWarning
from esper_audit.api import LiveRecording
from esper_audit.data.compiles import Outcome, RunsAfter
from esper_audit.data.steps import Lookups, Phase
from esper_audit.errors import UsageError
from esper_audit.integrations import metrics
from esper_audit.integrations.metrics import StepMetrics


class Live(LiveRecording):
    """A recording of what a test says that torch does."""

    def __init__(self):
        super().__init__()
        self.held = recording(lookups=Lookups(5, 1))
        self.ends = 0

    def __enter__(self):
        self._recorder = SimpleNamespace(recording=lambda: self.held)  # type: ignore[assignment]
        return self

    def __exit__(self, *error):
        self.ends += 1

    def compiles_now(self, outcome=Outcome.RECOMPILED, phase=Phase.STEADY, **fields):
        number = len(self.held.compiles)
        guards = (failure(actual=f"0.{number}"),) if outcome is not Outcome.COMPILED else ()
        given = {"sequence": number, "phase": phase, "guard_failures": guards, "graph_runs": 3}
        made = compiled(None, outcome, **{**given, **fields})
        self.held = replace(self.held, compiles=(*self.held.compiles, made), steady_at=0.1)
        self._tally.note(made)


@pytest.fixture
def live(monkeypatch):
    made = Live()
    monkeypatch.setattr(esper_audit, "record", lambda **_: made)
    return made


def test_metrics_count_what_happened_up_to_each_step(live):
    with StepMetrics() as steps:
        live.compiles_now(Outcome.COMPILED, Phase.WARM_UP)
        first = steps.measure()
        live.compiles_now()
        live.compiles_now(Outcome.LIMIT, runs_after=RunsAfter.CACHED_ONLY, limit="recompile_limit")
        second, third = steps.measure(), steps.measure()
    names = ("compiles", "recompiles", "new_recompiles", "limits_hit", "eager_frames")
    assert [
        [found[f"esper_audit/{name}"] for name in names] for found in (first, second, third)
    ] == [
        [1, 0, 0, 0, 0],
        [2, 1, 1, 1, 1],
        [2, 1, 0, 1, 1],
    ]
    assert second["esper_audit/recompile_seconds"] == pytest.approx(0.1)
    assert second["esper_audit/compile_seconds"] == pytest.approx(0.3)


def test_an_exceeded_budget_warns_once_with_its_cause_and_its_step(live):
    steps = StepMetrics(max_recompiles=1)
    steps.rank = 3
    with steps:
        live.compiles_now(Outcome.COMPILED)
        live.compiles_now()
        steps.step("step 1")
        steps.check()
        live.compiles_now()
        steps.step("step 2")
        with pytest.warns(
            RecompileWarning, match="^rank 3, step 2: 2 recompiles, 1 allowed"
        ) as said:
            steps.check()
        assert "float-specialized: self.alpha in Host.forward: 0.5 -> 0.1, 0.2" in str(
            said[0].message
        )
        live.compiles_now()
        steps.check()


def test_a_storm_is_judged_once_not_at_each_of_its_recompiles(live, monkeypatch):
    judged: list[int] = []
    monkeypatch.setattr(metrics, "excess", lambda made, *_: judged.append(len(made.compiles)))
    with StepMetrics(max_recompiles=1) as steps:
        for _ in range(9):
            live.compiles_now()
            steps.check()
    assert judged == [2, 9], "as the bound was exceeded, and at the end"


def test_a_limit_is_told_apart_from_the_recompiles_before_it(live):
    with StepMetrics(max_recompiles=0) as steps:
        live.compiles_now(Outcome.COMPILED)
        live.compiles_now()
        with pytest.warns(RecompileWarning, match="1 recompile, 0 allowed"):
            steps.check()
        live.compiles_now(Outcome.LIMIT, runs_after=RunsAfter.CACHED_ONLY, limit="recompile_limit")
        with pytest.warns(RecompileWarning, match="recompile limit"):
            steps.check()


def test_only_causes_after_warm_up_explain_an_excess_after_it(live):
    with StepMetrics(max_recompiles_after_warm_up=0) as steps:
        live.compiles_now(Outcome.COMPILED, Phase.WARM_UP)
        early = failure(source="self.early")
        live.compiles_now(phase=Phase.WARM_UP, guard_failures=(early,))
        steps.check()
        live.compiles_now()
        with pytest.warns(RecompileWarning, match="1 recompile after warm-up, 0 allowed") as said:
            steps.check()
    assert "self.alpha" in str(said[0].message) and "self.early" not in str(said[0].message)


def test_an_error_when_asked_for_comes_after_the_recording_has_ended(live):
    steps = StepMetrics(max_recompiles=0, on_excess="raise")
    steps.begin()
    live.compiles_now(Outcome.COMPILED)
    live.compiles_now()
    with pytest.raises(RecompileError, match="1 recompile, 0 allowed"):
        steps.check()
    assert live.ends == 1
    steps.end()
    assert live.ends == 1


def test_a_warning_that_is_an_error_ends_the_recording_too(live):
    steps = StepMetrics(max_recompiles=0)
    steps.begin()
    live.compiles_now()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(RecompileWarning):
            steps.check()
    assert live.ends == 1


def test_a_budget_over_nothing_is_told_at_the_end(live):
    live.held = recording()
    with (
        pytest.warns(RecompileWarning, match="Not completed: no compiled code ran"),
        StepMetrics(max_recompiles=0),
    ):
        pass


def test_a_training_that_raised_is_not_judged(live):
    live.held = recording()
    with pytest.raises(ValueError, match="own"), StepMetrics(max_recompiles=0):
        raise ValueError("own")
    assert live.ends == 1


def test_warm_up_ends_before_the_first_step_after_it(live, monkeypatch):
    said: list[str] = []
    monkeypatch.setattr(esper_audit, "step", said.append)
    monkeypatch.setattr(esper_audit, "steady_state", lambda: said.append("steady"))
    with StepMetrics(warm_up_steps=2) as steps:
        for number in range(4):
            steps.step(f"step {number}")
            steps.mark(f"validation {number}")
    steps.step("after the end")
    places = ["step 0", "validation 0", "step 1", "validation 1", "steady"]
    assert said == [*places, "step 2", "validation 2", "step 3", "validation 3"]


def test_an_error_of_ours_ends_the_recording_and_not_the_training(live, monkeypatch, capsys):
    def broken(*_):
        raise KeyError("ours")

    monkeypatch.setattr(metrics, "excess", broken)
    with StepMetrics(max_recompiles=0) as steps:
        live.compiles_now()
        steps.check()
        steps.step("on it goes")
    assert live.ends == 1
    assert capsys.readouterr().err == "esper-audit: no longer recording: KeyError: 'ours'\n"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"max_recompiles": -1}, "max_recompiles takes a whole number, not -1."),
        (
            {"max_recompiles_after_warm_up": True},
            "max_recompiles_after_warm_up takes a whole number, not True.",
        ),
        ({"warm_up_steps": "2"}, "warm_up_steps takes a whole number, not '2'."),
        ({"on_excess": "stop"}, "on_excess takes warn or raise, not 'stop'."),
    ],
)
def test_a_wrong_argument_is_told_at_once(given, said):
    with pytest.raises(UsageError) as refused:
        StepMetrics(**given)
    assert str(refused.value) == said and refused.value.hint


def test_a_framework_that_is_missing_is_told_with_the_extra_that_brings_it(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda *_: None)
    monkeypatch.delitem(sys.modules, "esper_audit.integrations.lightning", raising=False)
    with pytest.raises(ImportError, match="lightning is not installed") as refused:
        importlib.import_module("esper_audit.integrations.lightning")
    assert isinstance(refused.value, UsageError)
    assert refused.value.hint == "pip install 'esper-audit[lightning]'"
