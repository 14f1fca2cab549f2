"""A run that was cut short says so, and how far it came, whatever it is printed as."""

from __future__ import annotations

import json

import pytest
from builders import ENVIRONMENT, audit, compiled, recording, step
from report_builders import failing, printed, report, stale

from esper_audit.auditing import Request, assemble, run_audit
from esper_audit.data.config import Config, ControlConfig
from esper_audit.data.expectations import Control, Question
from esper_audit.data.jobs import (
    Collection,
    CompileOptions,
    Job,
    Replay,
    ReplayStatus,
    ScenarioInfo,
    not_run,
)
from esper_audit.data.steps import Phase
from esper_audit.data.verdicts import AuditVerdict
from esper_audit.diagnosis import judge, overall
from esper_audit.replay.plan import Options
from esper_audit.report.answer import answer
from esper_audit.report.formats import Format, render


def left(scenario):
    return judge(
        not_run(Job(scenario=scenario, file="/p/s.py", options=CompileOptions(backend="eager"))),
        ENVIRONMENT,
    )


def cut(*audits, **fields):
    """A report on these audits and two that the run never came to."""
    every = (*audits, left("second"), left("third"))
    plain = {"question": Question(), "control": None, "interrupted": True}
    return report(*every, **{**plain, "verdict": overall(every, interrupted=True), **fields})


@pytest.fixture
def one_of_three():
    return cut(audit())


def test_the_answer_says_how_many_audits_were_done(one_of_three):
    wanted = "Interrupted: 1 of 3 audits was done, so this run proves nothing."
    assert answer(one_of_three) == wanted


def test_the_answer_names_what_failed_until_then():
    wanted = "2 of 4 audits were done, so this run proves nothing. Until then 1 audit failed: late."
    assert answer(cut(audit(), failing("late"))) == f"Interrupted: {wanted}"


def test_wrong_output_and_the_question_stand_before_it():
    said = answer(cut(stale(), question=Question("Does it recompile?")))
    assert said.startswith("Output is wrong in 1 of 1 scenario")
    assert "Does it recompile? Interrupted: 1 of 3 audits was done" in said


def test_a_run_that_was_cut_short_after_its_last_audit_says_what_is_missing():
    whole = report(audit(), question=Question(), control=None, interrupted=True)
    wanted = "1 of 1 audits was done, but the search for who wrote the state was not finished"
    assert answer(whole) == f"Interrupted: {wanted}."


def test_a_run_that_was_cut_short_before_its_first_audit_proves_nothing():
    assert answer(cut()) == "Interrupted: 0 of 2 audits were done, so this run proves nothing."


@pytest.mark.parametrize("form", [Format.RICH, Format.PLAIN])
@pytest.mark.parametrize("width", [40, 80, 200])
def test_on_a_terminal_it_is_no_pass_and_not_green(one_of_three, form, width):
    for verbosity in (-1, 0, 1):
        text = render(one_of_three, form, verbosity, width)
        assert "Passed" not in text
        assert " ".join(text.split()).find("1 of 3 audits was done") > 0
    quiet = render(one_of_three, form, -1, width)
    assert "passed" not in quiet
    assert "\x1b[1;32m" not in quiet and "\x1b[32m" not in quiet


def test_what_was_not_run_is_listed_once(one_of_three):
    text = " ".join(printed(one_of_three).split())
    assert "not run, as the audit was interrupted: second eager, third eager" in text
    assert "1 audit in" in text


def test_alternatives_and_controls_are_not_held_against_what_was_not_run():
    control = Control({"alpha": "never"})
    text = printed(cut(audit(), control=control, columns="alpha"), verbosity=-1)
    assert len(text.strip().splitlines()) == 1


@pytest.mark.parametrize("form", [Format.MARKDOWN, Format.GITHUB, Format.JUNIT, Format.SARIF])
def test_what_a_ci_reads_says_it_and_holds_no_pass(one_of_three, form):
    text = render(one_of_three, form)
    assert "Interrupted: 1 of 3 audits was done" in text
    assert "Passed" not in text


def test_junit_counts_what_was_not_run_as_errors(one_of_three):
    text = render(one_of_three, Format.JUNIT)
    assert 'errors="3"' in text and 'skipped="0"' in text and 'tests="4"' in text


def test_annotations_tell_of_it_once(one_of_three):
    lines = render(one_of_three, Format.GITHUB).splitlines()
    assert [line.split()[0] for line in lines] == ["::error", "::notice"]
    log = json.loads(render(one_of_three, Format.SARIF))["runs"][0]
    assert [result["ruleId"] for result in log["results"]] == ["not-judged"]
    assert log["invocations"] == [{"executionSuccessful": False}]


def test_json_marks_it_and_holds_errors_for_what_was_not_run(one_of_three):
    found = json.loads(render(one_of_three, Format.JSON))
    assert (found["interrupted"], found["verdict"]) == (True, "error")
    assert [replayed["verdict"] for replayed in found["audits"]] == ["passed", "error", "error"]


@pytest.mark.parametrize("arguments", [["-q"], [], ["-v"], ["--format", "plain"]])
def test_a_saved_one_is_shown_as_it_was(desk, arguments):
    name = desk.saved(audit(), left("second"), question=Question(), interrupted=True)
    code, out, _ = desk.run("show", name, *arguments)
    assert "Interrupted: 1 of 2 audits was done" in out
    assert "Passed" not in out
    assert code == 3


def test_a_control_that_was_not_run_is_not_missed():
    config = Config(control=ControlConfig(params={"alpha": "never"}))
    options = CompileOptions(backend="eager")
    job = Job(scenario="s", file="/p/s.py", options=options, parameters={"alpha": "never"})
    audits = (audit(), judge(not_run(job), ENVIRONMENT))
    whole = assemble(audits, (), ENVIRONMENT, config, interrupted=True, whole=True, seconds=1.0)
    assert (whole.control_missed, whole.verdict) == (False, AuditVerdict.ERROR)


class InterruptedPool:
    """Replays one job in its own way, and is then interrupted."""

    def __init__(self, steps):
        self._steps = steps

    def collect(self, *_):
        found = (ScenarioInfo(name=name, file="/p/s.py", question="") for name in "abc")
        return Collection(scenarios=tuple(found), backends=("eager",)), ENVIRONMENT

    def replay(self, jobs, *_):
        made = recording(self._steps, [compiled(0, phase=Phase.WARM_UP)])
        yield Replay(job=jobs[0], status=ReplayStatus.COMPLETED, recording=made)
        raise KeyboardInterrupt


class Unheard:
    """Progress that nobody follows."""

    def __getattr__(self, name):
        return lambda *_: None


@pytest.mark.parametrize(
    ("shares", "verdicts"),
    [(False, ["passed", "error", "error"]), (True, ["error", "error", "error"])],
    ids=["proven", "not yet proven undisturbed"],
)
def test_all_that_was_planned_is_in_the_report_of_a_run_that_is_interrupted(shares, verdicts):
    steps = (step(0, misses=1, phase=Phase.WARM_UP), step(1, hits=1, shares=shares))
    request = Request(("/p",), Options(backends=("eager",)), Config())
    whole = run_audit(request, InterruptedPool(steps), Unheard())  # type: ignore[arg-type]
    assert [replayed.verdict.value for replayed in whole.audits] == verdicts
    assert whole.interrupted and whole.verdict is AuditVerdict.ERROR
    assert f"Interrupted: {verdicts.count('passed')} of 3 audits" in answer(whole)
