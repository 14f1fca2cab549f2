"""Each failed guard gets the one identifier that says what it means."""

from __future__ import annotations

import pytest
from builders import compiled, failure

from esper_audit.data.compiles import Outcome
from esper_audit.data.diagnoses import MEANINGS, Diagnosis
from esper_audit.diagnosis import identify, root_causes

TENSOR = "tensor(size=[4], dtype=float32, device=cpu, stride=[1], requires_grad=False)"

# kind, torch's source, expected, actual, and what it is
CASES = [
    ("EQUALS_MATCH", "L['self'].alpha", "0.5", "0.6", "float-specialized"),
    ("SHAPE_EXPRESSION", "L['self'].alpha", "0.5", "1e-05", "float-specialized"),
    ("EQUALS_MATCH", "L['self'].calls", "0", "1", "int-counter"),
    ("EQUALS_MATCH", "L['self'].huge", "1e+16", "1.5e+20", "float-specialized"),
    ("SHAPE_EXPRESSION", "L['n']", "3", "4", "int-counter"),
    ("NONE_MATCH", "L['self'].mask", "None", TENSOR, "lazy-cache"),
    ("TENSOR_MATCH", "L['self'].mask", TENSOR, "None", "lazy-cache"),
    ("TYPE_MATCH", "L['self'].mask", "torch.Tensor", "None", "lazy-cache"),
    ("TENSOR_MATCH", "L['x']", "size=[2, 4]", "size=[3, 4]", "size-changed"),
    (
        *("TENSOR_MATCH", "L['x']", "size=[2, 4], stride=[4, 1]"),
        *("size=[2, 5], stride=[5, 1]", "size-changed"),
    ),
    ("SHAPE_EXPRESSION", "L['x'].size()[0]", "<= 8", "9", "size-changed"),
    ("DYNAMIC_INDICES", "L['x']", "no marks", "dynamic [0]", "dimension-marked"),
    ("SHAPE_EXPRESSION", "L['x'].size()[0] % 4", "0", "1", "size-changed"),
    ("SHAPE_EXPRESSION", "L['x'].stride()[0]", ">= 2", "0", "layout-changed"),
    ("SHAPE_EXPRESSION", "L['x'].storage_offset()", "4", "5", "layout-changed"),
    ("SHAPE_EXPRESSION", "L['a'].stride()[0] == L['b'].stride()[0]", "3", "4", "layout-changed"),
    ("SHAPE_EXPRESSION", "L['x'].stride()[0] == L['x'].size()[1]", "3", "6", "size-changed"),
    ("SHAPE_EXPRESSION", "L['b'] == L['a']", "5", "6", "int-counter"),
    ("OBJECT_ALIASING", "L['a'] is L['b']", "one object", "two objects", "object-identity"),
    ("NO_TENSOR_ALIASING", "L['a'] is L['b']", "two", "one", "tensor-aliasing"),
    ("TENSOR_MATCH", "L['x']", "size=[2, 4]", "size=[1, 4]", "size-zero-one"),
    ("TENSOR_MATCH", "L['x']", "size=[1, 4]", "size=[2, 4]", "size-zero-one"),
    ("TENSOR_MATCH", "L['x']", "size=[2, 1]", "size=[3, 1]", "size-changed"),
    ("SHAPE_EXPRESSION", "L['x'].size()[0]", "2 <=", "1", "size-zero-one"),
    ("TENSOR_MATCH", "L['x']", "dtype=float32", "dtype=float64", "dtype-changed"),
    ("EQUALS_MATCH", "L['dtype']", "torch.float32", "torch.float64", "dtype-changed"),
    ("TENSOR_MATCH", "L['x']", "device=cpu", "device=cuda:0", "device-changed"),
    ("TENSOR_MATCH", "L['x']", "stride=[4, 1]", "stride=[1, 4]", "layout-changed"),
    (
        *("TENSOR_MATCH", "L['self'].w", "requires_grad=True", "requires_grad=False"),
        "requires-grad-changed",
    ),
    ("GLOBAL_STATE", "<global state>", "unchanged", "changed: grad_mode", "grad-mode-changed"),
    ("TENSOR_MATCH", "L['x']", "keys=CPU, AutogradCPU", "keys=CPU", "grad-mode-changed"),
    (
        *("GLOBAL_STATE", "<global state>", "unchanged", "changed: autocast(cpu)_enabled"),
        "autocast-changed",
    ),
    ("GLOBAL_STATE", "<global state>", "unchanged", "changed: num_threads", "global-state-changed"),
    ("TORCH_FUNCTION_MODE_STACK", "", "", "", "global-state-changed"),
    ("TRUE_MATCH", "L['self'].training", "True", "False", "train-eval-flipped"),
    ("ID_MATCH", "L['self']._modules['d'].training", "True", "False", "train-eval-flipped"),
    ("TYPE_MATCH", "L['self']._modules['act']", "nn.ReLU", "nn.GELU", "module-swapped"),
    ("ID_MATCH", "L['self'].act", "the function it was", "function object", "object-identity"),
    ("NO_HASATTR", "L['self'].scale", "absent", "present", "attribute-presence"),
    ("SOURCE_GONE", "L['self'].scale", "there", "gone: AttributeError", "attribute-presence"),
    ("EQUALS_MATCH", "L['self'].mode", "'fast'", "'exact'", "flag-changed"),
    ("FALSE_MATCH", "L['self'].active", "False", "True", "flag-changed"),
    ("ID_MATCH", "L['self'].mode", "Mode.FAST", "Mode.EXACT", "flag-changed"),
    ("FALSE_MATCH", "L['self'].use_hooks", "False", "True", "flag-changed"),
    ("DICT_CONTAINS", "L['self'].__dict__['a']", "absent", "present", "attribute-presence"),
    ("EQUALS_MATCH", "L['self'].names", "{'a'}", "set of 2", "container-changed"),
    ("EQUALS_MATCH", "L['by']", "None", "2", "type-changed"),
    ("LENGTH_CHECK", "L['self'].scales", "1", "2", "container-changed"),
    ("DICT_CONTAINS", "L['d']['key']", "absent", "present", "container-changed"),
    ("SOURCE_GONE", "L['d']['key']", "there", "gone: KeyError", "container-changed"),
    ("EQUALS_MATCH", "G['threshold']", "'low'", "'high'", "captured-variable"),
    ("EQUALS_MATCH", "L['f'].__closure__[0].cell_contents", "1", "2", "captured-variable"),
    ("TYPE_MATCH", "L['by']", "float", "builtins.str", "type-changed"),
    ("EQUALS_MATCH", "L['by']", "2", "2.5", "type-changed"),
    ("TENSOR_MATCH", "L['x']", TENSOR, "list of 3", "type-changed"),
    ("BACKEND_MATCH", "<backend>", "aot_eager", "eager", "backend-changed"),
    ("LENGTH_CHECK", "L['self']._forward_hooks", "0", "1", "hook-changed"),
    ("INVALIDATED", "type(L['x'])", "alive", "freed", "object-expired"),
    ("FORCED", "<another rank>", "a match", "a miss", "forced-by-other-rank"),
    ("SOME_NEW_GUARD", "L['x'].what", "something", "else", "unrecognized"),
    ("CONCURRENT", "<another thread>", "", "", "concurrent-compile"),
    ("COUNT_ITERATOR_MATCH", "L['it']", "count(1)", "count(2)", "int-counter"),
    ("TRUE_MATCH", "L['flag']", "True", "1", "type-changed"),
    ("EQUALS_MATCH", "L['c']", "1j", "2j", "float-specialized"),
    ("LENGTH_CHECK", "G['ITEMS']", "2", "3", "container-changed"),
    ("EQUALS_MATCH", "G['ITEMS']", "{1}", "{2}", "container-changed"),
    ("EQUALS_MATCH", "G['SCALE']", "1.0", "2.0", "captured-variable"),
    ("NOT_NONE", "L['r']()", "alive", "None", "object-expired"),
    ("NOT_NONE", "L['self'].w", TENSOR, "None", "lazy-cache"),
    ("FLOAT_IS_NAN", "L['f']", "nan", "2.0", "float-specialized"),
    ("NOTHING_FAILED", "<none>", "a failing guard", "none", "unrecognized"),
]


