"""``--fail-on``: one table of kinds, which every command and pytest read."""

from __future__ import annotations

import pytest
from builders import FRAME

from esper_audit.data.changes import ChangeKind
from esper_audit.data.diagnoses import Diagnosis
from esper_audit.data.findings import Finding
from esper_audit.diagnosis.kinds import (
    CAUSES,
    EAGER,
    KINDS,
    Door,
    is_of_kind,
    kinds_at,
    parse_kinds,
)
from esper_audit.errors import UsageError


def test_every_diagnosis_and_every_change_is_a_kind():
    assert {diagnosis.value for diagnosis in Diagnosis} <= set(KINDS)
    changes = {kind.value for kind in ChangeKind} - {"same", "error"}
    assert changes <= set(KINDS)
    assert {"recompile", "eager", "limit"} <= set(KINDS)


def test_changes_belong_to_the_gate_alone():
    for door in Door:
        assert ("worse" in kinds_at(door)) is (door is Door.GATE)


def test_a_recorded_program_has_no_stale_output():
    assert [door for door in Door if "stale-output" in kinds_at(door)] == [Door.RUN, Door.GATE]


def test_causes_are_diagnoses_of_recompiles():
    assert CAUSES[0] is Diagnosis.FLOAT_SPECIALIZED and CAUSES[-1] is Diagnosis.UNRECOGNIZED
    assert not set(CAUSES) & set(EAGER)


@pytest.mark.parametrize("door", Door)
def test_kinds_are_split_at_commas_and_taken_once(door):
    assert parse_kinds("eager, limit,,eager", door) == ("eager", "limit")
    assert parse_kinds(None, door) == ()


@pytest.mark.parametrize(
    ("text", "door", "message"),
    [
        ("zzz", Door.RUN, r"--fail-on: unknown kind 'zzz'\."),
        ("recompiles", Door.EXEC, r"unknown kind 'recompiles' \(did you mean 'recompile'\?\)"),
        ("graph-brake", Door.GATE, r"did you mean 'graph-break'\?"),
        (
            "worse",
            Door.RUN,
            "'worse' can't be given here: it is a kind of change, which only gate compares",
        ),
        ("unmatched", Door.PYTEST, "it is a kind of change"),
        ("stale-output", Door.EXEC, "it takes a comparison with eager execution"),
        ("ranks-differ", Door.GATE, "it takes the recordings of several ranks"),
    ],
)
def test_a_kind_that_a_command_cannot_find_is_refused(text, door, message):
    with pytest.raises(UsageError, match=message) as caught:
        parse_kinds(text, door)
    assert caught.value.hint.startswith("Kinds: recompile, eager, limit, float-specialized,")


@pytest.mark.parametrize(
    ("finding", "groups"),
    [
        ({"id": Diagnosis.SIZE_CHANGED}, ["recompile"]),
        ({"id": Diagnosis.EAGER_AFTER_LIMIT, "limit_hit": True}, ["recompile", "eager", "limit"]),
        ({"id": Diagnosis.EAGER_UNSUPPORTED}, ["eager"]),
        ({"id": Diagnosis.COMPILE_REFUSED, "refused": 2}, ["recompile"]),
        ({"id": Diagnosis.COMPILE_REFUSED}, []),
        (
            {"id": Diagnosis.COMPILE_REFUSED, "refused": 1, "limit_hit": True},
            ["recompile", "limit"],
        ),
        ({"id": Diagnosis.GRAPH_BREAK}, []),
    ],
)
def test_a_group_selects_what_it_is_named_after(finding, groups):
    found = Finding(frame=FRAME, **finding)
    assert [name for name in ("recompile", "eager", "limit") if is_of_kind(found, name)] == groups
    assert is_of_kind(found, found.id.value)


@pytest.mark.parametrize("text", ["", " ", ",", " , "])
def test_a_list_without_a_kind_is_refused(text):
    with pytest.raises(UsageError, match="names no kind"):
        parse_kinds(text, Door.EXEC)


def test_an_option_that_was_not_given_asks_for_no_kind():
    assert parse_kinds(None, Door.GATE) == ()
