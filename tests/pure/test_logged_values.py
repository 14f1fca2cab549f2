"""What guard trees of entries say of one another, where no guard says it by itself."""

from esper_audit.data.compiles import ValueKind
from esper_audit.data.diagnoses import Diagnosis
from esper_audit.diagnosis.identify import identify
from esper_audit.torch_text.recompile_reasons import other_type, read_reason
from esper_audit.traces.causes import Entry, failures_of
from esper_audit.traces.guard_trees import tree_of_lines
from esper_audit.traces.stated import StatedValues


def tensor(name, grad=False):
    return (
        f"| +- GuardManager: source=L['{name}'], type=<class 'torch.Tensor'>",
        f"| | +- TENSOR_MATCH: check_tensor(L['{name}'], Tensor, DispatchKeySet(CPU), torch.float32,"
        f" device=None, requires_grad={grad}, size=[3], stride=[1])",
    )


def dictionary(kind, *keys):
    yield f"| +- DictGuardManager: source=L['q'], accessed_by=X(key='q'), type=<class '{kind}'>"
    for number, key in enumerate(keys):
        source = f"list(dict.keys(L['q']))[{number}]"
        yield f"| | +- KeyValueManager pair at index={number}"
        yield f"| | | +- KeyManager: GuardManager: source={source}"
        yield f"| | | | +- EQUALS_MATCH: {source} == '{key}'"


def failed(before, now, reason):
    entry = Entry("0/0", tree_of_lines(before), read_reason(reason))
    found = failures_of([entry], StatedValues(tree_of_lines(now)), lambda line: line)
    return [(f.kind, f.torch_source, f.expected, f.actual) for f in found]


def test_a_dictionary_of_another_class_is_of_another_type():
    before, now = dictionary("collections.OrderedDict", "a"), dictionary("dict", "b", "c")
    assert failed(before, now, "0/0: TYPE_MISMATCH(q)") == [
        ("TYPE_MATCH", "L['q']", "collections.OrderedDict", "dict")
    ]


def test_another_type_is_told_without_a_tree_that_names_it():
    assert failed((), dictionary("dict", "a"), "0/0: TYPE_MISMATCH(q)") == [
        ("TYPE_MATCH", "q", "the type it was compiled with", "")
    ]
    assert other_type("TYPE_MISMATCH(self.d['a (b)'])") == "self.d['a (b)']"
    assert other_type("TYPE_MISMATCH") == ""


def test_what_an_alias_holds_is_what_the_other_holds():
    before = (*tensor("x"), *tensor("y"))
    now = (*tensor("x", grad=True), "+- LAMBDA_GUARD: L['x'] is L['y']")
    found = failed(before, now, "0/0: tensor 'x' requires_grad mismatch. expected requires_grad=0")
    assert [source for _, source, *_ in found] == ["L['x']", "L['y']"]


def test_aliases_that_lead_back_end():
    values = StatedValues(
        tree_of_lines(("+- LAMBDA_GUARD: L['x'] is L['y']", "+- LAMBDA_GUARD: L['y'] is L['x']"))
    )
    assert not values.of("L['x']").is_known


def test_two_tensors_that_were_one_are_tensors():
    before = (*tensor("x"), "+- LAMBDA_GUARD: L['x'] is L['y']")
    entry = Entry("0/0", tree_of_lines(before), read_reason("0/0: x is y"))
    values = StatedValues(tree_of_lines((*tensor("x"), *tensor("y"))))
    (found,) = failures_of([entry], values, lambda line: line)
    assert (found.expected_kind, found.actual_kind) == (ValueKind.TENSOR, ValueKind.TENSOR)


def test_a_default_of_a_function_is_not_its_type():
    tree = tree_of_lines(
        (
            "| +- GuardManager: source=L['fn'], accessed_by=A(key='fn'), type=<class 'function'>",
            "| | +- GuardManager: source=L['fn'], accessed_by=FuncDefaultsGuardAccessor,"
            " type=<class 'tuple'>",
        )
    )
    assert tree.type_of("L['fn']") == "function"


KEYS = (
    "0/0: tensor 'x' dispatch key set mismatch. expected DispatchKeySet(CPU, ADInplaceOrView,"
    " AutogradCPU), actual DispatchKeySet({})"
)


def test_dispatch_keys_of_a_reason_tell_the_setting_that_changed():
    assert failed((), (), KEYS.format("CPU, ADInplaceOrView")) == [
        ("GLOBAL_STATE", "<global state>", "inference_mode=False", "inference_mode=True")
    ]


def test_dispatch_keys_that_tell_nothing_are_no_cause():
    entry = Entry(
        "0/0", tree_of_lines(()), read_reason(KEYS.format("CPU, ADInplaceOrView, AutogradCPU, X"))
    )
    (found,) = failures_of([entry], StatedValues(tree_of_lines(())), lambda line: line)
    assert not found.recognized


REASON = "___check_obj_id(o, 7), type=<class '__main__.Mode'>"


def member(number):
    return (
        "| +- GuardManager: source=L['o'], accessed_by=A(key='o'), type=<enum 'Mode'>",
        f"| | +- ID_MATCH: ___check_obj_id(L['o'], {number}), type=<class '__main__.Mode'>",
    )


def test_members_of_an_enum_are_flags_though_torch_guards_their_addresses():
    entry = Entry("0/0", tree_of_lines(member(7)), read_reason(f"0/0: {REASON}"))
    (found,) = failures_of([entry], StatedValues(tree_of_lines(member(8))), lambda line: line)
    assert identify(found) is Diagnosis.FLAG_CHANGED
    other = tree_of_lines(
        ("| +- GuardManager: source=L['o']", "| | +- EQUALS_MATCH: L['o'] == {1}")
    )
    found = failures_of([entry], StatedValues(other), lambda line: line)[0]
    assert identify(found) is Diagnosis.TYPE_CHANGED


def test_a_value_of_which_only_the_class_is_guarded_is_told_by_its_class():
    before = ("| +- GuardManager: source=L['o']", "| | +- EQUALS_MATCH: L['o'] == {1}")
    now = (
        "| +- GuardManager: source=L['o'], type=<class 'function'>",
        "| | +- ID_MATCH: ___check_obj_id(L['o'], 8), type=<class 'function'>",
    )
    assert failed(before, now, "0/0: o == {1}") == [
        ("EQUALS_MATCH", "L['o']", "{1}", "function object")
    ]


def test_an_alias_is_read_as_a_guard_of_its_own_kind_as_well():
    before = (*tensor("x"), *tensor("y"))
    now = (*tensor("x", grad=True), "| | +- OBJECT_ALIASING: L['x'] is L['y']  # x + y")
    found = failed(before, now, "0/0: tensor 'x' requires_grad mismatch. expected requires_grad=0")
    assert [source for _, source, *_ in found] == ["L['x']", "L['y']"]