@pytest.mark.parametrize(("kind", "source", "expected", "actual", "wanted"), CASES)
def test_a_guard_is_identified_by_what_it_means(kind, source, expected, actual, wanted):
    found = identify(failure(source=source, kind=kind, expected=expected, actual=actual, text=""))
    assert found == wanted


def test_a_variable_of_an_enclosing_function_is_captured_and_an_argument_is_not():
    flag = {"source": "L['factor']", "expected": "'a'", "actual": "'b'"}
    assert identify(failure(**flag, captured=True)) == "captured-variable"
    assert identify(failure(**flag)) == "flag-changed"


def test_every_recompile_of_the_list_has_a_case_here():
    seen = {case[-1] for case in CASES} | {"tensor-aliasing", "other-instance"}
    eager = {"stale-output", "graph-break", "ranks-differ", "compile-failed", "compile-refused"}
    recompiles = {d.value for d in Diagnosis if not d.value.startswith("eager-")} - eager
    assert seen == recompiles


def test_every_diagnosis_has_a_meaning_and_a_remedy():
    assert set(MEANINGS) == set(Diagnosis)
    assert all(meaning.what and meaning.remedy for meaning in MEANINGS.values())


def test_sources_that_fail_in_the_same_compiles_are_one_finding():
    both = (failure(source="self.a.training"), failure(source="self.b.training"))
    found = root_causes([compiled(0, Outcome.RECOMPILED, guard_failures=both)])
    assert [finding.sources for finding in found] == [("self.a.training", "self.b.training")]
    assert found[0].compiles == 1


def test_a_recompile_that_nothing_explains_is_told_as_unrecognized():
    found = root_causes([compiled(0, Outcome.RECOMPILED, torch_reasons=("who knows",))])
    assert [(finding.id, finding.text) for finding in found] == [("unrecognized", "who knows")]
