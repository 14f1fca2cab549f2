"""Objects that share a code object: what is theirs, what is the call's, what is told once."""

from __future__ import annotations

from builders import FRAME, OTHER, compiled, failure

from esper_audit.data.compiles import Outcome
from esper_audit.data.places import Frame
from esper_audit.data.reasons import Why
from esper_audit.diagnosis import root_causes


def another(step, instance, entry="0/0", value="0.6", outcome=Outcome.RECOMPILED, **fields):
    failures = () if outcome is Outcome.COMPILED else (failure(entry, actual=value, own=True),)
    return compiled(
        step, outcome, id=f"0/{step}", instance=instance, guard_failures=failures, **fields
    )


def test_another_object_without_an_entry_of_its_own_is_another_instance():
    first = another(0, "Slot@1", outcome=Outcome.COMPILED)
    found = root_causes([first, another(1, "Slot@2")])
    assert [finding.id for finding in found] == ["other-instance"]


def test_an_object_with_entries_of_its_own_is_held_against_those():
    first = another(0, "Slot@1", outcome=Outcome.COMPILED)
    second = another(1, "Slot@2")
    both = (failure("0/0", actual="0.7"), failure("0/1", "self.mode", expected="'a'", actual="'b'"))
    third = compiled(2, Outcome.RECOMPILED, instance="Slot@2", guard_failures=both)
    assert root_causes([first, second, third])[1].source == "self.mode"


def test_instances_of_other_frames_do_not_count():
    other = another(0, "Slot@1", outcome=Outcome.COMPILED, frame=OTHER)
    found = root_causes([other, another(1, "Slot@2", frame=FRAME)])
    assert [finding.id for finding in found] == ["float-specialized"]


def test_what_the_call_passes_is_a_cause_of_its_own():
    grad = failure(
        source="L['x']",
        kind="TENSOR_MATCH",
        expected="requires_grad=False",
        actual="requires_grad=True",
    )
    index = failure(source="self.layer_idx", expected="0", actual="1", own=True)
    first = another(0, "Block@1", outcome=Outcome.COMPILED)
    second = compiled(1, Outcome.RECOMPILED, instance="Block@2", guard_failures=(grad, index))
    third = another(2, "Block@3", entry="0/1", value="2")
    found = {finding.id.value: finding.compiles for finding in root_causes([first, second, third])}
    assert found["requires-grad-changed"] == 1


def test_an_attribute_that_differs_from_object_to_object_is_one_cause():
    blocks = [
        another(number, f"Block@{number}", entry=f"0/{number - 1}", value=str(number))
        for number in range(1, 8)
    ]
    (found,) = root_causes([another(0, "Block@0", outcome=Outcome.COMPILED), *blocks])
    assert (found.id, found.source, found.compiles) == ("other-instance", "self.alpha", 7)
    assert found.values == tuple("1234567")
    assert found.why is not None
    assert (found.why.why, found.why.names) == (Why.OBJECTS_SHARE, ("Host.forward",))


def test_an_entry_made_before_the_recording_belongs_to_nobody_known():
    found = root_causes([another(5, "Block@2")])
    assert [finding.id for finding in found] == ["float-specialized"]


def test_after_a_reset_no_object_has_an_entry():
    again = compiled(2, Outcome.COMPILED, id="0/2", instance="Slot@2")
    made = [another(0, "Slot@1", outcome=Outcome.COMPILED), another(1, "Slot@2"), again]
    found = root_causes([*made, another(3, "Slot@1", entry="0/2")])
    assert [(finding.id, finding.compiles) for finding in found] == [("other-instance", 2)]


def test_closures_of_one_factory_are_told_as_such():
    def closure(number, **fields):
        return another(number, f"make.<locals>.f@{number}", frame=made, **fields)

    made = Frame("make.<locals>.f", "/p/f.py", 3, "f.py:make.<locals>.f", "make.<locals>.f")
    (found,) = root_causes([closure(0, outcome=Outcome.COMPILED), closure(1)])
    assert found.why is not None
    assert (found.id, found.why.why) == ("other-instance", Why.CLOSURES_SHARE)


def wrapped(number, name, outcome=Outcome.RECOMPILED, entry="0/0"):
    """A module behind torch's wrapper, whose type fails, and an argument's guard with it."""
    frame = Frame(name, "/t/external_utils.py", 9, f"external_utils.py:inner({name})", "inner")
    failures = (
        failure(entry, "L['fn']", kind="TYPE_MATCH", expected="a.A", actual=f"a.{name}", own=True),
        failure(entry, "L['args'][0]", expected="1", actual="2"),
    )
    return compiled(
        number,
        outcome,
        id=f"0/{number}",
        frame=frame,
        instance=f"{name}@{number}",
        guard_failures=failures if outcome is Outcome.RECOMPILED else (),
    )


def test_callables_behind_one_wrapper_are_one_cause():
    first = wrapped(0, "Linear", Outcome.COMPILED)
    (found,) = root_causes([first, *map(wrapped, (1, 2, 3), ("GELU", "Norm", "Linear"))])
    assert (found.id, found.compiles, found.source) == ("other-instance", 3, "")
    assert (found.expected, found.values) == ("Linear", ("GELU", "Norm", "Linear"))
    assert found.why is not None
    assert (found.why.why, found.why.names) == (Why.WRAPPER_SHARED, ("GELU", "Norm", "Linear"))
    assert (found.frame.name, found.frame.key) == ("inner", "external_utils.py:inner")


def test_a_callable_with_an_entry_behind_a_wrapper_has_causes_of_its_own():
    own = compiled(
        2,
        Outcome.RECOMPILED,
        frame=wrapped(1, "GELU").frame,
        instance="GELU@1",
        guard_failures=(failure("0/1", "L['args'][0]"), failure("0/0", "L['fn']", own=True)),
    )
    found = root_causes([wrapped(0, "Linear", Outcome.COMPILED), wrapped(1, "GELU"), own])
    assert {finding.source for finding in found} == {"", "L['args'][0]"}


def test_a_compile_counts_once_in_a_cause_however_many_guards_failed():
    both = (failure(text="one"), failure(kind="ID_MATCH", text="two"))
    made = compiled(1, Outcome.RECOMPILED, guard_failures=both)
    assert all(finding.compiles == 1 for finding in root_causes([made]))
