"""What a guard of a trace log wanted, where nobody knows what came."""

from __future__ import annotations

import re

from esper_audit.data.compiles import ValueKind
from esper_audit.torch_text.guard_kinds import Reading, reading_of
from esper_audit.torch_text.guard_text import (
    body_of,
    fixed_value,
    is_weak,
    kind_of,
    kind_of_type,
    presence_in,
    wanted_length,
    wanted_tensor,
    wanted_value,
)
from esper_audit.torch_text.guard_values import Values, of_fields, of_presence
from esper_audit.torch_text.relations import split_expression
from esper_audit.traces.guard_trees import Guard
from esper_audit.traces.stated import class_in, kind_of_object, object_name

EXPRESSION = "SHAPE_EXPRESSION"


def wanted_of(guard: Guard) -> Values:
    """What a guard wanted, of a value that nobody knows."""
    reading, text = reading_of(guard.kind), guard.text
    if reading in (Reading.VALUE, Reading.KEYS, Reading.ITERATOR):
        return _unknown(wanted_value(text) or body_of(text))
    if reading is Reading.SWITCH:
        return _unknown(fixed_value(guard.kind))
    if reading is Reading.NAN:
        return _unknown("nan")
    if reading in (Reading.LENGTH, Reading.ITEMS_LEFT):
        return _unknown(wanted_length(text) or body_of(text))
    if reading is Reading.TYPE:
        name = class_in(text).removeprefix("builtins.")
        return Values(name or "the type it was compiled with", "", kind_of_type(name))
    if reading is Reading.OBJECT:
        name = object_name(class_in(text))
        kind = kind_of_object(guard)
        return Values(f"the {name} it was compiled with", f"another {name}", kind, kind)
    if reading is Reading.NOT_NONE:
        weak = is_weak(text) or guard.kind == "WEAKREF_ALIVE"
        pair = ("alive", "freed") if weak else ("a tensor", "None")
        return Values(*pair, ValueKind.OTHER if weak else ValueKind.TENSOR, ValueKind.NONE)
    if reading is Reading.PRESENCE and (presence := presence_in(text)) is not None:
        return of_presence(presence)
    if reading is Reading.TENSOR:
        return Values(wanted_tensor(text), "", ValueKind.TENSOR, ValueKind.TENSOR)
    if reading is Reading.SETTING:
        return of_fields(wanted_setting(guard))
    if reading is Reading.RELATION or guard.kind == EXPRESSION:
        return _relation(body_of(text))
    return Values(body_of(text), "")


_LAYER = re.compile(r"\('(?P<name>\w+)', \d+")


def wanted_setting(guard: Guard) -> dict[str, tuple[str, str]]:
    """What a guard on one of torch's settings wants, by name; nothing that its text leaves out."""
    wanted = wanted_value(guard.text) or ""
    if guard.kind == "DEFAULT_DEVICE":
        return {"default_device": (_device(wanted), "")}
    if guard.kind == "DUAL_LEVEL_MATCH":
        return {"forward_mode_level": ("none" if wanted == "-1" else wanted, "")}
    if guard.kind == "FUNCTORCH_STACK_MATCH":
        layers = " + ".join(match["name"] for match in _LAYER.finditer(body_of(guard.text)))
        return {"functorch_transforms": (layers or "none", "")}
    if guard.kind == "AUTOGRAD_SAVED_TENSORS_HOOKS":
        is_none = body_of(guard.text).endswith("== None")
        return {"saved_tensors_hooks": ("none" if is_none else "those it was compiled with", "")}
    return {}


def _device(text: str) -> str:
    """``cpu:0`` of ``device(type='cpu', index=0)``; "none" of None."""
    if not text.startswith("device("):
        return "none"
    return ":".join(part.partition("=")[2].strip("'") for part in text[7:-1].split(", "))


def _relation(body: str) -> Values:
    expression = split_expression(body)
    if expression.compares_identity:
        pair = ("one object", "two objects")
        return Values(*(pair if expression.operator == "is" else pair[::-1]))
    if expression.sides:
        return Values("equal" if expression.operator == "==" else "true", "")
    return _unknown(expression.expected)


def _unknown(wanted: str) -> Values:
    """Of a new value that nobody knows; for a diagnosis it is one of the same kind."""
    return Values(wanted, "", kind_of(wanted), kind_of(wanted))
