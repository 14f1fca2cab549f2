"""The catalogue of levers: what is tried against each diagnosis, in which order, and what never is."""

from __future__ import annotations

import ast
import re
from dataclasses import replace
from pathlib import Path

import pytest
from builders import FRAME, audit, compiled, failure
from levers_found import ALPHA, EQUAL, STEP, WEIGHT, X, found, ids, named, setting

from esper_audit.data.compiles import GraphBreak, Outcome, ValueKind
from esper_audit.data.diagnoses import Diagnosis
from esper_audit.data.findings import BreakGroup, Finding, Pattern
from esper_audit.data.reasons import Reason, Why
from esper_audit.data.remedies import Cause, Ground, Lever, LeverKind, NotMade, Remedy
from esper_audit.remedies.levers import CATALOGUE, levers_for

ROOT = Path(__file__).parents[2]


def test_every_diagnosis_has_levers_or_says_that_there_are_none():
    assert set(CATALOGUE) == set(Diagnosis)
    for diagnosis in Diagnosis:
        made = found(diagnosis, failure())
        assert made and len({remedy.id for remedy in made}) == len(made)
        assert all(remedy.covers[0].id is diagnosis for remedy in made)


def test_no_lever_for_a_diagnosis_is_said():
    (made,) = found(Diagnosis.RANKS_DIFFER)
    assert isinstance(made, NotMade) and made.because.ground is Ground.NO_CANDIDATE


def test_what_is_unsafe_comes_last_and_alone():
    for diagnosis in Diagnosis:
        unsafe = [r.unsafe for r in found(diagnosis, ALPHA) if isinstance(r, Remedy)]
        assert unsafe == sorted(unsafe) and sum(unsafe) <= 1


def test_every_value_of_a_lever_is_a_literal():
    guards = (STEP, ALPHA, X, EQUAL, WEIGHT)
    for diagnosis in Diagnosis:
        for guard in guards:
            for remedy in found(diagnosis, guard, limit_hit=True):
                for lever in getattr(remedy, "levers", ()):
                    assert lever.kind is LeverKind.WARM_UP or lever.value
                    ast.literal_eval(lever.value or "None")


def test_every_lever_is_documented():
    page = (ROOT / "docs" / "reference" / "remedies.md").read_text()
    documented = set(re.findall(r"`([a-z]+(?:-[a-z]+)+|dynamic|fullgraph|enable)`", page))
    why = Reason(why=Why.SETTING, names=("disable",))
    hint = Finding(id=Diagnosis.GRAPH_BREAK, frame=FRAME, hint="torch.x = True").hint
    known = set()
    for diagnosis in Diagnosis:
        for guard in (STEP, ALPHA, X, EQUAL, WEIGHT, replace(ALPHA, hint=hint)):
            for torch in ("2.10.0", "2.13.0"):
                known |= {
                    made.id
                    for made in found(diagnosis, guard, torch=torch, limit_hit=True, why=why)
                    if made.id != "lever"
                }
    assert known == documented


# --- numbers ---


def test_a_float_is_in_no_list_of_sources():
    made = found(Diagnosis.FLOAT_SPECIALIZED, ALPHA)
    assert ids(made) == ["dynamic", "warm-up", "drop-guard"]


def test_an_int_of_a_module_is_listed_and_not_left_to_dynamic():
    made = found(Diagnosis.INT_COUNTER, STEP)
    assert ids(made)[:5] == [
        "dynamic-sources",
        "unbacked-sources",
        "module-ints-in-frame",
        "module-ints-dynamic",
        "module-ints",
    ]
    assert "dynamic" not in ids(made)
    assert setting(made, "dynamic-sources") == "L['self'].step"


def test_a_setting_for_one_frame_names_torchs_number_of_it():
    made = found(Diagnosis.INT_COUNTER, STEP, STEP)
    settings = "allow_unspec_int_on_nn_module=True,assume_static_by_default=False"
    assert setting(made, "module-ints-in-frame") == f"0:{settings}"
    older = named(found(Diagnosis.INT_COUNTER, STEP, torch="2.11.0"), "module-ints-in-frame")
    assert isinstance(older, NotMade) and older.because.text == "2.12"


