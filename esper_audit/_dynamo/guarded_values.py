"""What a guard wanted and what there was: as texts for readers, as facts for whoever judges."""

from __future__ import annotations

import gc
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from types import CodeType
from typing import Any

import torch

from esper_audit._dynamo import iterators, marks, metadata, values
from esper_audit._dynamo.made_guards import Objects
from esper_audit._dynamo.tensor_guard import tensor_difference
from esper_audit.data.compiles import ValueKind
from esper_audit.torch_text.guard_kinds import KINDS, Reading, reading_of
from esper_audit.torch_text.guard_text import (
    body_of,
    fixed_value,
    is_weak,
    kind_of,
    kind_of_type,
    object_id,
    type_id,
    wanted_length,
    wanted_tensor,
    wanted_type,
    wanted_value,
)
from esper_audit.torch_text.guard_values import Values, as_texts


@dataclass(frozen=True, slots=True)
class Failed:
    """A guard that failed: its kind and text, the value, and what identity guards wanted."""

    kind: str
    text: str
    value: Any
    objects: Objects = field(default_factory=dict)


def of_guard(failed: Failed) -> Values:
    """Of a guard on one value: what it wanted, and what there is."""
    known = failed.kind in KINDS
    return _READ.get(reading_of(failed.kind), _unread)(failed) if known else _unread(failed)


def gone(error: Exception) -> Values:
    """Of a source that can't be read any more: absent, or what reading it raised."""
    kind = values.kind_of(error)
    missing = kind is ValueKind.NO_KEY or isinstance(error, AttributeError)
    actual = ValueKind.ABSENT.value if missing else f"gone: {type(error).__name__}"
    return Values(ValueKind.PRESENT.value, actual, ValueKind.PRESENT, kind)


def held_to(expected: str, value: Any) -> Values:
    """Of an expression, split into what varies and what it is held to."""
    return Values(expected, values.text_of(value), kind_of(expected), values.kind_of(value))


def _unread(failed: Failed) -> Values:
    body = body_of(failed.text)
    kinds = kind_of(body), values.kind_of(failed.value)
    return Values(body, values.text_of(failed.value), *kinds, recognized=False)


def _value(failed: Failed) -> Values:
    wanted, value = wanted_value(failed.text), failed.value
    if wanted is None:
        return _unread(failed)
    if type(value) is torch._C.DispatchKeySet:
        return Values(wanted.removesuffix(".raw_repr()"), str(value))
    found = held_to(wanted, value)
    return _torchs(found, value) if ValueKind.TORCH in _kinds(found) else found


def _kinds(found: Values) -> tuple[ValueKind, ValueKind]:
    return found.expected_kind, found.actual_kind


def _torchs(found: Values, value: Any) -> Values:
    """Of a dtype, a device, a layout, a memory format: what differs, as of a tensor."""
    pair = _short(found.expected), _short(found.actual)
    alike = found.expected_kind is found.actual_kind
    return Values(*pair, *_kinds(found), {type(value).__name__: pair} if alike else {})


def _short(text: str) -> str:
    """``cpu:0`` of ``device(type='cpu', index=0)``, ``float32`` of ``torch.float32``."""
    if text.startswith("device("):
        return str(eval(text, {"device": torch.device}))
    return text.removeprefix("torch.")


def _nan(failed: Failed) -> Values:
    return held_to("nan", failed.value)


def _switch(failed: Failed) -> Values:
    return held_to(fixed_value(failed.kind), failed.value)


def _not_none(failed: Failed) -> Values:
    """Of a tensor, or of what a weak reference holds."""
    if is_weak(failed.text) or failed.kind == "WEAKREF_ALIVE":
        return Values("alive", "freed", ValueKind.OTHER, ValueKind.NONE)
    return Values("a tensor", values.text_of(failed.value), ValueKind.TENSOR, ValueKind.NONE)


def _type(failed: Failed) -> Values:
    wanted = type_id(failed.text)
    known = failed.objects.get(wanted) if wanted is not None else None
    name = values.type_name(known) if isinstance(known, type) else wanted_type(failed.text)
    name = name.removeprefix("builtins.") or named_type(failed.text) or body_of(failed.text)
    expected = values.kind_of_type(known) if isinstance(known, type) else kind_of_type(name)
    value = failed.value
    actual = "None" if value is None else values.type_name(type(value))
    return Values(name, actual, expected, values.kind_of(value))


def named_type(text: str) -> str:
    """The type of which the guard holds the id alone, as 2.8 does; empty where it is gone."""
    wanted = type_id(text)
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


def _object(failed: Failed) -> Values:
    value, wanted = failed.value, object_id(failed.text)
    known = failed.objects.get(wanted) if wanted is not None else None
    if known is None and issubclass(type(value), Enum):
        members = getattr(type(value), "_member_map_", {}).values()
        known = next((member for member in members if id(member) == wanted), None)
    if known is None:
        return _lost_object(failed)
    expected, actual = values.text_of(known), values.text_of(value)
    if expected == actual:
        expected, actual = _told_apart(known, value)
    return Values(expected, actual, values.kind_of(known), values.kind_of(value))


