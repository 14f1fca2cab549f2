"""A run of a program, judged like a replay: by its budget, and by what eager execution gives."""

from __future__ import annotations

from dataclasses import replace

from builders import compiled, failure, recording

from esper_audit.data.calls import Calls, CompiledCall, Digest
from esper_audit.data.compiles import DeferredWork, Outcome
from esper_audit.data.expectations import ProgramBudget
from esper_audit.data.reasons import Why
from esper_audit.data.recording import Program
from esper_audit.data.steps import Phase
from esper_audit.data.verdicts import AuditVerdict, StepVerdict
from esper_audit.diagnosis.as_steps import audit_of, budget_of, expected_of
from esper_audit.diagnosis.counts import count

PASSED, FAILED, ERROR = AuditVerdict.PASSED, AuditVerdict.FAILED, AuditVerdict.ERROR
PROGRAM = Program(argv=("train.py",), ended="exit 0")


def calls(*values, hits=None, misses=None, graphs=None):
    """A call for each value; the first compiles, the others reuse, unless it is said."""
    rows = [
        CompiledCall(
            number=0,
            output=Digest(("float32[]",), ((value, value, abs(value)),)),
            hits=(hits or [0] + [1] * 9)[place],
            misses=(misses or [0] * 10)[place],
            graphs=(graphs or [1] + [0] * 9)[place],
        )
        for place, value in enumerate(values)
    ]
    return Calls(rows=tuple(rows))


def recorded(recompiles=0, **fields):
    again = [
        compiled(
            None, Outcome.RECOMPILED, phase=Phase.WARM_UP, guard_failures=(failure(),), graph_runs=2
        )
        for _ in range(recompiles)
    ]
    first = compiled(None, phase=Phase.WARM_UP, graph_runs=3)
    return recording((), [first, *again], program=fields.pop("program", PROGRAM), **fields)


def judged(run, eager, again=None, as_is=None, recompiles=0, budget=ProgramBudget(), **fields):
    expected = expected_of(eager, again or eager, as_is or eager, "exit 0")
    made = recorded(recompiles, **fields)
    return audit_of(made, run, budget_of(made, budget), expected, "train.py")


def test_a_run_without_recompiles_that_equals_eager_execution_passes():
    audit = judged(calls(1.0, 2.0, 3.0), calls(1.0, 2.0, 3.0))
    assert audit.verdict is PASSED
    verdicts = [step.verdict for step in audit.steps]
    assert verdicts == [StepVerdict.COMPILED, StepVerdict.REUSED, StepVerdict.REUSED]


def test_a_recompile_fails_a_program_that_says_nothing_of_warm_up():
    audit = judged(calls(1.0, 2.0), calls(1.0, 2.0), recompiles=1)
    assert (audit.verdict, count(audit.recording).compiles_after_warm_up) == (FAILED, 1)


def test_a_recompile_in_warm_up_passes_where_the_program_tells_its_end():
    audit = judged(calls(1.0), calls(1.0), recompiles=1, steady_at=1.0, steady_runs=1)
    assert (audit.verdict, count(audit.recording).compiles_after_warm_up) == (PASSED, 0)


def test_a_backward_is_counted_in_the_phase_of_its_forward():
    known = recorded()
    row = DeferredWork("backward", known.compiles[0].id, None, 0.1)
    audit = judged(calls(1.0), calls(1.0), deferred=(row,))
    assert (audit.verdict, count(audit.recording).compiles_after_warm_up) == (PASSED, 0)
    audit = judged(calls(1.0), calls(1.0), deferred=(row,), steady_at=1.0, steady_runs=1)
    assert count(audit.recording).compiles_after_warm_up == 1


def test_a_bound_that_is_given_replaces_those_that_are_not():
    budget = ProgramBudget(recompiles=2)
    assert judged(calls(1.0), calls(1.0), recompiles=2, budget=budget).verdict is PASSED


def test_a_call_that_gives_something_else_than_eager_execution_fails():
    right = calls(1.0, 2.0, 3.0)
    audit = judged(calls(1.0, 2.0, 2.0), right)
    assert (audit.verdict, audit.reasons[0].why) == (FAILED, Why.CALLS_DIFFER)
    assert audit.steps[2].verdict is StepVerdict.STALE


def test_calls_that_vary_without_compiling_prove_nothing():
    audit = judged(calls(1.0, 2.0), calls(1.0, 2.0), again=calls(1.0, 2.5))
    assert (audit.verdict, audit.reasons[0].why) == (ERROR, Why.CALLS_VARY)


def test_calls_that_differ_as_the_program_is_are_no_fault_of_a_remedy():
    right, as_is = calls(1.0, 2.0, 3.0), calls(1.0, 2.1, 3.1)
    audit = judged(as_is, right, as_is=as_is)
    assert (audit.verdict, audit.reasons[0].why) == (ERROR, Why.CALLS_DIFFER)
    assert StepVerdict.STALE not in [step.verdict for step in audit.steps]
    assert judged(right, right, as_is=as_is).verdict is PASSED


def test_a_difference_before_those_of_the_program_as_it_is_fails():
    right, as_is = calls(1.0, 2.0, 3.0), calls(1.0, 2.0, 3.1)
    assert judged(calls(1.0, 2.2, 3.1), right, as_is=as_is).verdict is FAILED


def test_a_run_that_ends_otherwise_than_the_program_proves_nothing():
    raised = replace(PROGRAM, ended="ValueError: no", exit_code=1)
    audit = judged(calls(1.0), calls(1.0), program=raised)
    assert (audit.verdict, audit.reasons[0].text) == (ERROR, "ValueError: no")


def test_a_program_that_raises_at_its_recompile_fails_by_its_findings():
    raised = replace(PROGRAM, ended="FailOnRecompileLimitHit", exit_code=1)
    audit = judged(calls(1.0), calls(1.0, 2.0), recompiles=1, program=raised)
    assert audit.verdict is FAILED


def test_a_later_call_without_any_lookup_ran_eagerly():
    audit = judged(calls(1.0, 2.0, hits=[0, 0]), calls(1.0, 2.0))
    assert audit.steps[1].verdict is StepVerdict.EAGER


def test_a_call_in_which_no_entry_matched_recompiled_or_ran_eagerly():
    run = calls(1.0, 2.0, 3.0, misses=[0, 1, 1], graphs=[1, 1, 0])
    audit = judged(run, calls(1.0, 2.0, 3.0))
    verdicts = [step.verdict for step in audit.steps]
    assert verdicts == [StepVerdict.COMPILED, StepVerdict.RECOMPILED, StepVerdict.EAGER]
