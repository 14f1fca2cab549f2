"""Guards of one cache entry, held against what another entry's tree states: which of them failed.

Worked example: entry 0/0 has ``L['k'] == 2``, the tree of 0/1 has ``L['k'] == 3``. So when 0/1 was
compiled, that guard of 0/0 was false, for ``L['k']`` was 3. Where the tree of 0/1 says nothing of
``L['k']``, nobody knows.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from esper_audit.data.compiles import ValueKind
from esper_audit.torch_text.global_state import differing_state
from esper_audit.torch_text.guard_kinds import Reading, reading_of
from esper_audit.torch_text.guard_text import (
    backend_of,
    body_of,
    device_of,
    fixed_value,
    is_weak,
    kind_of,
    kind_of_type,
    object_id,
    presence_in,
    tensor_fields,
    type_id,
    wanted_length,
    wanted_tensor,
    wanted_value,
)
from esper_audit.torch_text.guard_values import (
    Fields,
    Values,
    as_texts,
    of_fields,
    of_presence,
    same_field,
)
from esper_audit.torch_text.relations import split_expression
from esper_audit.torch_text.truth import is_true
from esper_audit.traces.guard_trees import Guard
from esper_audit.traces.stated import (
    UNKNOWN_SIZE,
    Stated,
    StatedValues,
    class_in,
    kind_of_object,
    object_name,
)

_VIEWED = "ADInplaceOrView"
NOT_EMPTY = "not empty"
"""Of a container that has items, nobody knows how many."""
Answer = Values | bool | None
"""What was wanted and what there was; True where the guard holds, None where nobody knows."""


def held(guard: Guard, values: StatedValues) -> Answer:
    """Whether a guard was true of these values."""
    if guard.line in values.tree.lines:
        return True  # the other entry wants the same, and was made for them
    check = _CHECKS.get(reading_of(guard.kind))
    return check(guard, values) if check is not None else None


def _value(guard: Guard, values: StatedValues) -> Answer:
    wanted = wanted_value(guard.text)
    if wanted is None:
        return None
    return _against(wanted, kind_of(wanted), values.of(guard.source))


def _against(wanted: str, wanted_kind: ValueKind, found: Stated) -> Answer:
    """A constant held against what is known."""
    if found.value:
        return True if found.value == wanted else _pair(wanted, wanted_kind, found)
    unlike = found.kind is not None and found.kind is not wanted_kind
    is_number = {found.kind, wanted_kind} <= {ValueKind.INT, ValueKind.BOOL, ValueKind.FLOAT}
    is_told = unlike and not is_number and ValueKind.OTHER not in (found.kind, wanted_kind)
    return _pair(wanted, wanted_kind, found) if is_told else None


def _pair(wanted: str, wanted_kind: ValueKind, found: Stated) -> Values:
    actual = found.text or (f"{found.short_type}" if found.type else "")
    pair = Values(wanted, actual, wanted_kind, found.kind or ValueKind.OTHER)
    return _torchs(pair) if ValueKind.TORCH in (pair.expected_kind, pair.actual_kind) else pair


def _torchs(found: Values) -> Values:
    """Of a dtype, a device, a layout, a memory format: what differs, as of a tensor."""
    pair = _short(found.expected), _short(found.actual)
    alike = found.expected_kind is found.actual_kind
    name = _torch_type(found.actual)
    fields = {name: pair} if alike and name else {}
    return replace(found, expected=pair[0], actual=pair[1], fields=fields)


def _short(text: str) -> str:
    """``cpu:0`` of ``device(type='cpu', index=0)``, ``float32`` of ``torch.float32``."""
    if not text.startswith("device("):
        return text.removeprefix("torch.")
    parts = [part.partition("=")[2].strip("'") for part in text[7:-1].split(", ")]
    return ":".join(parts)


def _torch_type(text: str) -> str:
    if text.startswith("device("):
        return "device"
    name = text.removeprefix("torch.")
    if name.endswith("_format"):
        return "memory_format"
    return "layout" if name in ("strided", "jagged") or name.startswith("sparse") else "dtype"


def _switch(guard: Guard, values: StatedValues) -> Answer:
    wanted, found = fixed_value(guard.kind), values.of(guard.source)
    if wanted == "None" and not found.value:
        return _pair(wanted, ValueKind.NONE, found) if _is_something(found) else None
    return _against(wanted, kind_of(wanted), found)


def _is_something(found: Stated) -> bool:
    """Whether it is known to be no None."""
    return found.is_known and found.text != "None"


def _not_none(guard: Guard, values: StatedValues) -> Answer:
    found = values.of(guard.source)
    if not found.is_known:
        return None
    if found.text != "None":
        return True
    if is_weak(guard.text) or guard.kind == "WEAKREF_ALIVE":
        return Values("alive", "freed", ValueKind.OTHER, ValueKind.NONE)
    return Values("a tensor", "None", ValueKind.TENSOR, ValueKind.NONE)


def _type(guard: Guard, values: StatedValues) -> Answer:
    found, wanted = values.of(guard.source), class_in(guard.text)
    actual = found.type or _type_by_value(found)
    if found.type_id is not None and found.type_id == type_id(guard.text):
        return True
    if not wanted or not actual:
        differ = found.type_id is not None and type_id(guard.text) is not None
        return Values("the type it was compiled with", "another type") if differ else None
    if wanted.rpartition(".")[2] == actual.rpartition(".")[2] and found.type_id is None:
        return True
    wanted, actual = (name.removeprefix("builtins.") for name in (wanted, actual))
    shown = "None" if actual == "NoneType" else actual
    return Values(wanted, shown, kind_of_type(wanted), kind_of_type(actual))


_CLASSES = {
    ValueKind.NONE: "NoneType",
    ValueKind.BOOL: "bool",
    ValueKind.INT: "int",
    ValueKind.FLOAT: "float",
    ValueKind.STR: "str",
}


def _type_by_value(found: Stated) -> str:
    if found.tensor:
        kind = found.tensor["type"]
        return f"torch.nn.parameter.{kind}" if kind in ("Parameter", "Buffer") else f"torch.{kind}"
    return _CLASSES.get(kind_of(found.value), "") if found.value else ""


def _object(guard: Guard, values: StatedValues) -> Answer:
    """Of an object that is told by its address: another is there, and nobody knows which."""
    found, wanted = values.of(guard.source), object_id(guard.text)
    name = object_name(class_in(guard.text))
    expected, kind = f"the {name} it was compiled with", kind_of_object(guard)
    if kind is ValueKind.NONE:
        expected = "None"
    if found.object_id is not None and wanted is not None:
        if found.object_id == wanted:
            return True
        other = object_name(found.type) if found.type else name
        alike = other == name
        actual = f"another {name}" if alike else found.text or f"{other} object"
        return Values(expected, actual, kind, kind if alike else found.kind or kind)
    if found.kind is None or found.kind is kind:
        return None
    return Values(expected, found.text, kind, found.kind)


def _length(guard: Guard, values: StatedValues) -> Answer:
    wanted, found = wanted_length(guard.text), values.of(guard.source)
    if wanted is None:
        return None
    if wanted == "0" and not found.length and values.has_items(guard.source):
        return Values(wanted, NOT_EMPTY, ValueKind.INT, ValueKind.INT)
    if found.length:
        same = found.length == wanted
        return True if same else Values(wanted, found.length, kind_of(wanted), ValueKind.INT)
    if found.kind in (None, ValueKind.COLLECTION, ValueKind.OTHER, ValueKind.STR):
        return None
    return Values(wanted, found.text, kind_of(wanted), found.kind or ValueKind.OTHER)


def _presence(guard: Guard, values: StatedValues) -> Answer:
    found = presence_in(guard.text)
    is_there = values.is_there(found.source) if found is not None else None
    if found is None or is_there is None:
        return None
    return True if is_there is (found.expected is ValueKind.PRESENT) else of_presence(found)


def _same_guard(guard: Guard, values: StatedValues) -> Answer:
    """Of what a text states in full: held against the guard of the same kind and source."""
    wanted = wanted_value(guard.text)
    for other in values.tree.of(guard.source):
        now = wanted_value(other.text) if other.kind == guard.kind else None
        if wanted is not None and now is not None:
            same = body_of(other.text) == body_of(guard.text)
            return True if same else Values(wanted, now, kind_of(wanted), kind_of(now))
    return None


def _tensor(guard: Guard, values: StatedValues) -> Answer:
    found, wanted = values.of(guard.source), tensor_fields(guard.text)
    if not wanted or not found.is_known:
        return None
    if not found.tensor:
        if found.kind in (None, ValueKind.TENSOR) or not (found.text or found.type):
            return None
        actual = found.text or found.short_type
        return Values(wanted_tensor(guard.text), actual, ValueKind.TENSOR, found.kind)
    fields = _differing(wanted, found.tensor)
    if not fields:
        return None if UNKNOWN_SIZE in found.tensor["size"] + found.tensor["stride"] else True
    if fields.keys() == {"keys"} and (setting := setting_of_keys(*fields["keys"])):
        return of_fields(setting)
    return Values(*as_texts(fields), ValueKind.TENSOR, ValueKind.TENSOR, fields)


def _differing(wanted: dict[str, str], actual: dict[str, str]) -> Fields:
    """The fields that differ for sure, as a recording tells them."""
    found = {
        name: (text, actual[name])
        for name, text in wanted.items()
        if not _may_be_same(name, text, actual[name])
    }
    shown = {name: pair for name, pair in found.items() if name != "keys"} or found
    if shown.keys() == {"keys"}:
        keys = shown["keys"]
        if backend_of(keys[0]) != backend_of(keys[1]):
            shown = {"device": ("", "")}
        elif (_VIEWED in keys[0]) != (_VIEWED in keys[1]):
            shown = {"inference": (str(_VIEWED not in keys[0]), str(_VIEWED not in keys[1]))}
    if "device" in shown:
        sides = (device_of(of["device"], of["keys"]) for of in (wanted, actual))
        shown["device"] = tuple(sides)  # type: ignore[assignment]
    return shown


def _may_be_same(name: str, wanted: str, actual: str) -> bool:
    """An unknown size may be any."""
    if UNKNOWN_SIZE not in actual:
        return same_field(name, wanted, actual)
    pairs = list(zip(*(text.strip("[]").split(", ") for text in (wanted, actual)), strict=False))
    if wanted.count(",") != actual.count(","):
        return False
    return all(one == other or one == "None" or other == UNKNOWN_SIZE for one, other in pairs)


def setting_of_keys(wanted: str, actual: str) -> Fields:
    """The setting of the thread that changed where nothing but dispatch keys differ."""
    for name, part, inverted in (
        ("inference_mode", "Autograd", True),
        (f"autocast({backend_of(wanted)})_enabled", "Autocast", False),
    ):
        before, after = part in wanted, part in actual
        if before != after:
            return {name: (str(before is not inverted), str(after is not inverted))}
    return {}


def _setting(guard: Guard, values: StatedValues) -> Answer:
    other = next((kept for kept in values.tree.of(guard.source) if kept.kind == guard.kind), None)
    if other is None:
        return None
    if guard.kind == "GLOBAL_STATE":
        fields = differing_state(guard.text, other.text)
    elif guard.kind == "DEFAULT_DEVICE":
        sides = (_device(wanted_value(text)) for text in (guard.text, other.text))
        fields = {"default_device": tuple(sides)}  # type: ignore[dict-item]
    else:
        return None
    fields = {name: pair for name, pair in fields.items() if pair[0] != pair[1]}
    return of_fields(fields) if fields else None


def _device(text: str | None) -> str:
    return _short(text) if text is not None and text.startswith("device(") else "none"


def _relation(guard: Guard, values: StatedValues) -> Answer:
    """Of an expression over sizes and numbers: computed, where all of them are known."""
    whole = body_of(guard.text)
    expression = split_expression(whole)
    if expression.compares_identity or is_true(whole, values.value_of) is not False:
        return None
    if expression.sides:
        wanted = "equal" if expression.operator == "==" else "true"
        now = [values.value_of(side) for side in expression.sides]
        return Values(wanted, " and ".join(now), *map(kind_of, now))  # type: ignore[arg-type]
    now_text = values.value_of(expression.source) or "False"
    return Values(expression.expected, now_text, kind_of(expression.expected), kind_of(now_text))


_CHECKS: dict[Reading, Callable[[Guard, StatedValues], Answer]] = {
    Reading.VALUE: _value,
    Reading.SWITCH: _switch,
    Reading.NOT_NONE: _not_none,
    Reading.TYPE: _type,
    Reading.OBJECT: _object,
    Reading.LENGTH: _length,
    Reading.ITEMS_LEFT: _length,
    Reading.ITERATOR: _same_guard,
    Reading.KEYS: _same_guard,
    Reading.PRESENCE: _presence,
    Reading.TENSOR: _tensor,
    Reading.SETTING: _setting,
    Reading.RELATION: _relation,
}