def test_two_sizes_that_grow_apart_from_each_other_are_not_held_equal():
    two = replace(X, source="y", torch_source="L['y']")
    assert "unequal-sizes" not in ids(found(Diagnosis.SIZE_CHANGED, X, two))


def test_an_int_argument_becomes_symbolic_by_a_keyword():
    guard = failure(source="n", torch_source="L['n']", expected="1", actual="2")
    made = found(Diagnosis.INT_COUNTER, guard)
    assert ids(made)[:3] == ["dynamic-sources", "unbacked-sources", "dynamic"]
    assert "module-ints" not in ids(made)


@pytest.mark.parametrize("source", ["G['k']", "G['f'].__defaults__[0]"])
def test_an_int_of_a_global_or_a_default_is_not_left_to_dynamic(source):
    guard = failure(source="k", torch_source=source, expected="1", actual="2")
    assert "dynamic" not in ids(found(Diagnosis.CAPTURED_VARIABLE, guard))


def test_a_bool_or_a_text_is_never_symbolic():
    guard = failure(expected="'a'", actual="'b'", torch_source="L['self'].mode")
    for diagnosis in (Diagnosis.CAPTURED_VARIABLE, Diagnosis.OTHER_INSTANCE):
        assert not {"dynamic", "dynamic-sources"} & set(ids(found(diagnosis, guard)))


# --- what the user has set, versions, programs ---


@pytest.mark.parametrize(("set_to", "text"), [("true", "dynamic=True"), ("false", "dynamic=False")])
def test_dynamic_is_not_tried_where_it_is_set(set_to, text):
    made = named(found(Diagnosis.FLOAT_SPECIALIZED, ALPHA, options={"dynamic": set_to}), "dynamic")
    assert isinstance(made, NotMade)
    assert (made.because.ground, made.because.text) == (Ground.SET_BY_USER, text)


def test_a_keyword_that_torch_lacks_is_not_tried():
    made = named(found(Diagnosis.OTHER_INSTANCE, ALPHA, torch="2.12.0"), "isolate-recompiles")
    assert isinstance(made, NotMade)
    assert (made.because.ground, made.because.text) == (Ground.NEEDS_TORCH, "2.13")
    newer = named(
        found(Diagnosis.OTHER_INSTANCE, ALPHA, torch="2.14.1+cu130"), "isolate-recompiles"
    )
    assert isinstance(newer, Remedy)


def test_a_program_is_neither_rehearsed_nor_called_nor_marked():
    kinds = {LeverKind.WARM_UP, LeverKind.EAGER_FIRST, LeverKind.MARK}
    for diagnosis in Diagnosis:
        for guard in (X, ALPHA):
            for made in found(diagnosis, guard, program=True):
                assert not kinds & {lever.kind for lever in getattr(made, "levers", ())}


def test_new_values_that_keep_coming_are_not_visited_before():
    made = named(found(Diagnosis.FLOAT_SPECIALIZED, ALPHA, pattern=Pattern.STORM), "warm-up")
    assert isinstance(made, NotMade) and made.because.ground is Ground.VALUES_GO_ON


def test_no_cause_is_visited_before_beside_one_whose_values_keep_coming():
    guard = failure(source="x", torch_source="L['x']", expected="'a'", actual="'b'")
    attempt = compiled(1, Outcome.RECOMPILED, guard_failures=(guard,))
    flag = Finding(id=Diagnosis.FLAG_CHANGED, frame=FRAME, source="x", pattern=Pattern.SINGLE)
    storm = Finding(id=Diagnosis.INT_COUNTER, frame=FRAME, source="n", pattern=Pattern.STORM)
    cause = Cause(id=flag.id, frame=FRAME, source="x", torch_source="L['x']")
    alone = levers_for(cause, audit(compiles=(attempt,), findings=(flag,)))
    beside = levers_for(cause, audit(compiles=(attempt,), findings=(flag, storm)))
    assert isinstance(named(alone, "warm-up"), Remedy)
    assert isinstance(named(beside, "warm-up"), NotMade)


