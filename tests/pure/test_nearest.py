"""The nearest entry is found by what changed, and a change is told once."""

from __future__ import annotations

from builders import compiled, failure

from esper_audit.data.compiles import Outcome
from esper_audit.diagnosis.nearest import closest_failures


def nearest(*failures, instances=None, **fields):
    """The sources that a compile with these failures is told to have failed for."""
    made = compiled(9, Outcome.RECOMPILED, guard_failures=failures, **fields)
    return [found.torch_source for found in closest_failures(made, instances)]


def tensor(entry, source, expected, actual):
    return failure(entry, source, kind="TENSOR_MATCH", expected=expected, actual=actual)


def none(entry, source):
    return failure(entry, source, kind="NONE_MATCH", expected="None", actual="tensor(size=[2])")


def size(entry, source, expected, actual):
    return failure(
        entry, f"{source}.size()[0]", kind="SHAPE_EXPRESSION", expected=expected, actual=actual
    )


def test_two_tensors_that_grew_are_nearer_than_none():
    grown = [
        tensor("0/1", f"L['self'].{name}", "size=[1, 1, 8]", "size=[1, 2, 8]") for name in "kv"
    ]
    assert nearest(none("0/0", "L['self'].k"), *grown) == ["L['self'].k", "L['self'].v"]


def test_a_size_is_nearer_than_a_value():
    grown = tensor("0/0", "L['x']", "size=[4]", "size=[8]")
    assert nearest(failure("0/1", "L['k']"), grown) == ["L['x']"]


def test_two_sizes_are_nearer_than_one_value():
    grown = [size("0/0", f"L['{name}']", "4", "8") for name in "xy"]
    assert len(nearest(failure("0/1", "L['k']"), *grown)) == 2


def test_a_value_is_nearer_than_another_type():
    other = failure("0/0", "L['x']", kind="TYPE_MATCH", expected="int", actual="float")
    assert nearest(other, failure("0/1", "L['k']")) == ["L['k']"]


def test_a_value_is_nearer_than_an_entry_that_was_freed():
    freed = failure("0/0", "f", kind="INVALIDATED", expected="alive", actual="freed")
    assert nearest(freed, failure("0/1", "L['k']")) == ["L['k']"]


def test_an_entry_that_was_freed_is_nearer_than_a_new_attribute():
    freed = failure("0/1", "L['self'].f", kind="INVALIDATED", expected="alive", actual="freed")
    added = failure("0/0", "L['self'].g", kind="HASATTR", expected="absent", actual="present")
    assert nearest(added, freed) == ["L['self'].f"]


def test_a_flag_of_every_module_is_one_change():
    flags = [
        failure("0/0", f"L['self'].{name}.training", expected="True", actual="False")
        for name in "abc"
    ]
    two = [failure("0/1", name) for name in ("L['k']", "L['n']")]
    assert len(nearest(*two, *flags)) == 3


def test_the_key_and_the_length_of_a_dict_are_one_change():
    length = failure("0/0", "G['ROPE']", kind="DICT_LENGTH", expected="0", actual="1")
    key = failure("0/0", "G['ROPE'][2]", kind="DICT_CONTAINS", expected="absent", actual="present")
    assert nearest(key, length) == ["G['ROPE']"]


def test_the_keys_alone_are_told_where_the_length_stayed():
    keys = [
        failure("0/0", f"L['d']['{key}']", kind="DICT_CONTAINS", expected=old, actual=new)
        for key, old, new in (("a", "present", "absent"), ("b", "absent", "present"))
    ]
    assert nearest(*keys) == ["L['d']['a']", "L['d']['b']"]


def test_an_item_of_a_list_that_grew_is_a_change_of_its_own():
    length = failure("0/0", "L['d']", kind="LENGTH_CHECK", expected="1", actual="2")
    assert len(nearest(length, failure("0/0", "L['d'][0]"))) == 2


def test_what_lies_in_a_replaced_object_follows_from_it():
    other = failure("0/0", "L['cfg']", kind="TYPE_MATCH", expected="a.A", actual="a.B")
    below = [failure("0/0", source) for source in ("L['cfg'].lr", "type(L['cfg']).p")]
    assert nearest(*below, other) == ["L['cfg']"]


def test_a_longer_name_does_not_lie_in_a_shorter_one():
    other = failure("0/0", "L['self'].a", kind="TYPE_MATCH", expected="a.A", actual="a.B")
    assert len(nearest(other, failure("0/0", "L['self'].ab"))) == 2


def test_a_size_expression_follows_from_its_tensor():
    grown = tensor("0/0", "L['x']", "size=[4, 4]", "size=[8, 4]")
    assert nearest(size("0/0", "L['x']", "4", "8"), grown) == ["L['x']"]


def test_an_entry_of_the_same_object_is_nearer_than_anothers():
    own = [failure("0/0", name) for name in ("L['k']", "L['n']")]
    instances = {"0/0": "A@1", "0/1": "A@2"}
    found = nearest(failure("0/1", "L['m']"), *own, instances=instances, instance="A@1")
    assert found == ["L['k']", "L['n']"]


def test_none_and_another_type_are_equally_far_so_fewer_changes_decide():
    planted = failure("0/1", "L['s']", kind="NONE_MATCH", expected="None", actual="Gate object")
    other = failure("0/0", "L['s']", kind="TYPE_MATCH", expected="a.Conv", actual="a.Gate")
    assert nearest(other, failure("0/0", "L['alpha']"), planted) == ["L['s']"]


def test_a_stride_in_an_expression_follows_from_the_tensors_size():
    stride = {"kind": "SHAPE_EXPRESSION", "expected": ">= 2", "actual": "0"}
    grown = tensor("0/0", "L['x']", "size=[4, 6]", "size=[5, 6]")
    found = nearest(grown, failure("0/0", "L['x'].stride()[0]", **stride))
    assert found == ["L['x']"]
