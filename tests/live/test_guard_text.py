"""Torch's texts of guards, as several versions write them."""

from __future__ import annotations

import pytest

from esper_audit._dynamo.guard_text import body_of, expected_value


class Own:
    pass


@pytest.mark.parametrize(
    ("kind", "text", "expected"),
    [
        ("EQUALS_MATCH", "L['self'].n == 0  # return x  # a.py:3 in f", "0"),
        ("EQUALS_MATCH", "L['self'].n == 0      (HINT: torch.compile considers it static)", "0"),
        ("TYPE_MATCH", f"___check_type_id(L['parts'], {id(list)})", "list"),
        ("TYPE_MATCH", f"___check_type_id(L['parts'], {id(Own)})", f"{__name__}.Own"),
        ("TYPE_MATCH", "___check_type_id(L['parts'], 7), type=<class 'tuple'>", "tuple"),
    ],
    ids=["value", "advice", "builtin type", "own type", "type's name"],
)
def test_expected_values_are_read_from_the_texts_of_each_version(kind, text, expected):
    assert expected_value(kind, text) == (expected, True)


def test_a_type_that_is_gone_keeps_the_text_of_torch():
    text = "___check_type_id(L['parts'], 7)"
    assert expected_value("TYPE_MATCH", text) == (body_of(text), True)
