"""What the gate makes of a change: worse, improved, new, stale, not comparable, not deterministic."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from builders import ENVIRONMENT, audit, but, compiled, judged, recording, told
from report_builders import BUFFER, failing, report

from esper_audit.data.changes import ChangeKind, Entry
from esper_audit.data.compiles import GraphBreak
from esper_audit.data.steps import Phase
from esper_audit.data.verdicts import AuditVerdict, StepVerdict
from esper_audit.diagnosis.eager import step_findings
from esper_audit.gate import compare, differs, hold_against, measure, updated, verdict_of
from esper_audit.report.words.reasons import in_words

BREAKS = (GraphBreak("print", None),)
PASSING = audit(scenario="rollout", parameters=BUFFER)
FAILING = failing(scenario="rollout", count=3, parameters=BUFFER)
WHOLE = but(PASSING, compiles=(compiled(0, phase=Phase.WARM_UP),))
BROKEN = but(PASSING, compiles=(replace(WHOLE.recording.compiles[0], graph_breaks=BREAKS),))
SKIPPED = replace(PASSING, verdict=AuditVerdict.SKIPPED, steps=())
ERROR = replace(PASSING, verdict=AuditVerdict.ERROR, reasons=(told("it crashed"),))
OTHER_TORCH = replace(ENVIRONMENT, torch="2.14.1+cu130")


def measured(*audits):
    return measure([report(*audits)])


def entries(*audits):
    return tuple(entry for run in measured(*audits) for entry in run.entries)


def gated(now, before, **fields):
    """The kind of the one result, its texts, and the gate's verdict."""
    now = now if isinstance(now, tuple) else (now,)
    results = hold_against(measured(*now), entries(*before), **fields)
    texts = [in_words(change.reason) for change in results[0].changes]
    return results[0].kind.value, texts, verdict_of(results).value


def test_the_accepted_state_passes():
    assert gated(PASSING, [PASSING]) == ("same", [], "passed")
    assert gated(FAILING, [FAILING]) == ("same", [], "passed"), "a failure may be accepted"


def test_a_failure_in_place_of_a_pass_names_counts_and_cause():
    kind, texts, verdict = gated(FAILING, [PASSING])
    assert (kind, verdict) == ("worse", "failed")
    assert texts == [
        "verdict: passed -> failed",
        "compiles after warm-up: 0 -> 3",
        "eager: 0 -> 1",
        "new cause",
    ]


def test_a_pass_where_a_failure_was_accepted_is_improved_and_fails_too():
    kind, texts, verdict = gated(PASSING, [FAILING])
    assert (kind, verdict) == ("improved", "failed")
    assert "verdict: failed -> passed" in texts
    assert texts[-1] == "no longer found"


@pytest.mark.parametrize(
    ("now", "before", "kind"),
    [
        (failing("rollout", 5), failing("rollout", 3), "worse"),
        (failing("rollout", 3), failing("rollout", 5), "improved"),
        (BROKEN, WHOLE, "worse"),
        (WHOLE, BROKEN, "improved"),
        (SKIPPED, PASSING, "worse"),
        (PASSING, SKIPPED, "improved"),
        (SKIPPED, SKIPPED, "same"),
        (SKIPPED, FAILING, "worse"),
        (FAILING, SKIPPED, "worse"),
    ],
)
def test_counts_and_verdicts_have_a_direction(now, before, kind):
    now, before = (replace(side, parameters=BUFFER) for side in (now, before))
    assert gated(now, [before])[0] == kind


def test_an_audit_without_an_entry_is_new_and_fails_though_it_passes():
    other = replace(PASSING, scenario="other")
    assert gated(other, [PASSING]) == ("new", ["it is not in the baseline"], "failed")
    assert gated(replace(FAILING, scenario="other"), [PASSING])[1] == [
        "it is not in the baseline; it failed",
        "new cause",
    ]


def test_another_backend_or_other_options_are_no_match():
    assert gated(replace(PASSING, backend="inductor"), [PASSING])[0] == "new"
    assert gated(replace(PASSING, options={"compare": "false"}), [PASSING])[0] == "new"
    same = replace(PASSING, options={"compare": "true", "dynamic": "auto"})
    assert gated(same, [PASSING])[0] == "same", "defaults are no part of the key"


def test_an_environment_without_entries_is_not_comparable_and_never_passes():
    now = but(PASSING, environment=OTHER_TORCH)
    assert gated(now, [PASSING])[::2] == ("not-comparable", "failed")
    assert gated(now, [])[::2] == ("not-comparable", "failed"), "no baseline at all"


