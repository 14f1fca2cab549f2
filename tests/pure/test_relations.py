"""Guards that are expressions are split into what varies and what it is held to."""

from __future__ import annotations

import pytest

from esper_audit.torch_text.relations import split_expression

X, Y = "L['x'].size()[0]", "L['y'].size()[0]"


@pytest.mark.parametrize(
    ("text", "source", "expected"),
    [
        ("L['self'].alpha == 0.5", "L['self'].alpha", "0.5"),
        ("0.5 == L['self'].alpha", "L['self'].alpha", "0.5"),
        (f"{X} >= 16", X, ">= 16"),
        (f"16 <= {X}", X, ">= 16"),
        (f"2 <= {X} <= 15", X, "2 to 15"),
        (f"1 < {X} < 16", X, "2 to 15"),
        (f"({X} % 4) == 0", f"{X} % 4", "0"),
        (f"Eq({X} % 4, 0)", f"{X} % 4", "0"),
        (f"Ne({X}, 1)", X, "!= 1"),
        ("(L['m']._value_ & 1) != 1", "L['m']._value_ & 1", "!= 1"),
        ("1 - L['p'] != 0.0", "1 - L['p']", "!= 0.0"),
        ("___as_tensor(L['f']).item() == 2.0", "L['f']", "2.0"),
        ("not L['a'] and L['b']", "not L['a'] and L['b']", "True"),
        ("no python (", "no python (", "True"),
    ],
)
def test_one_source_is_held_to_a_constant(text, source, expected):
    found = split_expression(text)
    assert (found.source, found.expected, found.sides) == (source, expected, ())


@pytest.mark.parametrize(
    ("text", "sides", "operator"),
    [
        (f"{Y} == {X}", (Y, X), "=="),
        (f"Eq({Y}, 2*{X})", (Y, f"2 * {X}"), "=="),
        (f"{Y} <= {X}", (Y, X), "<="),
        ("L['a'] is L['b']", ("L['a']", "L['b']"), "is"),
        ("L['a'] is not G['b']", ("L['a']", "G['b']"), "is not"),
    ],
)
def test_a_relation_has_two_sides(text, sides, operator):
    found = split_expression(text)
    assert (found.sides, found.operator) == (sides, operator)


def test_a_range_of_anything_but_whole_numbers_is_left_whole():
    text = "0.5 <= L['p'] <= 1.5"
    assert split_expression(text).source == text