@pytest.mark.parametrize("pattern", [Pattern.SINGLE, Pattern.ALTERNATION])
def test_what_the_first_call_sets_is_set_by_an_eager_call(pattern):
    made = found(Diagnosis.ATTRIBUTE_PRESENCE, failure(), pattern=pattern)
    assert ("eager-first" in ids(made)) is (pattern is Pattern.SINGLE)


# --- torch's own advice ---


def test_a_setting_in_torchs_advice_is_tried():
    hint = "Set `torch._dynamo.config.capture_scalar_outputs = True` or `export X=1` to include it."
    group = BreakGroup(hints=(hint,))
    made = found(Diagnosis.GRAPH_BREAK, breaks=group, pattern=None)
    (lever,) = named(made, "torch-hint").levers
    assert lever == Lever(
        kind=LeverKind.CONFIG, name="torch._dynamo.config.capture_scalar_outputs", value="True"
    )


def test_a_value_that_a_break_left_is_traced_by_the_advice_on_the_break():
    hint = "Set `torch._dynamo.config.capture_scalar_outputs = True`."
    guard = failure(source="x.item()", torch_source="L['___stack0']")
    broken = GraphBreak(reason="", location=None, hints=(hint,))
    cause = Cause(
        id=Diagnosis.FLOAT_SPECIALIZED,
        frame=FRAME,
        source=guard.source,
        torch_source=guard.torch_source,
    )
    attempt = compiled(1, Outcome.RECOMPILED, guard_failures=(guard,), graph_breaks=(broken,))
    assert "torch-hint" in ids(levers_for(cause, audit(compiles=(attempt,))))


def test_prose_and_code_of_other_values_is_no_setting():
    hint = "Try torch._dynamo.decorators.mark_unbacked(tensor, dim), or x = True, or torch.y = 3."
    made = found(Diagnosis.GRAPH_BREAK, breaks=BreakGroup(hints=(hint,)), pattern=None)
    assert "torch-hint" not in ids(made)


# --- eager, stale, limits ---


def test_a_raised_limit_is_tried_where_one_was_hit():
    hit = found(Diagnosis.FLOAT_SPECIALIZED, ALPHA, pattern=Pattern.STORM, limit_hit=True)
    assert ids(hit) == ["dynamic", "recompile-limit", "drop-guard"]
    own = found(Diagnosis.EAGER_AFTER_LIMIT, options={"recompile_limit": "20"})
    assert named(own, "recompile-limit").because.ground is Ground.SET_BY_USER


def test_what_one_object_alone_runs_is_not_isolated():
    cause = Cause(id=Diagnosis.EAGER_AFTER_LIMIT, frame=FRAME)

    def isolated(*instances: str) -> bool:
        made = tuple(compiled(n, instance=name) for n, name in enumerate(instances))
        return "isolate-recompiles" in ids(levers_for(cause, audit(compiles=made)))

    assert not isolated("Host@1", "Host@1")
    assert isolated("Host@1", "Host@2") and isolated("", "")


def test_wrong_output_tries_each_guard_that_is_left_out_by_itself():
    newest = ids(found(Diagnosis.STALE_OUTPUT, pattern=None))
    assert newest[0] == "skip-nnmodule-hook-guards" and "specialize-float" in newest
    assert "skip-guards-on-constant-func-defaults" not in newest
    older = ids(found(Diagnosis.STALE_OUTPUT, pattern=None, torch="2.10.0"))
    assert "skip-guards-on-constant-func-defaults" in older


def test_a_dropped_guard_is_never_a_tensors_or_that_of_a_setting():
    state = failure(source="<global state>", torch_source="<global state>")
    kind = failure(source="x", torch_source="L['x']", expected_kind=ValueKind.TENSOR)
    for guard in (state, kind, X):
        for diagnosis in Diagnosis:
            assert "drop-guard" not in ids(found(diagnosis, guard))


@pytest.mark.parametrize(
    ("name", "wanted"),
    [("disable", ["enable"]), ("TORCH_COMPILE_DISABLE", ["enable"]), ("TORCHDYNAMO_DISABLE", [])],
)
def test_compiling_is_switched_on_where_a_setting_switched_it_off(name, wanted):
    why = Reason(why=Why.SETTING, names=(name,), text="True")
    assert ids(found(Diagnosis.EAGER_DISABLED, why=why, pattern=None)) == wanted
