"""What a guard wanted and what there was: as texts for readers, as facts for whoever judges."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field

from esper_audit.data.compiles import ValueKind
from esper_audit.torch_text.guard_text import Presence

Fields = dict[str, tuple[str, str]]
"""What differs, by name, as (expected, actual)."""

GLOBAL_STATE = "<global state>"
"""The source of every setting that holds for a thread or the process."""


@dataclass(frozen=True, slots=True)
class Values:
    """What a guard wanted and what there was, as texts and as facts.

    ``recognized`` is False where the guard's text could not be read.
    """

    expected: str
    actual: str
    expected_kind: ValueKind = ValueKind.OTHER
    actual_kind: ValueKind = ValueKind.OTHER
    fields: Fields = field(default_factory=dict)
    recognized: bool = True


def of_presence(presence: Presence) -> Values:
    """Of a guard on whether something is there."""
    expected, actual = presence.expected, presence.actual
    return Values(expected.value, actual.value, expected, actual)


def of_fields(fields: Fields) -> Values:
    """Of settings that changed."""
    return Values(*as_texts(fields), fields=fields)


def as_texts(fields: Fields) -> tuple[str, str]:
    """``size=[2, 4], dtype=float32`` of what was expected, and of what came.

    The strides of another size are other ones by that alone.
    """
    if not fields:
        return "as compiled", "as compiled"
    told = {name: pair for name, pair in fields.items() if name != "stride" or "size" not in fields}
    expected, actual = (
        ", ".join(f"{name}={pair[side]}" for name, pair in told.items()) for side in (0, 1)
    )
    return expected, actual


def same_field(field_name: str, wanted: str, actual: str) -> bool:
    """Whether a tensor's field is as the guard wants it; a None among the sizes takes any."""
    if field_name not in ("size", "stride"):
        return wanted == actual
    try:
        pairs = list(zip(ast.literal_eval(wanted), ast.literal_eval(actual), strict=True))
    except (ValueError, SyntaxError):
        return False
    return all(left is None or left == right for left, right in pairs)
