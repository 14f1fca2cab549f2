"""What a guard wanted and what there was: as texts for readers, as facts for whoever judges."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import Any

import torch

from esper_audit._dynamo import values
from esper_audit._dynamo.tensor_guard import as_texts, tensor_difference
from esper_audit.data.compiles import ValueKind
from esper_audit.torch_text.guard_text import (
    Presence,
    body_of,
    checked_type_id,
    expected_value,
    kind_of,
    object_id,
)


@dataclass(frozen=True, slots=True)
class Values:
    """What a guard wanted and what there was, as texts and as facts."""

    expected: str
    actual: str
    expected_kind: ValueKind = ValueKind.OTHER
    actual_kind: ValueKind = ValueKind.OTHER
    fields: dict[str, tuple[str, str]] = field(default_factory=dict)


def of_presence(presence: Presence) -> Values:
    """Of a guard on whether something is there."""
    expected, actual = presence.expected, presence.actual
    return Values(expected.value, actual.value, expected, actual)


def of_tensor(text: str, value: torch.Tensor) -> Values:
    """Of a TENSOR_MATCH guard."""
    fields = tensor_difference(text, value)
    if fields is None:
        actual = f"tensor(size={list(value.shape)}, dtype={value.dtype})"
        return Values(body_of(text), actual, ValueKind.OTHER, ValueKind.TENSOR)
    return Values(*as_texts(fields), ValueKind.TENSOR, ValueKind.TENSOR, fields)


def of_value(kind: str, text: str, value: Any) -> Values:
    """Of any other guard: what it wants by its text, and what there is."""
    expected = expected_value(kind, text)[0]
    shown = value
    if kind == "TYPE_MATCH":
        expected = named_type(text) or expected
        shown = type(value) if value is not None else value
    elif kind in ("LENGTH_CHECK", "DICT_LENGTH"):
        shown = value = _length(value)
    elif kind == "ID_MATCH" and issubclass(type(value), Enum):
        expected = _member_of(type(value), text) or expected
    kinds = ValueKind.TENSOR if kind == "TENSOR_MATCH" else kind_of(expected), values.kind_of(value)
    return Values(expected, values.text_of(shown), *kinds)


def _length(value: Any) -> Any:
    """How many items it has; the value itself where its own ``__len__`` fails."""
    try:
        return len(value)
    except Exception:
        return value


def held_to(expected: str, value: Any) -> Values:
    """Of an expression, split into what varies and what it is held to."""
    return Values(expected, values.text_of(value), kind_of(expected), values.kind_of(value))


def _member_of(enumeration: type[Enum], text: str) -> str:
    """The member that an identity guard wants: Dynamo guards on its id (2.13)."""
    wanted = object_id(text)
    return next((values.text_of(member) for member in enumeration if id(member) == wanted), "")


def named_type(text: str) -> str:
    """The type of which the guard holds the id alone; empty where it is gone, or named."""
    wanted = checked_type_id(text)
    waiting: list[type] = [object] if wanted is not None else []
    seen: set[int] = set()
    while waiting:
        kind = waiting.pop()
        if id(kind) == wanted:
            return values.text_of(kind)
        if id(kind) not in seen:
            seen.add(id(kind))
            waiting += type.__subclasses__(kind)
    return ""
