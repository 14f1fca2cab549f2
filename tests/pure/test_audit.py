"""A replay passes only where every steady step is proven, within the budget."""

from __future__ import annotations

from dataclasses import replace

import pytest
from builders import ENVIRONMENT, compiled, recording, replay, step

from esper_audit.data.comparisons import Comparison
from esper_audit.data.compiles import DeferredWork, GraphBreak, Outcome
from esper_audit.data.differences import Difference, DifferenceKind
from esper_audit.data.expectations import Budget
from esper_audit.data.jobs import ReplayStatus
from esper_audit.data.notices import HookError
from esper_audit.data.steps import Phase
from esper_audit.data.verdicts import AuditVerdict
from esper_audit.diagnosis import judge
from esper_audit.report.words.reasons import all_in_words, in_words

OFF = Difference("output", DifferenceKind.VALUE, "0.8", "0.5")
STALE = (Comparison("reference", "output", False, difference=OFF),)


def judged(found, **fields):
    audit = judge(replay(found, **fields), ENVIRONMENT)
    return audit.verdict.value, all_in_words(audit.reasons)


def test_reuse_in_every_step_passes_and_says_so():
    verdict, reason = judged(recording([step(0, hits=1), step(1, hits=1)]))
    assert verdict == "passed"
    assert reason == "compiled code was reused in 2 of 2 steps after warm-up"


def test_warm_up_may_compile():
    steps = [step(0, phase=Phase.WARM_UP), step(1, hits=1)]
    assert judged(recording(steps, [compiled(0, phase=Phase.WARM_UP)]))[0] == "passed"


def test_a_recompile_after_warm_up_fails():
    found = recording([step(0, misses=1)], [compiled(0, Outcome.RECOMPILED)])
    assert judged(found) == ("failed", "1 compile after warm-up, 0 allowed")


def test_a_recompile_within_the_budget_passes():
    found = recording([step(0, misses=1)], [compiled(0, Outcome.RECOMPILED)])
    verdict, reason = judged(found, budget=Budget(recompiles=1))
    assert verdict == "passed"
    assert "within its budget" in reason


def test_each_bound_after_warm_up_counts_what_it_is_named_after():
    warm = step(0, phase=Phase.WARM_UP)
    made = [compiled(1, Outcome.RECOMPILED), compiled(2)]
    found = recording([warm, step(1, misses=1), step(2)], made)
    over = "2 compiles after warm-up, 1 allowed"
    assert judged(found, budget=Budget(recompiles=1))[0] == "passed"
    assert judged(found, budget=Budget(recompiles=0))[1] == "1 recompile after warm-up, 0 allowed"
    assert judged(found, budget=Budget(compiles_after_warm_up=1)) == ("failed", over)
    both = Budget(recompiles=1, compiles_after_warm_up=1)
    assert judged(found, budget=both) == ("failed", over)


def test_a_first_compile_after_warm_up_is_over_the_default_budget_and_no_recompile():
    warm = step(0, phase=Phase.WARM_UP)
    found = recording([warm, step(1)], [compiled(0, phase=Phase.WARM_UP), compiled(1)])
    assert judged(found) == ("failed", "1 compile after warm-up, 0 allowed")
    assert judged(found, budget=Budget(recompiles=0))[0] == "passed"


def test_eager_steps_fail_with_their_cause():
    verdict, reason = judged(recording([step(0)]))
    assert verdict == "failed"
    assert reason.startswith("ran eagerly in 1 of 1 steps after warm-up: no compiled code ran")


def test_eager_steps_within_the_budget_pass():
    found = recording([step(0), step(1, hits=1)])
    assert judged(found, budget=Budget(eager_steps=1))[0] == "passed"


def test_wrong_output_fails_even_in_warm_up():
    steps = [step(0, hits=1, phase=Phase.WARM_UP, comparisons=STALE), step(1, hits=1)]
    verdict, reason = judged(recording(steps))
    assert verdict == "failed"
    assert "output differs from reference: it is 0.8 instead of 0.5" in reason


def test_graph_breaks_over_the_budget_fail():
    broken = compiled(0, phase=Phase.WARM_UP, graph_breaks=(GraphBreak("print", None),))
    found = recording([step(0, phase=Phase.WARM_UP), step(1, hits=1)], [broken])
    assert judged(found)[0] == "passed"
    assert judged(found, budget=Budget(graph_breaks=0))[0] == "failed"


def test_compiles_in_all_over_the_budget_fail():
    made = [compiled(0, phase=Phase.WARM_UP), compiled(1, phase=Phase.WARM_UP)]
    steps = [step(0, phase=Phase.WARM_UP), step(1, phase=Phase.WARM_UP), step(2, hits=1)]
    found = recording(steps, made)
    assert judged(found, budget=Budget(compiles=2))[0] == "passed"
    verdict, reason = judged(found, budget=Budget(compiles=1))
    assert (verdict, reason) == ("failed", "2 compiles in all, 1 allowed")


def test_a_share_of_compile_seconds_is_advice_and_fails_nothing():
    found = recording([step(0, hits=1)], [compiled(None, phase=Phase.WARM_UP)])
    done = replace(replay(found, budget=Budget(compile_share=0.5)), wall_seconds=0.125)
    audit = judge(done, ENVIRONMENT)
    assert audit.verdict == "passed"
    assert tuple(map(in_words, audit.advice)) == ("compiling took 80% of its seconds, 50% advised",)