def test_environments_live_side_by_side():
    both = [PASSING, but(FAILING, environment=OTHER_TORCH)]
    assert gated(PASSING, both)[0] == "same"
    assert gated(but(PASSING, environment=OTHER_TORCH), both)[0] == "improved"


def test_a_local_label_of_torch_is_no_other_environment():
    local = but(PASSING, environment=replace(ENVIRONMENT, torch="2.13.0+cpu"))
    assert gated(local, [PASSING])[0] == "same"


DECLARED: dict[str, Any] = {
    "rollout": {"alpha": ("buffer", "lazy")},
    "not_selected": {"alpha": ("buffer",)},
}


@pytest.mark.parametrize(
    ("fields", "is_stale"),
    [
        ({"scenario": "renamed_since"}, True),
        ({"parameters": {"alpha": "value_that_is_gone"}}, True),
        ({"parameters": {"other": "buffer"}}, True),
        ({"parameters": {}}, True),
        ({"scenario": "renamed_since", "backend": "inductor"}, True),
        ({"scenario": "not_selected"}, False),
        ({"parameters": {"alpha": "lazy"}}, False),
        ({"backend": "inductor"}, False),
        ({"options": {"dynamic": "true"}}, False),
        ({"scenario": "renamed_since", "environment": OTHER_TORCH}, False),
        ({"scenario": "train.py --epochs 3", "backend": "", "parameters": {}}, False),
    ],
)
def test_an_entry_is_stale_where_no_run_can_match_it_any_more(fields, is_stale):
    baseline = entries(PASSING, but(PASSING, **fields))
    results = hold_against(measured(PASSING), baseline, declared=DECLARED)
    assert ("unmatched" in [result.kind.value for result in results]) is is_stale
    assert verdict_of(results) == ("failed" if is_stale else "passed")
    assert len(accepted(baseline, PASSING, declared=DECLARED)) == (1 if is_stale else 2)


def test_where_not_all_scenarios_are_known_no_entry_is_stale():
    baseline = entries(PASSING, replace(PASSING, scenario="in_a_file_that_is_broken"))
    assert len(hold_against(measured(PASSING), baseline)) == 1


def test_what_could_not_be_judged_is_an_error_and_no_change():
    kind, texts, verdict = gated(ERROR, [PASSING])
    assert (kind, texts, verdict) == ("error", ["it could not be judged: it crashed"], "error")


def test_nothing_and_skipped_alone_prove_nothing():
    assert verdict_of([]) is AuditVerdict.ERROR
    assert gated(SKIPPED, [SKIPPED])[2] == "error"


def test_counts_that_differ_from_run_to_run_are_named_as_such():
    kind, texts, verdict = gated((FAILING, failing("rollout", 4, parameters=BUFFER)), [FAILING])
    assert (kind, verdict) == ("not-deterministic", "failed")
    assert "compiles after warm-up: 3, 4 over 2 runs" in texts
    assert "recompiles: 3, 4 over 2 runs" in texts


def test_a_cause_that_comes_and_goes_is_not_deterministic():
    texts = gated((PASSING, FAILING), [PASSING])[1]
    assert "verdicts: passed, failed over 2 runs" in texts
    assert "recompiles: absent, 3 over 2 runs" in texts


def test_what_is_worse_in_any_run_is_worse_however_much_runs_differ():
    runs = (FAILING, failing("rollout", 5, parameters=BUFFER))
    kind, texts, _ = gated(runs, [PASSING])
    assert kind == "not-deterministic"
    assert "verdict: passed -> failed" in texts
    for words in (("worse",), ("float-specialized",)):
        assert gated(runs, [PASSING], fail_on=words)[2] == "failed"
    assert gated(runs, [PASSING], fail_on=())[2] == "error", "chance is never a pass"


def test_equal_runs_count_once():
    assert gated((FAILING, FAILING, FAILING), [FAILING]) == ("same", [], "passed")


@pytest.mark.parametrize(
    ("now", "before", "words", "verdict"),
    [
        (FAILING, PASSING, ("worse",), "failed"),
        (FAILING, PASSING, ("improved",), "passed"),
        (PASSING, FAILING, ("worse",), "passed"),
        (FAILING, PASSING, ("float-specialized",), "failed"),
        (FAILING, PASSING, ("size-changed",), "passed"),
        (but(PASSING, environment=OTHER_TORCH), PASSING, ("worse",), "error"),
        (ERROR, PASSING, ("improved",), "error"),
    ],
)
def test_fail_on_selects_what_fails_and_never_what_is_reported(now, before, words, verdict):
    results = hold_against(measured(now), entries(before), words)
    assert verdict_of(results).value == verdict
    assert results[0].changes, "it is reported all the same"


