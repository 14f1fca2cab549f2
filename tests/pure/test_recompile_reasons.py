"""Torch's reasons for a recompile, and guard trees compared, by their texts."""

from esper_audit.torch_text.recompile_reasons import read_reason, tensor_reason
from esper_audit.torch_text.truth import is_true, solved_for
from esper_audit.traces.causes import Entry, failures_of
from esper_audit.traces.guard_trees import tree_of_lines
from esper_audit.traces.stated import StatedValues

MATCH = "check_tensor(L['x'], Tensor, DispatchKeySet(CPU), torch.float32, device=None, requires_grad=False"
HEAD = ("+- RootGuardManager", "| +- GuardManager: source=L['x'], accessed_by=A(1)")


def tensor(size: str, stride: str, *more: str) -> tuple[str, ...]:
    return (*HEAD, f"| | +- TENSOR_MATCH: {MATCH}, size={size}, stride={stride})", *more)


def failures(before, now, reason=""):
    entry = Entry("0/0", tree_of_lines(before), read_reason(f"0/0: {reason}") if reason else None)
    return failures_of([entry], StatedValues(tree_of_lines(now)), lambda line: line)


def test_a_reason_is_its_entry_its_text_and_the_line_of_its_stack():
    said = (
        '1/2: k == 2   # a.py:3 in f\nUser stack trace:\n  File "/home/a.py", line 3, in f\n    x'
    )
    found = read_reason(said)
    assert (found.entry, found.bare) == ("1/2", "k == 2")
    assert found.user_line is not None and found.user_line.file == "/home/a.py"


def test_a_tensor_that_is_none_now_is_read_with_quotes_in_its_name():
    said = (
        "expected type of 's._modules['0'].bias' to be a tensor type, ' but found"
        " <class 'NoneType'>"
    )
    found = tensor_reason(said)
    assert found is not None
    assert (found.name, found.other_type) == ("s._modules['0'].bias", "NoneType")


def test_a_relation_is_no_cause_where_one_of_its_sides_failed():
    relation = "+- LAMBDA_GUARD: L['x'].stride()[0] == L['x'].size()[1]"
    before = tensor("[None, None]", "[None, 1]", relation)
    [found] = failures(before, tensor("[2, 3, 4]", "[12, 4, 1]"))
    assert (found.kind, found.fields["size"][1]) == ("TENSOR_MATCH", "[2, 3, 4]")


def test_a_value_that_the_new_entry_leaves_out_stays_unknown():
    before = (*HEAD, "| | +- EQUALS_MATCH: L['x'] == 2")
    assert not failures(before, HEAD)
    [found] = failures(before, HEAD, "x == 2")
    assert (found.expected, found.actual) == ("2", "")


def test_buffers_and_submodules_are_asked_as_they_are_written():
    manager = "| +- GuardManager: source=L['s']._buffers, accessed_by=A(1)"
    guard = "| | +- DICT_CONTAINS: not ___dict_contains('c', L['s']._buffers)"
    now = ("+- RootGuardManager", "| +- GuardManager: source=L['s'].c, accessed_by=A(1)")
    assert not failures(("+- RootGuardManager", manager, guard), now)


def test_expressions_are_computed_and_solved_without_running_code():
    values = {"L['x'].size()[0]": "3"}
    assert is_true("L['x'].size()[0] % 4 == 0", lambda name: values.get(name, "")) is False
    assert is_true("__import__('os').getpid() == 1", lambda name: values.get(name, "")) is None
    solved = solved_for("L['y'] == 8*L['x'].size()[0]", "L['y']", lambda name: values.get(name, ""))
    assert solved == "24"