def test_an_audit_holds_the_budget_that_it_was_judged_by():
    audit = judge(replay(recording([step(0, hits=1)]), budget=Budget(graph_breaks=3)), ENVIRONMENT)
    assert audit.budget == Budget(compiles_after_warm_up=0, eager_steps=0, graph_breaks=3)


def test_no_steady_step_is_an_error_and_no_pass():
    assert judged(recording([step(0, hits=1, phase=Phase.WARM_UP)]))[0] == "error"
    assert judged(recording())[0] == "error"


def test_an_unproven_step_is_an_error_and_no_pass():
    verdict, reason = judged(recording([step(0, hits=1, error="ValueError: no")]))
    assert (verdict, reason) == ("error", "step 0 proves nothing: raised ValueError: no")


def test_a_failing_hook_makes_a_pass_an_error():
    broken = (HookError("compile", "Traceback\nKeyError: 'x'"),)
    verdict, reason = judged(recording([step(0, hits=1)], hook_errors=broken))
    assert verdict == "error"
    assert "KeyError: 'x'" in reason


def test_a_failing_hook_makes_a_failure_an_error_too():
    broken = (HookError("guards", "Traceback\nKeyError: 'x'"),)
    assert judged(recording([step(0)], hook_errors=broken))[0] == "error"


def test_a_backward_compiled_after_warm_up_is_over_budget():
    rows = (DeferredWork("backward", "0/0", 0, 0.1),)
    assert judged(recording([step(0, hits=1)], deferred=rows))[0] == "failed"


def test_the_backward_of_a_recompiled_frame_is_not_counted_again():
    rows = (DeferredWork("backward", "0/0", 0, 0.1),)
    found = recording([step(0, misses=1)], [compiled(0, Outcome.RECOMPILED)], deferred=rows)
    assert judged(found) == ("failed", "1 compile after warm-up, 0 allowed")


AGAIN = recording(
    [step(0, phase=Phase.WARM_UP), step(1, misses=1)],
    [compiled(0, phase=Phase.WARM_UP), compiled(1, Outcome.RECOMPILED)],
)


def test_kinds_to_fail_on_take_the_place_of_the_default_budget():
    assert judged(AGAIN)[0] == "failed"
    assert judged(AGAIN, fail_on=("graph-break",))[0] == "passed"
    eagerly = recording([step(0), step(1, hits=1)])
    assert judged(eagerly, fail_on=("recompile",))[0] == "passed"
    assert judged(eagerly, fail_on=("eager",)) == (
        "failed",
        "eager execution in every compiled function",
    )


def test_a_bound_counts_beside_kinds_to_fail_on():
    bound = Budget(recompiles=0)
    assert judged(AGAIN, fail_on=("graph-break",), budget=bound)[0] == "failed"


def test_wrong_output_fails_whatever_kinds_fail():
    stale = recording([step(0, hits=1, comparisons=STALE)])
    verdict, reason = judged(stale, fail_on=("graph-break", "stale-output"))
    assert (verdict, reason.count("output")) == ("failed", 2), reason


def test_an_audit_holds_the_kinds_that_it_fails_on():
    assert judge(replay(AGAIN, fail_on=("limit",)), ENVIRONMENT).fail_on == ("limit",)


def test_a_skipped_replay_is_skipped_and_a_dead_one_an_error():
    assert judged(None, status=ReplayStatus.SKIPPED, reason="no GPU") == ("skipped", "no GPU")
    assert judged(None, status=ReplayStatus.ERROR, reason="killed") == ("error", "killed")


def test_an_audit_holds_the_whole_recording_and_the_breaks_with_their_compile():
    broken = compiled(0, graph_breaks=(GraphBreak("print", None),))
    warm = step(9, phase=Phase.WARM_UP)
    audit = judge(replay(recording([step(0), warm], [broken])), ENVIRONMENT)
    assert audit.recording.compiles == (broken,)
    assert audit.graph_breaks == (GraphBreak("print", None, compile_id="0/0"),)
    assert audit.verdict is AuditVerdict.FAILED


WITHOUT_WARM_UP = recording([step(0), step(1, hits=1)], [compiled(0)])


def test_a_scenario_without_warm_up_gets_its_own_words_and_no_verdict():
    verdict, reason = judged(WITHOUT_WARM_UP)
    assert verdict == "error"
    assert reason.startswith("no step ran inside `with replay.warm_up():`")


def test_a_compile_that_its_budget_allows_is_no_mistake():
    assert judged(WITHOUT_WARM_UP, budget=Budget(compiles_after_warm_up=1))[0] == "passed"


def test_a_mistake_does_not_hide_wrong_output():
    stale = recording([step(0, comparisons=STALE)], [compiled(0)])
    assert judged(stale)[0] == "failed"


@pytest.mark.parametrize(
    "asked",
    [{"budget": Budget(eager_steps=9)}, {"fail_on": ("graph-break",)}, {"fail_on": ("limit",)}],
    ids=["a bound", "another kind", "limits alone"],
)
def test_eager_steps_alone_never_pass_whatever_is_allowed(asked):
    verdict, reason = judged(recording([step(0), step(1)]), **asked)
    assert (verdict, reason) == (
        "error",
        "no compiled code ran after warm-up, so nothing is proven",
    )
