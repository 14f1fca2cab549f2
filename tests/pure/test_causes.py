"""The root cause is the smallest change of state that explains why no entry matched."""

from __future__ import annotations

from builders import compiled, failure, judged

from esper_audit.data.compiles import Outcome
from esper_audit.data.findings import Pattern
from esper_audit.data.stages import Seconds
from esper_audit.data.steps import Phase
from esper_audit.data.verdicts import StepVerdict
from esper_audit.diagnosis import attempts_to_watch, root_causes
from esper_audit.diagnosis.nearest import closest_failures

CACHED = {"kind": "TENSOR_MATCH", "expected": "tensor", "actual": "None"}


def lazy(step: int, value: str, **fields):
    """A recompile of the ticket's cache: another entry accepts None, none the new alpha."""
    failures = (
        failure("0/1", "self._cached", accepted_by=("0/0",), **CACHED),
        failure("0/0", "self.alpha", actual=value),
    )
    return compiled(step, Outcome.RECOMPILED, guard_failures=failures, **fields)


def reused(index: int, label: str = "change"):
    return judged(index, StepVerdict.REUSED, label=label)


def test_the_tickets_cause_is_alpha_and_not_the_dropped_tensor():
    assert [guard.source for guard in closest_failures(lazy(0, "0.6"))] == ["self.alpha"]


def test_the_entry_with_fewer_failures_is_closer():
    failures = (failure("0/0", "x"), failure("0/0", "y"), failure("0/1", "z"))
    found = closest_failures(compiled(0, Outcome.RECOMPILED, guard_failures=failures))
    assert [guard.source for guard in found] == ["z"]


def test_no_failures_no_cause():
    assert closest_failures(compiled(0)) == ()


def test_recompiles_of_one_source_are_one_finding_with_all_values():
    found = root_causes([lazy(0, "0.6"), lazy(2, "0.7")], ())
    assert len(found) == 1
    assert found[0].values == ("0.6", "0.7")
    assert found[0].compiles == 2
    assert (found[0].expected, found[0].actual) == ("0.5", "0.6")


def test_compiles_in_warm_up_are_no_findings():
    assert root_causes([lazy(0, "0.6", phase=Phase.WARM_UP)], ()) == ()


def test_the_limit_makes_a_storm_and_counts_as_no_compile():
    limit = compiled(4, Outcome.LIMIT, guard_failures=lazy(4, "0.8").guard_failures)
    found = root_causes([lazy(0, "0.6"), limit], ())[0]
    assert (found.pattern, found.compiles, found.limit_hit) == (Pattern.STORM, 1, True)


def test_changes_that_cost_nothing_later_make_a_convergence():
    compiles = [lazy(0, "0.6"), lazy(2, "0.7")]
    assert root_causes(compiles, [reused(4), reused(6)])[0].pattern is Pattern.CONVERGENCE


def test_recompiles_up_to_the_last_change_make_a_storm():
    compiles = [lazy(0, "0.6"), lazy(2, "0.7"), lazy(4, "0.8")]
    assert root_causes(compiles, [reused(5, label="")])[0].pattern is Pattern.STORM


def test_one_recompile_is_single():
    assert root_causes([lazy(0, "0.6")], [reused(2), reused(4)])[0].pattern is Pattern.SINGLE


def test_the_dearest_cause_comes_first():
    cheap = compiled(0, Outcome.RECOMPILED, guard_failures=(failure(source="a"),))
    dear = compiled(
        1, Outcome.RECOMPILED, guard_failures=(failure(source="b"),), seconds=Seconds(9.0)
    )
    assert [guard.source for guard in root_causes([cheap, dear], ())] == ["b", "a"]


def test_of_two_single_failures_the_one_with_fewer_fields_is_closer():
    state = {"source": "<global state>", "kind": "GLOBAL_STATE"}
    far = failure("0/1", actual="changed: grad_mode autocast(cpu)_enabled", **state)
    near = failure("0/0", actual="changed: autocast(cpu)_enabled", **state)
    found = closest_failures(compiled(0, Outcome.RECOMPILED, guard_failures=(far, near)))
    assert found == (near,)


def test_a_tensors_dtype_and_its_size_are_two_causes():
    tensor = {"source": "x", "kind": "TENSOR_MATCH"}
    compiles = [
        compiled(
            0,
            Outcome.RECOMPILED,
            guard_failures=(failure(expected="dtype=float32", actual="dtype=float64", **tensor),),
        ),
        compiled(
            1,
            Outcome.RECOMPILED,
            guard_failures=(failure(expected="size=[3, 4]", actual="size=[2, 4]", **tensor),),
        ),
    ]
    assert len(root_causes(compiles, ())) == 2


def test_two_cases_of_each_cause_are_enough_to_find_its_writer():
    def again(number, source="self.alpha", **fields):
        return compiled(
            number, Outcome.RECOMPILED, guard_failures=(failure(source=source),), **fields
        )

    storm = [again(number) for number in range(1, 8)]
    assert attempts_to_watch(storm) == 3
    assert attempts_to_watch([*storm, again(8, "G['mode']")]) == 9
    assert attempts_to_watch([again(4)]) == 5
    assert attempts_to_watch([compiled(0), again(1, phase=Phase.WARM_UP)]) == 0


def test_a_failure_that_is_not_the_closest_is_no_case():
    near, far = failure("0/1", "self.alpha"), failure("0/0", "self.beta")
    more = failure("0/0", "self.gamma")
    once = compiled(1, Outcome.RECOMPILED, guard_failures=(near, far, more))
    later = compiled(5, Outcome.RECOMPILED, guard_failures=(failure("0/0", "self.beta"),))
    assert attempts_to_watch([once, later]) == 6


def test_a_plain_value_is_a_smaller_change_than_an_object():
    whole = failure("0/0", "self.act", kind="ID_MATCH", expected="the act", actual="function b")
    plain = failure("0/1", "self.calls", expected="1", actual="2")
    made = compiled(2, Outcome.RECOMPILED, guard_failures=(whole, plain))
    assert [found.source for found in closest_failures(made)] == ["self.calls"]


def test_another_type_is_a_smaller_change_than_an_object_in_place_of_none():
    empty = failure("0/0", "self.seed", kind="NONE_MATCH", expected="None", actual="Gate object")
    other = failure("0/1", "self.seed", kind="TYPE_MATCH", expected="Conv", actual="nets.Gate")
    made = compiled(2, Outcome.RECOMPILED, guard_failures=(empty, other))
    assert [found.kind for found in closest_failures(made)] == ["TYPE_MATCH"]


def test_two_settings_of_torch_are_two_causes():
    state = {"source": "<global state>", "kind": "GLOBAL_STATE"}
    made = [
        compiled(
            number,
            Outcome.RECOMPILED,
            guard_failures=(failure(actual=f"changed: {name}", **state),),
        )
        for number, name in enumerate(("num_threads", "default_dtype"))
    ]
    found = root_causes(made)
    assert {cause.id.value for cause in found} == {"global-state-changed"}
    assert len({cause.source for cause in found}) == 2
