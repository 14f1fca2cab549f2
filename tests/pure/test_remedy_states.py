from __future__ import annotations

from dataclasses import replace

from builders import judged, told
from remedy_builders import PASSED, STORM, C, E, R, S, cause, finding, ran

from esper_audit.data.comparisons import Comparison
from esper_audit.data.diagnoses import Diagnosis
from esper_audit.data.findings import Pattern
from esper_audit.data.reasons import Reason, Why
from esper_audit.data.remedies import Ground, RemedyState
from esper_audit.data.steps import Phase
from esper_audit.data.verdicts import AuditVerdict
from esper_audit.remedies.candidates import causes_of
from esper_audit.remedies.states import eager_is_wrong, state_of

COVERS = (cause(),)
LIMIT = ran(C, C, C, E, E, findings=[finding(limit_hit=True)])


def shown(before, after, covers=COVERS):
    return state_of(before, after, covers, causes_of(after))


def state(before, after, covers=COVERS):
    return shown(before, after, covers).state


def error(why: Why, **fields):
    return ran(R, verdict=AuditVerdict.ERROR, reasons=(Reason(why=why, **fields),))


def test_an_audit_that_passes_is_proven():
    assert state(STORM, PASSED) is RemedyState.PROVEN


def test_the_same_compiles_are_no_effect():
    found = shown(STORM, STORM)
    assert (found.state, found.compiles) == (RemedyState.NO_EFFECT, 4)
    assert found.because.ground is Ground.STILL_COMPILES and found.because.count == 4


def test_a_lever_that_the_code_sets_itself_has_no_effect_and_says_so():
    note = Reason(why=Why.LEVER_OVERRIDDEN, text="dynamic")
    after = ran(*(C, R) * 4, findings=[finding()], notes=(note,))
    found = shown(STORM, after)
    assert (found.state, found.because.ground) == (RemedyState.NO_EFFECT, Ground.SET_BY_USER)
    assert found.because.text == "dynamic"


def test_one_compile_and_then_none_converges():
    after = ran(C, *(R,) * 7, findings=[finding(pattern=Pattern.CONVERGENCE)])
    assert state(STORM, after) is RemedyState.CONVERGES


def test_a_compile_with_nothing_after_it_does_not_converge():
    after = ran(*(R,) * 7, C, findings=[finding(pattern=Pattern.SINGLE)])
    assert state(STORM, after) is RemedyState.NO_EFFECT


def test_a_shorter_storm_does_not_converge():
    after = ran(C, R, C, R, C, R, R, R, findings=[finding(pattern=Pattern.STORM)])
    assert state(STORM, after) is RemedyState.NO_EFFECT


def test_what_converges_as_it_is_has_no_effect():
    found = [finding(pattern=Pattern.CONVERGENCE)]
    case = ran(C, *(R,) * 7, findings=found)
    assert state(case, case) is RemedyState.NO_EFFECT


def test_more_compiles_before_a_higher_limit_only_delay():
    after = ran(C, C, C, C, C, findings=[finding()])
    assert state(LIMIT, after) is RemedyState.DELAYS


def test_wrong_output_hides():
    after = ran(*(R,) * 7, S, verdict=AuditVerdict.FAILED)
    found = shown(STORM, after)
    assert (found.state, found.because.ground) == (RemedyState.HIDES, Ground.STALE)


def test_wrong_output_hides_even_where_compiles_go_on():
    assert state(STORM, ran(C, S, C, R, C, R, C, R, findings=[finding()])) is RemedyState.HIDES


def test_output_that_was_wrong_before_is_not_held_against_a_remedy():
    before = ran(C, S, C, R, findings=[finding()])
    after = ran(R, S, R, R, findings=[finding("", Diagnosis.STALE_OUTPUT)])
    assert state(before, after) is RemedyState.PARTIAL


def test_steps_are_matched_from_the_end_where_warm_up_is_longer():
    before = ran(C, S, findings=[finding()])
    rehearsed = [judged(index, R, phase=Phase.WARM_UP) for index in range(9)]
    after = ran(R, S, findings=[finding("", Diagnosis.STALE_OUTPUT)])
    longer = ran(verdict=AuditVerdict.FAILED, findings=after.findings)
    longer = replace(longer, steps=(*rehearsed, *after.steps))
    assert state(before, longer) is RemedyState.PARTIAL


def test_another_cause_that_is_left_is_partial():
    after = ran(*(C, R) * 4, findings=[finding("self.beta")])
    found = shown(STORM, after)
    assert found.state is RemedyState.PARTIAL
    assert [left.source for left in found.left] == ["self.beta"]


def test_an_empty_graph_of_warm_up_alone_is_no_cause_that_is_left():
    empty = finding("", Diagnosis.EAGER_EMPTY_GRAPH)
    after = ran(C, R, C, R, findings=[finding(), empty])
    covers = (cause("", Diagnosis.EAGER_EMPTY_GRAPH),)
    assert state(ran(E, E, E, E, findings=[empty]), after, covers) is RemedyState.PARTIAL


def test_an_error_of_the_scenario_breaks():
    found = shown(STORM, error(Why.SCENARIO_RAISED, text="ValueError: no"))
    assert (found.state, found.because.text) == (RemedyState.BREAKS, "ValueError: no")


def test_a_step_that_raises_breaks():
    after = ran(R, verdict=AuditVerdict.ERROR)
    raised = judged(9, R, error="RuntimeError: marked")
    after = replace(after, steps=(*after.steps, raised))
    assert shown(STORM, after).because.text == "RuntimeError: marked"


def test_a_compile_that_fails_breaks():
    after = ran(E, findings=[finding("", Diagnosis.COMPILE_FAILED, text="Unsupported")])
    found = shown(STORM, after)
    assert (found.state, found.because.text) == (RemedyState.BREAKS, "Unsupported")


def test_output_that_is_not_compared_leaves_it_unproven():
    found = shown(STORM, error(Why.STEP_UNPROVEN, cause=told("no fork")))
    assert (found.state, found.because.ground) == (RemedyState.UNPROVEN, Ground.NOT_COMPARED)


def test_a_replay_that_takes_too_long_leaves_it_unproven():
    found = shown(STORM, error(Why.TIME_LIMIT, seconds=120.0))
    assert (found.state, found.because.reason.why) == (RemedyState.UNPROVEN, Why.TIME_LIMIT)


def test_a_replay_that_was_interrupted_is_not_tried():
    assert state(STORM, error(Why.NOT_RUN)) is RemedyState.NOT_TRIED


def compared(eager: bool, reference: bool):
    comparisons = (
        Comparison("eager", "output", eager),
        Comparison("reference", "output", reference),
    )
    case = ran(C, S, findings=[finding("", Diagnosis.STALE_OUTPUT)])
    steps = (*case.steps[:-1], judged(3, S, comparisons=comparisons))
    return replace(case, steps=steps)


def test_output_that_eager_execution_gets_wrong_too_is_the_codes_own():
    assert eager_is_wrong(compared(eager=True, reference=False)) is not None


def test_output_that_eager_execution_gets_right_is_not_the_codes_own():
    assert eager_is_wrong(compared(eager=False, reference=False)) is None
    assert eager_is_wrong(STORM) is None
