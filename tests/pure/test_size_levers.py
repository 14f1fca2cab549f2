"""Levers against sizes that change: marks on arguments, sources, settings."""

from __future__ import annotations

import ast
import re
from dataclasses import replace

import pytest
from builders import FRAME, failure
from levers_found import EQUAL, WEIGHT, X, found, ids, named, setting

from esper_audit.data.diagnoses import Diagnosis


def test_a_size_is_marked_on_the_argument_of_its_function():
    made = found(Diagnosis.SIZE_CHANGED, X)
    (lever,) = named(made, "mark-dynamic").levers
    assert lever.name == "mark_dynamic"
    assert ast.literal_eval(lever.value) == ("L['x']", 0, "Host.forward")
    assert setting(made, "dynamic-sources") == "L['x']:0"


def test_an_older_torch_lists_sources_without_dimensions():
    made = found(Diagnosis.SIZE_CHANGED, X, torch="2.12.1")
    assert setting(made, "dynamic-sources") == "L['x']"


def test_both_sides_of_an_equality_are_marked():
    made = found(Diagnosis.SIZE_CHANGED, EQUAL)
    marks = [ast.literal_eval(lever.value)[:2] for lever in named(made, "mark-dynamic").levers]
    assert marks == [("L['y']", 0), ("L['x']", 1)]
    assert setting(made, "dynamic-sources") == "L['y']:0,L['x']:1"
    assert "torch-hint" not in ids(made) and setting(made, "unequal-sizes") is False


def test_a_parameter_is_neither_marked_nor_left_to_dynamic():
    made = found(Diagnosis.SIZE_CHANGED, WEIGHT)
    sizes = ["module-sizes-in-frame", "module-sizes-dynamic", "module-sizes"]
    assert ids(made)[:4] == ["dynamic-sources", *sizes]
    assert not {"dynamic", "mark-dynamic", "unbacked-sources"} & set(ids(made))


def test_a_size_of_one_is_not_marked_dynamic():
    one = replace(X, fields={"size": ("[3, 4]", "[1, 4]")})
    made = found(Diagnosis.SIZE_ZERO_ONE, one)
    assert ids(made) == ["mark-unbacked", "unbacked-sources", "sizes-of-one", "warm-up"]


@pytest.mark.parametrize(
    "frame",
    [
        replace(
            FRAME, name="torch_dynamo_resume_in_f_at_7", raw_name="torch_dynamo_resume_in_f_at_7"
        ),
        replace(FRAME, raw_name="inner"),
    ],
)
def test_no_argument_is_marked_where_the_frame_is_not_the_functions_own(frame):
    assert "mark-dynamic" not in ids(found(Diagnosis.SIZE_CHANGED, X, frame=frame))


def test_a_wrapped_modules_argument_is_marked_by_its_place():
    guard = replace(X, source="input", torch_source="L['args'][0]")
    frame = replace(FRAME, name="Sequential", raw_name="wrap_inline.<locals>.inner")
    (lever,) = named(found(Diagnosis.SIZE_CHANGED, guard, frame=frame), "mark-dynamic").levers
    assert ast.literal_eval(lever.value) == ("L['args'][0]", 0, "Sequential")


def test_a_size_that_is_not_known_is_listed_as_a_whole_and_not_marked():
    guard = replace(X, fields={})
    made = found(Diagnosis.SIZE_CHANGED, guard)
    assert "mark-dynamic" not in ids(made)


@pytest.mark.parametrize(
    "source",
    ["___tuple_iterator_getitem(L['xs'], 0)", "L['a, b']", "L['x-a']", "L['d']['a:b'].k"],
)
def test_a_source_that_no_list_can_hold_is_written_as_a_pattern(source):
    guard = failure(source="n", torch_source=source, expected="1", actual="2")
    entry = setting(found(Diagnosis.INT_COUNTER, guard), "dynamic-sources")
    assert not set(", ") & set(entry) and ":" not in entry
    assert re.match(entry, source) or entry == source
    assert not re.match(entry, f"{source}.other")
