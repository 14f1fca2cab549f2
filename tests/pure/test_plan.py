"""What is selected to run, and how a wrong selection is refused."""

from __future__ import annotations

import pytest

from esper_audit.cli.replaying import Replaying
from esper_audit.data.config import Config
from esper_audit.data.expectations import Budget
from esper_audit.data.jobs import ScenarioInfo
from esper_audit.errors import UsageError
from esper_audit.replay.plan import KeywordMatcher, Options, parse_params, plan

ROLLOUT = ScenarioInfo(
    name="rollout",
    file="/p/rollout.py",
    question="Does it?",
    params={"alpha": ("lazy", "buffer", "fresh"), "scope": ("host", "slot")},
    budget=Budget(recompiles=2),
    time_limit=7.0,
)
STEADY = ScenarioInfo(name="steady", file="/p/steady.py", question="And this?")
BOTH = (ROLLOUT, STEADY)


def titles(**options) -> list[str]:
    return [job.title for job in plan(BOTH, Options(**options))]


def test_all_combinations_are_replayed_by_default():
    assert titles() == [
        "rollout[lazy-host]",
        "rollout[lazy-slot]",
        "rollout[buffer-host]",
        "rollout[buffer-slot]",
        "rollout[fresh-host]",
        "rollout[fresh-slot]",
        "steady",
    ]


def test_the_configuration_narrows_and_the_command_line_decides():
    narrowed = {"alpha": ["lazy"], "scope": ["host"]}
    assert titles(default_params=narrowed) == ["rollout[lazy-host]", "steady"]
    asked = titles(default_params=narrowed, params={"alpha": ["buffer"]})
    assert asked == ["rollout[buffer-host]", "steady"]
    every = titles(default_params=narrowed, params={"alpha": ["all"]})
    assert every == ["rollout[lazy-host]", "rollout[buffer-host]", "rollout[fresh-host]", "steady"]


def test_configured_values_that_a_scenario_lacks_do_not_narrow_it():
    assert len(titles(default_params={"alpha": ["unheard"]})) == 7


def test_each_backend_is_replayed():
    jobs = plan((STEADY,), Options(backends=("eager", "inductor")))
    assert [job.options.backend for job in jobs] == ["eager", "inductor"]


def test_of_a_budget_the_nearest_bound_wins():
    nearest, farthest = Budget(recompiles=9), Budget(recompiles=1, graph_breaks=3)
    params = {"alpha": ["fresh"]}
    job = plan((ROLLOUT,), Options(params=params, default_budget=farthest))[0]
    assert job.budget == Budget(recompiles=2, graph_breaks=3), "the scenario's own, then configured"
    job = plan((ROLLOUT,), Options(params=params, budget=nearest, default_budget=farthest))[0]
    assert job.budget == Budget(recompiles=9, graph_breaks=3), "the command line first"


def test_a_job_carries_what_its_scenario_declares():
    job = plan((ROLLOUT,), Options(params={"alpha": ["fresh"]}, time_limit=99.0))[0]
    assert (job.budget.recompiles, job.time_limit) == (2, 7.0)
    assert job.choices == {"alpha": 2, "scope": 0}


@pytest.mark.parametrize(
    ("expression", "wanted"),
    [
        ("steady", ["steady"]),
        ("rollout and slot and not fresh", ["rollout[lazy-slot]", "rollout[buffer-slot]"]),
        ("STEADY or (buffer and host)", ["rollout[buffer-host]", "steady"]),
        ("lazy-host", ["rollout[lazy-host]"]),
    ],
)
def test_k_selects_by_name_parts(expression, wanted):
    assert titles(keyword=expression) == wanted


@pytest.mark.parametrize("expression", ["and", "a or", "(a", "a b", "not", "f()"])
def test_a_broken_expression_is_refused(expression):
    with pytest.raises(UsageError, match="-k has an invalid expression"):
        KeywordMatcher(expression)


def test_an_empty_selection_is_refused_with_what_there_is():
    with pytest.raises(UsageError, match="Nothing is selected") as caught:
        plan(BOTH, Options(keyword="nowhere"))
    assert "rollout, steady" in caught.value.hint


def test_an_unknown_parameter_or_value_is_refused_with_what_there_is():
    with pytest.raises(UsageError, match="No scenario has a parameter 'beta'") as caught:
        plan(BOTH, Options(params={"beta": ["1"]}))
    assert "alpha, scope" in caught.value.hint
    with pytest.raises(UsageError, match="'alpha' has no value 'lzay'") as caught:
        plan(BOTH, Options(params={"alpha": ["lzay"]}))
    assert "lazy, buffer, fresh" in caught.value.hint


def test_params_of_the_command_line_are_read():
    assert parse_params(["alpha=lazy,buffer", "alpha=fresh", "n=1"]) == {
        "alpha": ["lazy", "buffer", "fresh"],
        "n": ["1"],
    }


@pytest.mark.parametrize("text", ["alpha", "=x", "alpha=", ""])
def test_a_param_that_is_no_pair_is_refused(text):
    with pytest.raises(UsageError, match="NAME=VALUE"):
        parse_params([text])


def test_the_options_of_the_command_line_make_a_budget():
    chosen = Replaying(
        max_recompiles_after_warm_up=1,
        max_compiles_after_warm_up=6,
        max_eager_steps=2,
        max_compiles=3,
        max_graph_breaks=4,
        max_compile_share=0.5,
    )
    assert chosen.budget == Budget(
        recompiles=1,
        compiles_after_warm_up=6,
        eager_steps=2,
        compiles=3,
        graph_breaks=4,
        compile_share=0.5,
    )
    assert Replaying().budget == Budget(), "what is not given bounds nothing"


def test_kinds_to_fail_on_reach_every_job(tmp_path):
    (tmp_path / "s.py").write_text("from esper_audit import scenario")
    request = Replaying().request((str(tmp_path / "s.py"),), Config(), ("eager", "limit"))
    assert request.options.fail_on == ("eager", "limit")
    assert all(job.fail_on == ("eager", "limit") for job in plan((ROLLOUT,), request.options))
