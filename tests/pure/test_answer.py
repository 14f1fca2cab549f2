"""The answer of a run, and its verdict."""

from __future__ import annotations

import pytest
from builders import audit, compiled, judged
from report_builders import CONTROL, LAZY, NEVER, eager, failing, recompiles, report, stale

from esper_audit.data.expectations import Budget, Control
from esper_audit.data.verdicts import AuditVerdict, StepVerdict
from esper_audit.diagnosis import overall
from esper_audit.report.answer import alternatives, answer


def first_compiles(count):
    """Compiles after warm-up that are no recompiles, as after torch._dynamo.reset()."""
    return tuple(compiled(step) for step in range(1, count + 1))


@pytest.mark.parametrize(
    ("audits", "wanted"),
    [
        (
            [failing(), failing("epochs"), audit(parameters=LAZY, scenario="steady")],
            "Does it recompile? Yes: with alpha=lazy, 2 of 3 scenarios recompiled after warm-up;"
            " all 2 hit the recompile limit, after which new variants run eagerly.",
        ),
        (
            [failing(count=2, limit=False)],
            "Does it recompile? Yes: with alpha=lazy, 1 of 1 scenarios recompiled after warm-up.",
        ),
        (
            [audit(parameters=LAZY)],
            "Does it recompile? No: with alpha=lazy, 1 of 1 scenarios reused compiled code after"
            " warm-up.",
        ),
        (
            [eager(LAZY), audit(parameters=LAZY)],
            "Does it recompile? No: with alpha=lazy, no scenario recompiled after warm-up, but 1 of"
            " 2 scenarios failed: eager in dormant.",
        ),
        (
            [audit(AuditVerdict.ERROR, parameters=LAZY)],
            "Does it recompile? Not answered: with alpha=lazy, 0 of 1 audits could be judged.",
        ),
        (
            [audit(parameters=LAZY), audit(AuditVerdict.ERROR, parameters=LAZY, scenario="odd")],
            "Does it recompile? Not answered: with alpha=lazy, 1 of 2 audits could not be judged;"
            " 1 of 2 scenarios reused compiled code after warm-up.",
        ),
        (
            [failing(count=1, limit=False, compiles=first_compiles(2))],
            "Does it recompile? No: with alpha=lazy, no scenario recompiled after warm-up, but 1 of"
            " 1 scenarios failed: compiled after warm-up in rollout.",
        ),
        ([], "Not answered: nothing was replayed."),
        (
            [audit(parameters={"size": "3"})],
            "Passed: 1 of 1 scenarios reused compiled code after warm-up.",
        ),
        (
            [failing(), failing(backend="inductor"), audit(parameters=LAZY, backend="eager")],
            "Does it recompile? On aot_eager and inductor: Yes: with alpha=lazy, 1 of 1 scenarios"
            " recompiled after warm-up; it hit the recompile limit, after which new variants run"
            " eagerly. On eager: No: with alpha=lazy, 1 of 1 scenarios reused compiled code after"
            " warm-up.",
        ),
    ],
)
def test_the_answer_is_one_sentence_from_evidence(audits, wanted):
    assert answer(report(*audits)) == wanted


def test_wrong_output_is_said_before_anything_else():
    wrong = audit(
        AuditVerdict.FAILED,
        parameters=LAZY,
        steps=(judged(0, StepVerdict.REUSED), judged(1, StepVerdict.STALE)),
    )
    said = answer(report(failing("rollout"), wrong))
    assert said.startswith(
        "Output is wrong in 1 of 2 scenarios: in some_scenario [lazy], step 1, because of evidence."
        " Does it recompile? Yes: "
    )


def test_recompiles_within_the_budget_are_no_yes():
    steps = tuple(judged(n, StepVerdict.RECOMPILED) for n in range(3))
    within = audit(
        parameters=LAZY, compiles=recompiles(2), budget=Budget(recompiles=2), steps=steps
    )
    assert answer(report(within)).startswith("Does it recompile? No:")


def test_the_alternatives_and_the_control_are_summed_up():
    assert alternatives(report(failing(), audit(), eager(), stale())) == [
        "alpha=buffer: 1 of 2 audits passed; failed: dormant.",
        "alpha=never (negative control): caught as stale in 1 scenario.",
    ]


def test_a_control_that_is_not_caught_is_said_loudly():
    missed = audit(parameters=NEVER)
    assert alternatives(report(missed))[-1] == (
        "alpha=never (negative control): not caught, so this run proves nothing."
    )


# --- the verdict of a run ---


@pytest.mark.parametrize(
    ("audits", "wanted"),
    [
        ([audit()], "passed"),
        ([audit(), audit(AuditVerdict.SKIPPED)], "passed"),
        ([audit(), audit(AuditVerdict.ERROR)], "error"),
        ([audit(AuditVerdict.ERROR), failing()], "failed"),
        ([audit(AuditVerdict.SKIPPED)], "error"),
        ([], "error"),
        ([audit(), stale()], "passed"),
        ([audit(), audit(parameters=NEVER)], "error"),
        ([stale()], "error"),
        ([audit(), stale(), audit(parameters=NEVER, backend="inductor")], "error"),
    ],
)
def test_a_run_passes_only_on_proof(audits, wanted):
    assert overall(audits, control=CONTROL).value == wanted


def test_an_interrupted_run_never_passes():
    assert overall([audit()], interrupted=True) is AuditVerdict.ERROR


def test_a_control_need_not_be_caught_in_a_part_of_the_suite():
    part = Control({"alpha": "never"}, required=False)
    audits = [audit(), audit(parameters=NEVER)]
    assert overall(audits, control=part) is AuditVerdict.PASSED
    assert alternatives(report(*audits, control=part))[-1].endswith("not caught in this selection.")