def test_a_diagnosis_selects_the_growth_of_what_it_counts():
    def stale(number):
        steps = tuple(judged(n, StepVerdict.STALE) for n in range(number))
        found = step_findings(steps, recording([one.step for one in steps]), ())
        return replace(PASSING, verdict=AuditVerdict.FAILED, steps=steps, findings=found)

    assert gated(stale(9), [stale(1)], fail_on=("stale-output",))[2] == "failed"
    assert gated(stale(9), [stale(1)], fail_on=("size-changed",))[2] == "passed"


def test_eager_steps_and_wrong_output_are_counted():
    eager = replace(PASSING, steps=(judged(0, StepVerdict.EAGER),))
    stale = replace(PASSING, steps=(judged(0, StepVerdict.STALE, phase=Phase.WARM_UP),))
    assert "eager: 0 -> 1" in gated(eager, [PASSING])[1]
    assert "stale: 0 -> 1" in gated(stale, [PASSING])[1]


# --- updating ---


def accepted(baseline, *audits, declared=None, reason=""):
    found = measured(*audits)
    return updated(baseline, found, hold_against(found, baseline, declared=declared), reason)


def test_an_update_accepts_the_new_state_whatever_it_is():
    now = accepted(entries(PASSING), FAILING)
    assert verdict_of(hold_against(measured(FAILING), now)) is AuditVerdict.PASSED
    assert not differs(FAILING, now)
    assert differs(PASSING, now)


def test_an_update_keeps_other_environments_and_what_was_not_audited():
    elsewhere = but(PASSING, environment=OTHER_TORCH)
    unselected = replace(PASSING, scenario="not_selected")
    before = entries(elsewhere, unselected, PASSING)
    after = accepted(before, FAILING)
    kept = [entry for entry in after if entry in (*entries(elsewhere), *entries(unselected))]
    assert len(kept) == 2


def test_what_could_not_be_judged_keeps_its_old_entry():
    assert accepted(entries(PASSING), ERROR) == entries(PASSING)


def test_reasons_stay_over_updates_and_a_new_one_goes_to_failures_and_causes():
    first = accepted((), FAILING, reason="the ticket's pattern")
    assert {entry.reason for entry in first if entry.id} == {"the ticket's pattern"}
    again = accepted(first, failing("rollout", 5, parameters=BUFFER))
    assert {entry.reason for entry in again if entry.id} == {"the ticket's pattern"}
    renewed = accepted(first, FAILING, reason="another")
    assert renewed == first, "what has not changed keeps its own reason"


def test_a_pass_needs_no_reason():
    assert [entry.reason for entry in accepted((), PASSING, reason="why")] == [""]


def test_entries_are_sorted_whatever_the_order_of_the_audits():
    other = replace(PASSING, scenario="another")
    assert accepted((), PASSING, other) == accepted((), other, PASSING)


# --- side by side ---


def test_two_audits_are_compared_without_a_baseline():
    results = compare(measured(PASSING), measured(FAILING))
    assert [result.kind for result in results] == [ChangeKind.WORSE]
    assert (results[0].before.verdict, results[0].after.verdict) == ("passed", "failed")
    assert compare(measured(PASSING), measured(PASSING))[0].kind is ChangeKind.SAME


def test_a_backend_that_one_of_them_lacks_is_a_difference():
    both = measured(PASSING, replace(PASSING, backend="inductor"))
    kinds = [result.kind.value for result in compare(both, measured(PASSING))]
    assert kinds == ["unmatched", "same"]
    assert [result.kind.value for result in compare(both, ())] == ["unmatched"] * 2
    assert not any(result.fails for result in compare(both, ()))


def test_an_audit_in_one_of_them_alone_is_shown():
    other = replace(PASSING, scenario="other")
    kinds = {result.kind.value for result in compare(measured(PASSING), measured(other))}
    assert kinds == {"new", "unmatched"}


def test_an_entry_says_what_it_is_about():
    entry = Entry(
        torch="2.13.0",
        device="cpu",
        scenario="s",
        parameters={"a": "x"},
        backend="inductor",
        options={"mode": "max-autotune"},
        in_warm_up=0,
        after_warm_up=0,
    )
    subject = entry.subject
    assert (subject.title, subject.way) == ("s [x]", "inductor mode=max-autotune")
    assert subject.environment == "torch 2.13.0, cpu"
