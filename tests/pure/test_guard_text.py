"""Torch's texts of guards, as several versions write them."""

from __future__ import annotations

import pytest

from esper_audit.torch_text.guard_text import body_of, checked_type_id, expected_value


@pytest.mark.parametrize(
    ("kind", "text", "expected"),
    [
        ("EQUALS_MATCH", "L['self'].n == 0  # return x  # a.py:3 in f", "0"),
        ("EQUALS_MATCH", "L['self'].n == 0      (HINT: torch.compile considers it static)", "0"),
        ("TYPE_MATCH", "___check_type_id(L['parts'], 7), type=<class 'tuple'>", "tuple"),
    ],
    ids=["value", "advice", "type's name"],
)
def test_expected_values_are_read_from_the_texts_of_each_version(kind, text, expected):
    assert expected_value(kind, text) == (expected, True)


def test_a_type_known_by_its_id_alone_keeps_the_text_of_torch():
    text = "___check_type_id(L['parts'], 7)"
    assert expected_value("TYPE_MATCH", text) == (body_of(text), True)
    assert checked_type_id(text) == 7


def test_a_type_that_is_named_is_not_looked_up_by_its_id():
    assert checked_type_id("___check_type_id(L['parts'], 7), type=<class 'tuple'>") is None