def _lost_object(failed: Failed) -> Values:
    """Of one that takes no weak reference: None and the like are known by their types."""
    wanted, value = wanted_type(failed.text), failed.value
    kinds = kind_of_type(wanted), values.kind_of(value)
    if kinds[0] is ValueKind.NONE:
        return Values("None", values.text_of(value), *kinds)
    name = wanted.rpartition(".")[2] or "object"
    actual = values.text_of(value)
    if type(value).__qualname__.endswith(name) and kinds[1] is ValueKind.OTHER:
        actual = f"another {name}"
    return Values(f"the {name} it was compiled with", actual, *kinds)


def _told_apart(known: Any, value: Any) -> tuple[str, str]:
    """Of two things of one name: by their lines, where they are functions."""
    codes = [thing if type(thing) is CodeType else _code_of(thing) for thing in (known, value)]
    texts = [values.text_of(thing) for thing in (known, value)]
    if None not in codes and codes[0] is not codes[1]:
        first, second = (code.co_firstlineno for code in codes if code is not None)
        other = "another " if first == second else ""
        return f"{texts[0]} of line {first}", f"{other}{texts[1]} of line {second}"
    name = type(value).__qualname__
    return f"the {name} it was compiled with", f"another {name}"


def _code_of(thing: Any) -> CodeType | None:
    code = getattr(thing, "__code__", None) if type(thing).__name__ == "function" else None
    return code if type(code) is CodeType else None


def _length(failed: Failed) -> Values:
    wanted = wanted_length(failed.text)
    if wanted is None:
        return _unread(failed)
    length = values.length_of(failed.value)
    return held_to(wanted, failed.value if length is None else length)


def _items_left(failed: Failed) -> Values:
    wanted = wanted_length(failed.text)
    left = iterators.items_left(failed.value)
    return _unread(failed) if wanted is None else held_to(wanted, left)


def _iterator(failed: Failed) -> Values:
    expected = iterators.wanted(failed.text)
    actual = iterators.text_of(failed.value) or values.text_of(failed.value)
    return Values(expected, actual) if expected else _unread(failed)


def _keys(failed: Failed) -> Values:
    wanted = wanted_value(failed.text)
    if wanted is None:
        return _unread(failed)
    held = gc.get_referents(failed.value)  # of the proxy, without a call of what it stands for
    keys = values.contents_of(list(held[0])) if held and type(held[0]) is dict else None
    return Values(wanted, keys or "others", ValueKind.COLLECTION, ValueKind.COLLECTION)


def of_keys(texts: dict[int, str], now: Any) -> Values:
    """Of a dict's keys in their order, from the texts of the guards on them."""
    wanted = [wanted_value(texts[number]) for number in sorted(texts)]
    known = [text for text in wanted if text is not None]
    expected = f"[{', '.join(known)}]" if len(known) == len(wanted) else f"{len(wanted)} keys"
    actual = values.contents_of(now) or f"{len(now)} keys"
    return Values(expected, actual, ValueKind.COLLECTION, ValueKind.COLLECTION)


def _tensor(failed: Failed) -> Values:
    value = failed.value
    if not issubclass(type(value), torch.Tensor):
        return Values(wanted_tensor(failed.text), values.text_of(value), *_tensor_and(value))
    fields = tensor_difference(failed.text, value)
    if fields is None:
        actual = f"tensor(size={list(value.shape)}, dtype={value.dtype})"
        kinds = ValueKind.OTHER, ValueKind.TENSOR
        return Values(body_of(failed.text), actual, *kinds, recognized=False)
    return Values(*as_texts(fields), ValueKind.TENSOR, ValueKind.TENSOR, fields)


def _tensor_and(value: Any) -> tuple[ValueKind, ValueKind]:
    return ValueKind.TENSOR, values.kind_of(value)


def _marks(failed: Failed) -> Values:
    pair = marks.difference(failed.text, failed.value)
    return Values(*pair, ValueKind.COLLECTION, ValueKind.COLLECTION)


def _metadata(failed: Failed) -> Values:
    return Values(*metadata.difference(failed.text, failed.value))


def _none(failed: Failed) -> Values:
    if failed.kind.startswith("LAMBDA_GUARD"):
        return _unread(failed)
    return Values("as compiled", "changed", ValueKind.OTHER, values.kind_of(failed.value))


_READ: dict[Reading, Callable[[Failed], Values]] = {
    Reading.VALUE: _value,
    Reading.NAN: _nan,
    Reading.SWITCH: _switch,
    Reading.NOT_NONE: _not_none,
    Reading.TYPE: _type,
    Reading.OBJECT: _object,
    Reading.LENGTH: _length,
    Reading.ITEMS_LEFT: _items_left,
    Reading.ITERATOR: _iterator,
    Reading.KEYS: _keys,
    Reading.TENSOR: _tensor,
    Reading.MARKS: _marks,
    Reading.METADATA: _metadata,
    Reading.NONE: _none,
}
