"""What a failed guard means, as an identifier that never changes its meaning. Pure text.

Worked example: a TENSOR_MATCH of ``L['x']`` failed, with the fields ``{"size": ("[4]", "[8]")}``.
``_by_source``, ``_by_kind``, ``_global_state`` and ``_lazy`` don't know it. ``_tensor`` finds no
field of ``_BY_FIELD`` in it, but ``size``; ``_size`` looks at the numbers that differ, 4 and 8, and
neither is 0 or 1: ``size-changed``. Had the fields been empty, and the kinds of the values NONE and
TENSOR, ``_lazy`` would have answered first: ``lazy-cache``.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from esper_audit.data.compiles import GuardFailure, ValueKind
from esper_audit.data.diagnoses import Diagnosis
from esper_audit.torch_text.guard_kinds import KINDS, UNKNOWN, Reading

_STRIDES = re.compile(r"\.(?:stride|storage_offset)\(\)")
_SHAPE = re.compile(r"\.(?:size|stride|storage_offset)\(\)|_dynamo_dynamic_indices")
_SIZE = re.compile(r"[^%/*+<>=]+\.size\(\)\[\d+\]")
_VARIABLE = re.compile(r"^(?:G\['\w+'\]|L\['\w+'\])$")
_CELL = re.compile(r"\.__closure__\[\d+\]\.cell_contents$")
_GLOBAL_STATE = {
    "grad_mode": Diagnosis.GRAD_MODE_CHANGED,
    "inference_mode": Diagnosis.GRAD_MODE_CHANGED,
    "autocast": Diagnosis.AUTOCAST_CHANGED,
}
_BY_FIELD = {
    "type": Diagnosis.TYPE_CHANGED,
    "inference": Diagnosis.GRAD_MODE_CHANGED,
    "layout": Diagnosis.LAYOUT_CHANGED,
    "memory_format": Diagnosis.LAYOUT_CHANGED,
    "dtype": Diagnosis.DTYPE_CHANGED,
    "device": Diagnosis.DEVICE_CHANGED,
    "requires_grad": Diagnosis.REQUIRES_GRAD_CHANGED,
    "stride": Diagnosis.LAYOUT_CHANGED,
}


def identify(failure: GuardFailure) -> Diagnosis:
    """Which diagnosis a failed guard is; ``unrecognized`` for what no rule knows.

    By the first rule that knows it: the source says more than the kind where a source has one use
    (``training``, hooks), the kind more than the values.
    """
    for rule in _RULES:
        found = rule(failure)
        if found is not None:
            return found
    return Diagnosis.UNRECOGNIZED


def _by_kind(failure: GuardFailure) -> Diagnosis | None:
    return KINDS.get(failure.kind, UNKNOWN).diagnosis


def _global_state(failure: GuardFailure) -> Diagnosis | None:
    if failure.kind != "GLOBAL_STATE":
        return None
    changed = " ".join(failure.fields)
    known = (found for name, found in _GLOBAL_STATE.items() if name in changed)
    return next(known, Diagnosis.GLOBAL_STATE_CHANGED)


def _by_source(failure: GuardFailure) -> Diagnosis | None:
    source = failure.torch_source or failure.source
    if re.search(r"\b_(?:global_)?(?:full_)?(?:forward|backward)\w*_hooks\b", source):
        return Diagnosis.HOOK_CHANGED
    if source.endswith(".training"):
        return Diagnosis.TRAIN_EVAL_FLIPPED
    return None


def _lazy(failure: GuardFailure) -> Diagnosis | None:
    """None where a tensor was, or a tensor where None was."""
    kinds = {failure.expected_kind, failure.actual_kind}
    return Diagnosis.LAZY_CACHE if kinds == {ValueKind.NONE, ValueKind.TENSOR} else None


def _tensor(failure: GuardFailure) -> Diagnosis | None:
    if failure.kind != "TENSOR_MATCH":
        return None
    fields = failure.fields
    if not fields:
        return Diagnosis.TYPE_CHANGED
    for name, found in _BY_FIELD.items():
        if name in fields and not (name == "stride" and "size" in fields):
            return found
    return _size(failure) if "size" in fields else _keys(failure)


def _keys(failure: GuardFailure) -> Diagnosis:
    """Nothing but dispatch keys differ: an inference tensor has none for autograd."""
    autograd = all("Autograd" in text for text in failure.fields["keys"])
    return Diagnosis.TYPE_CHANGED if autograd else Diagnosis.GRAD_MODE_CHANGED


def _size(failure: GuardFailure) -> Diagnosis:
    pairs = zip(*map(_numbers, failure.fields["size"]), strict=False)
    special = any({"0", "1"} & set(pair) for pair in pairs if pair[0] != pair[1])
    return Diagnosis.SIZE_ZERO_ONE if special else Diagnosis.SIZE_CHANGED


def _numbers(size: str) -> list[str]:
    """``[2, 4]`` as its numbers."""
    return [number.strip() for number in size.strip("[]").split(",")]


def _expression(failure: GuardFailure) -> Diagnosis | None:
    source = failure.torch_source or failure.source
    if failure.kind != "SHAPE_EXPRESSION":
        return None
    if "._base" in source:  # a view, or no view any more
        return Diagnosis.TENSOR_ALIASING
    if not _SHAPE.search(source):
        return None
    if _STRIDES.search(source) and ".size()" not in source:
        return Diagnosis.LAYOUT_CHANGED
    alone = _SIZE.fullmatch(source) is not None
    special = failure.actual in ("0", "1") or failure.expected in ("0", "1")
    return Diagnosis.SIZE_ZERO_ONE if special and alone else Diagnosis.SIZE_CHANGED


def _presence(failure: GuardFailure) -> Diagnosis | None:
    if {failure.expected_kind, failure.actual_kind} == {ValueKind.PRESENT, ValueKind.ABSENT}:
        source = failure.torch_source or failure.source
        key = source.endswith("]") and not re.search(r"\.__dict__\['\w+'\]$", source)
        return Diagnosis.CONTAINER_CHANGED if key else Diagnosis.ATTRIBUTE_PRESENCE
    if failure.kind == "SOURCE_GONE":
        missing = failure.actual_kind is ValueKind.NO_KEY
        return Diagnosis.CONTAINER_CHANGED if missing else Diagnosis.ATTRIBUTE_PRESENCE
    return None


def _one_object(failure: GuardFailure) -> Diagnosis | None:
    """Two sources that are one object, or no longer are."""
    if failure.kind != "OBJECT_ALIASING":
        return None
    if failure.expected_kind is ValueKind.TENSOR:
        return Diagnosis.TENSOR_ALIASING
    flag = failure.expected_kind in _FLAGS
    return Diagnosis.FLAG_CHANGED if flag else Diagnosis.OBJECT_IDENTITY


def _freed(failure: GuardFailure) -> Diagnosis | None:
    """A weak reference in the guard, to what is no more."""
    freed = failure.kind == "NOT_NONE" and failure.expected_kind is ValueKind.OTHER
    return Diagnosis.OBJECT_EXPIRED if freed else None


def _contents(failure: GuardFailure) -> Diagnosis | None:
    """A container of constants with others in it."""
    kinds = {failure.expected_kind, failure.actual_kind}
    alike = kinds == {ValueKind.COLLECTION} and failure.kind != "TYPE_MATCH"
    return Diagnosis.CONTAINER_CHANGED if alike else None


def _argument(failure: GuardFailure) -> Diagnosis | None:
    """A dtype, a device, a layout or a memory format by itself."""
    found = (_BY_FIELD[name] for name in failure.fields if name in _BY_FIELD)
    return next(found, None) if failure.kind != "TENSOR_MATCH" else None


def _captured(failure: GuardFailure) -> Diagnosis | None:
    """The variable itself, of a closure or a module; arguments have the kinds of their values."""
    source = failure.torch_source or failure.source
    if _CELL.search(source) or (_VARIABLE.match(source) and source.startswith("G[")):
        return Diagnosis.CAPTURED_VARIABLE
    return Diagnosis.CAPTURED_VARIABLE if failure.captured else None


def _module(failure: GuardFailure) -> Diagnosis | None:
    source = failure.torch_source or failure.source
    if failure.kind in ("TYPE_MATCH", "ID_MATCH") and re.search(r"_modules\['[^']+'\]$", source):
        return Diagnosis.MODULE_SWAPPED
    return None


def _identity(failure: GuardFailure) -> Diagnosis | None:
    if failure.kind not in ("ID_MATCH", "FUNCTION_MATCH", "CLASS_MATCH", "MODULE_MATCH"):
        return None
    constants = (ValueKind.BOOL, ValueKind.NONE, ValueKind.ENUM)
    if failure.actual_kind in constants:
        return _value(failure)
    was_constant = failure.expected_kind is ValueKind.ENUM  # guarded by its address
    return (_value(failure) if was_constant else None) or Diagnosis.OBJECT_IDENTITY


def _type(failure: GuardFailure) -> Diagnosis | None:
    return Diagnosis.TYPE_CHANGED if failure.kind == "TYPE_MATCH" else None


_FLAGS = (ValueKind.BOOL, ValueKind.ENUM)


_CONSTANTS = {
    ValueKind.BOOL: Diagnosis.FLAG_CHANGED,
    ValueKind.ENUM: Diagnosis.FLAG_CHANGED,
    ValueKind.STR: Diagnosis.FLAG_CHANGED,
    ValueKind.INT: Diagnosis.INT_COUNTER,
    ValueKind.FLOAT: Diagnosis.FLOAT_SPECIALIZED,
    ValueKind.COLLECTION: Diagnosis.CONTAINER_CHANGED,
}


def _value(failure: GuardFailure) -> Diagnosis | None:
    """By what the value is: a flag, a float, an int; another type where the two are not alike."""
    expected, actual = failure.expected_kind, failure.actual_kind
    unlike = expected is not actual and not {expected, actual} <= set(_FLAGS)
    if unlike and ValueKind.OTHER not in (expected, actual):
        return Diagnosis.TYPE_CHANGED
    if ValueKind.NONE in (expected, actual):
        return Diagnosis.TYPE_CHANGED
    found = _CONSTANTS.get(actual)
    if found is not None:
        return found
    known = KINDS.get(failure.kind, UNKNOWN).reading is Reading.VALUE
    return Diagnosis.OBJECT_IDENTITY if known else None


_RULES: tuple[Callable[[GuardFailure], Diagnosis | None], ...] = (
    _by_source,
    _by_kind,
    _global_state,
    _lazy,
    _tensor,
    _expression,
    _one_object,
    _presence,
    _freed,
    _contents,
    _captured,
    _module,
    _argument,
    _identity,
    _type,
    _value,
)
