"""Guards that compare several sources: what they wanted, and what there is."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from esper_audit._dynamo import values
from esper_audit._dynamo.guarded_values import held_to
from esper_audit.data.compiles import ValueKind
from esper_audit.torch_text.guard_text import body_of, wanted_length
from esper_audit.torch_text.guard_values import Values
from esper_audit.torch_text.recompile_reasons import other_type
from esper_audit.torch_text.relations import (
    ONE_TENSOR,
    SEPARATE_TENSORS,
    Expression,
    split_expression,
)

_TYPE = "the type it was compiled with"
ValueOf = Callable[[str], Any]
"""The value of an expression; the exception where evaluating it raised one."""

_DUPLICATE = re.compile(r"[Dd]uplicate tensor")
_OVERLAP = re.compile(r"check_overlapping\((?P<sources>.+)\)", re.DOTALL)
_LENGTH = re.compile(r"(?:not |len\()(?P<source>.+?)\)?(?: [!=>]=? ?\d+)?")
_ONE, _TWO = "one object", "two objects"


@dataclass(frozen=True, slots=True)
class Relation:
    """A failed guard on several sources. ``is_broken``: one of them can't be read any more."""

    kind: str
    source: str
    values: Values
    sides: tuple[str, ...] = ()
    is_broken: bool = False


def check(text: str, value_of: ValueOf) -> Relation | None:
    """A guard that is an expression, where it is false now; None where it holds."""
    whole = body_of(text)
    result = value_of(whole)
    if result is True:
        return None
    expression = split_expression(whole)
    broken = isinstance(result, Exception)
    if expression.compares_identity:
        return _identity(expression, value_of, broken)
    if expression.sides:
        return _comparison(expression, value_of, broken)
    found = held_to(expression.expected, value_of(expression.source))
    return Relation("SHAPE_EXPRESSION", expression.source, found, (expression.source,), broken)


def _identity(expression: Expression, value_of: ValueOf, broken: bool) -> Relation:
    kind = values.kind_of(value_of(expression.sides[0]))
    pair = (_ONE, _TWO) if expression.operator == "is" else (_TWO, _ONE)
    source = " is ".join(expression.sides)
    return Relation("OBJECT_ALIASING", source, Values(*pair, kind, kind), expression.sides, broken)


def _comparison(expression: Expression, value_of: ValueOf, broken: bool) -> Relation:
    """Of two sides that vary: whether it held, and what they are now."""
    sides = [value_of(side) for side in expression.sides]
    wanted = "equal" if expression.operator == "==" else "true"
    now = " and ".join(map(values.text_of, sides))
    found = Values(wanted, now, values.kind_of(sides[0]), values.kind_of(sides[-1]))
    return Relation("SHAPE_EXPRESSION", expression.source, found, expression.sides, broken)


def read(text: str, unaliased: Iterable[str], value_of: ValueOf) -> Relation | None:
    """A relational guard of torch/csrc/dynamo/guards.cpp that failed, from its text.

    ``unaliased`` are the sources of tensors no two of which may be one. None of an expression
    that holds: torch gives all expressions of one such guard, whichever failed.
    """
    body = body_of(text)
    if source := other_type(text):
        return _type(source, value_of(source))
    if _DUPLICATE.search(body):
        return _duplicate(list(unaliased), value_of)
    overlap = _OVERLAP.search(body)
    if overlap is not None:
        return _overlap(overlap["sources"])
    if wanted_length(text) is not None and not split_expression(body).sides:
        return _length(text, value_of)
    if _is_expression(body):
        return check(text, value_of)
    return Relation("RELATIONAL", "<inputs>", Values("as compiled", body, recognized=False))


def _type(source: str, value: Any) -> Relation:
    now = "None" if value is None else values.type_name(type(value))
    kinds = ValueKind.COLLECTION, values.kind_of(value)
    return Relation("TYPE_MATCH", source, Values(_TYPE, now, *kinds), (source,))


def _duplicate(sources: list[str], value_of: ValueOf) -> Relation:
    """The sources that are one tensor now; "as <inputs>" where this torch keeps no list of them."""
    by_id: dict[int, list[str]] = {}
    for source in sources:
        by_id.setdefault(id(value_of(source)), []).append(source)
    same = next((group for group in by_id.values() if len(group) > 1), ["<inputs>"])
    found = Values(SEPARATE_TENSORS, ONE_TENSOR, ValueKind.TENSOR, ValueKind.TENSOR)
    return Relation("NO_TENSOR_ALIASING", " is ".join(same[:2]), found, tuple(same))


def _overlap(lists: str) -> Relation:
    sources = re.findall(r"[LG]\[(?:[^\[\],]|\[[^\[\]]*\])+\](?:[.\w]|\[[^\[\]]*\])*", lists)
    found = Values("memory as compiled", "other overlaps", ValueKind.TENSOR, ValueKind.TENSOR)
    named = ", ".join(sources) or "<inputs>"
    return Relation("STORAGE_OVERLAPPING", named, found, tuple(sources))


def _length(text: str, value_of: ValueOf) -> Relation | None:
    match = _LENGTH.fullmatch(body_of(text))
    wanted = wanted_length(text)
    if match is None or wanted is None:
        unread = Values("as compiled", body_of(text), recognized=False)
        return Relation("RELATIONAL", "<inputs>", unread)
    source = match["source"]
    value = value_of(source)
    kind = "DICT_LENGTH" if issubclass(type(value), dict) else "LENGTH_CHECK"
    length = values.length_of(value)
    found = held_to(wanted, value if length is None else length)
    return Relation(kind, source, found, (source,))


def _is_expression(body: str) -> bool:
    try:
        tree = ast.parse(body, mode="eval").body
    except (SyntaxError, ValueError):
        return False
    return not isinstance(tree, (ast.Constant, ast.Name))
