"""Torch's texts of guards, as several versions write them."""

from __future__ import annotations

import pytest

from esper_audit.data.compiles import ValueKind
from esper_audit.torch_text.guard_text import (
    body_of,
    hint_in,
    is_weak,
    kind_of,
    kind_of_type,
    location_in,
    object_id,
    presence_in,
    type_id,
    wanted_length,
    wanted_type,
    wanted_value,
)

PRESENT, ABSENT = ValueKind.PRESENT, ValueKind.ABSENT


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("L['self'].n == 0  # return x  # a.py:3 in f", "0"),
        ("L['self'].n == 0      (HINT: torch.compile considers it static)", "0"),
        ("L['s'] == {'b', 'a'}", "{'a', 'b'}"),
        ("L['s'] == frozenset({2, 1})", "frozenset({1, 2})"),
        ("L['s'] == torch.Size([2, 3])", "[2, 3]"),
        ("L['c'] == <class 'a.B'>", "a.B"),
        (
            "L['n'] == \"it's  # no comment (HINT: x)\"  # a.py:3 in f",
            '"it\'s  # no comment (HINT: x)"',
        ),
        ("int(L['n']) == 3", "3"),
        ("list(L['d'].keys()) == ['a', 2]", "['a', 2]"),
    ],
)
def test_the_wanted_value_is_the_right_side(text, value):
    assert wanted_value(text) == value


def test_a_text_that_is_no_comparison_has_no_wanted_value():
    assert wanted_value("___check_metadata_12_c0/0") is None


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("not L['extra']  # for e in extra", "0"),
        ("len(L['d']) == 2", "2"),
        ("len(L['d']) != 2", "2"),  # torch says what is so, of a dict's own length check
        ("___tuple_iterator_len(L['it']) == 1", "1"),
        ("what", None),
    ],
)
def test_the_wanted_length_is_never_inverted(text, length):
    assert wanted_length(text) == length


@pytest.mark.parametrize(
    ("text", "source", "kinds"),
    [
        ("not hasattr(L['self'], 'scale')", "L['self'].scale", (ABSENT, PRESENT)),
        ("___dict_contains('a', L['d'])", "L['d']['a']", (PRESENT, ABSENT)),
        ("not ___dict_contains(2, G['ROPE'])", "G['ROPE'][2]", (ABSENT, PRESENT)),
        ("___dict_contains((1, 'b'), L['self'].d)", "L['self'].d[(1, 'b')]", (PRESENT, ABSENT)),
        ("not ___dict_contains('k', L['m'].__dict__)", "L['m'].__dict__['k']", (ABSENT, PRESENT)),
        ("set.__contains__(L['s'], 'a')", "'a' in L['s']", (PRESENT, ABSENT)),
        ("not set.__contains__(G['S'], (1, 2))", "(1, 2) in G['S']", (ABSENT, PRESENT)),
    ],
)
def test_presence_is_read_for_keys_of_any_kind(text, source, kinds):
    found = presence_in(f"{text}  # if it: # a.py:3 in f")
    assert found is not None
    assert (found.source, (found.expected, found.actual)) == (source, kinds)


def test_a_type_known_by_its_id_alone_has_no_name():
    text = "___check_type_id(L['parts'], 7)"
    assert (wanted_type(text), type_id(text)) == ("", 7)


def test_a_type_is_named_where_torch_names_it():
    text = "___check_type_id(L['parts'], 7), type=<class 'a.Parts'>  # (HINT: type Parts)"
    assert (wanted_type(text), type_id(text)) == ("a.Parts", 7)


def test_an_object_is_known_by_its_id():
    assert object_id("___check_obj_id(L['f'], 12), type=<class 'function'>") == 12


@pytest.mark.parametrize(
    ("text", "weak"), [("L['r']() is not None", True), ("L['t'] is not None", False)]
)
def test_a_weak_reference_is_told_from_a_tensor(text, weak):
    assert is_weak(text) is weak


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        (
            "L['self'].n == 0  # a.py:3 in f (HINT: attributes are static (see docs))",
            "attributes are static (see docs)",
        ),
        ("___check_type_id(L['x'], 7), type=<class 'int'>  # (HINT: type int)", ""),
        ("L['n'] == '(HINT: none)'  # a.py:3 in f", ""),
        (
            "L['y'].size()[0] == L['x'].size()[0]  # duck sizing added this equality because these"
            " variables had the same size 5 (to avoid this specialization, set a.b = False)",
            "to avoid this specialization, set a.b = False",
        ),
        (
            "2 <= L['x'].size()[0]  # (due to 0/1 specialization in the framework; to avoid"
            " specialization try torch._dynamo.decorators.mark_unbacked(tensor, dim))",
            "to avoid specialization try torch._dynamo.decorators.mark_unbacked(tensor, dim)",
        ),
    ],
)
def test_advice_of_torch_is_kept_and_no_more(text, hint):
    assert hint_in(text) == hint


def test_the_name_of_a_captured_variable_is_no_advice():
    text = "L['cb'].__closure__[0].cell_contents == 2  # return x * k  # a.py:3 in f"
    assert hint_in(f'{text} (HINT: guard on "k")') == ""


def test_quoted_text_is_no_comment():
    text = "L['n'] == 'x  # b.py:9 in g'  # if n:  # a.py:3 in f"
    assert body_of(text) == "L['n'] == 'x  # b.py:9 in g'"
    found = location_in(text)
    assert found is not None and (found.file, found.line) == ("a.py", 3)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("1j", ValueKind.FLOAT),
        ("(nan+1j)", ValueKind.FLOAT),
        ("-0.0", ValueKind.FLOAT),
        ("device(type='cpu', index=0)", ValueKind.TORCH),
        ("frozenset({1})", ValueKind.COLLECTION),
        ("a.Mode.FAST", ValueKind.ENUM),
    ],
)
def test_a_value_is_known_by_how_it_is_written(text, kind):
    assert kind_of(text) is kind


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("torch.nn.parameter.Parameter", ValueKind.TENSOR),
        ("my.FunnyTensor", ValueKind.TENSOR),
        ("int", ValueKind.INT),
        ("NoneType", ValueKind.NONE),
        ("functools.partial", ValueKind.OTHER),
    ],
)
def test_a_type_says_what_its_values_are(name, kind):
    assert kind_of_type(name) is kind
