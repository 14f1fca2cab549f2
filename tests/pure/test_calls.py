"""Calls of compiled code in two runs of a program, held against each other."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import pytest

from esper_audit.data.calls import Calls, CompiledCall, Digest
from esper_audit.diagnosis.calls import differences, later_seconds, reused_seconds
from esper_audit.program.variant import read_calls


def of(*sums, kind="float32[4]"):
    return Digest((kind,) * len(sums), tuple((value, value / 2, abs(value)) for value in sums))


def call(output=1.0, **state):
    before = {name: of(value) for name, value in state.items()}
    return CompiledCall(number=0, before=before, output=of(output))


def calls(*rows, **last):
    return Calls(rows=rows, last={name: of(value) for name, value in last.items()})


def test_rounding_is_no_difference():
    assert differences(calls(call(1.0)), calls(call(1.00005))) == ()
    assert differences(calls(call(1.0)), calls(call(1.01))) == (0,)


def test_a_value_close_to_zero_is_held_to_what_rounding_leaves_of_others():
    assert differences(calls(call(-0.0015985)), calls(call(-0.0015982))) == ()


def test_runs_of_the_same_code_are_held_to_less():
    assert differences(calls(call(1.0)), calls(call(1.00005)), exact=True) == (0,)


def test_a_wider_dtype_is_held_to_less():
    one, other = (replace(call(), output=of(value, kind="float64[4]")) for value in (1.0, 1.0001))
    assert differences(calls(one), calls(other)) == (0,)


def test_a_difference_is_named_by_the_call_that_shows_it():
    wrong = calls(call(1.0, weight=2.0), call(1.0, weight=2.0), call(1.0, weight=3.0))
    right = calls(*[call(1.0, weight=2.0)] * 3)
    assert differences(wrong, right) == (2,)


def test_state_that_an_edit_adds_is_not_compared():
    assert differences(calls(call(w=1.0, added=5.0)), calls(call(w=1.0, gone=7.0))) == ()


def test_a_run_with_fewer_calls_differs_where_it_ends():
    assert differences(calls(call()), calls(call(), call())) == (1,)


def test_the_state_at_the_end_is_one_call_more():
    assert differences(calls(call(), w=1.0), calls(call(), w=2.0)) == (1,)
    assert differences(calls(call(), w=1.0), calls(call())) == ()


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_what_is_no_number_equals_itself_and_outlives_a_file(tmp_path, value):
    row = replace(call(), output=Digest(("float32[]",), ((value, value, value),)))
    path = tmp_path / "calls"
    path.write_bytes(msgspec.msgpack.encode(calls(row)))
    again = read_calls(path)
    assert again is not None
    assert differences(again, calls(row)) == ()
    assert differences(calls(call()), calls(row)) == (0,)


def test_an_error_that_only_one_run_raises_is_a_difference():
    assert differences(calls(replace(call(), error="ValueError")), calls(call())) == (0,)


def test_another_shape_is_a_difference_whatever_it_adds_up_to():
    other = replace(call(), output=of(1.0, kind="float32[2, 2]"))
    assert differences(calls(call()), calls(other)) == (0,)


def test_a_call_that_compiled_is_not_one_that_reused():
    rows = [replace(call(), hits=hits, misses=misses) for hits, misses in ((0, 1), (1, 0), (1, 1))]
    timed = [replace(row, seconds=place + 1.0) for place, row in enumerate(rows)]
    assert reused_seconds(calls(*timed)) == [2.0]
    assert later_seconds(calls(*timed)) == [2.0, 3.0]


def test_a_run_that_left_no_calls_is_told_from_one_without_any(tmp_path):
    assert read_calls(tmp_path / "missing") is None
    (tmp_path / "half").write_bytes(b"\x93")
    assert read_calls(tmp_path / "half") is None
