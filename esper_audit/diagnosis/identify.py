"""What a failed guard means, as an identifier that never changes its meaning. Pure text.

Worked example: a TENSOR_MATCH of ``L['x']`` failed, with the fields ``{"size": ("[4]", "[8]")}``.
``_by_kind``, ``_global_state``, ``_by_source`` and ``_lazy`` don't know it. ``_tensor`` finds no
field of ``_BY_FIELD`` in it, but ``size``; ``_size`` looks at the numbers that differ, 4 and 8, and
neither is 0 or 1: ``size-changed``. Had the fields been empty, and the kinds of the values NONE and
TENSOR, ``_lazy`` would have answered first: ``lazy-cache``.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from esper_audit.data.compiles import GuardFailure, ValueKind
from esper_audit.data.diagnoses import Diagnosis

_SHAPE = re.compile(r"\.(?:size|stride|storage_offset)\(\)|_dynamo_dynamic_indices")
_VARIABLE = re.compile(r"^(?:G\['\w+'\]|L\['\w+'\])$")
_CELL = re.compile(r"\.__closure__\[\d+\]\.cell_contents$")
_GLOBAL_STATE = {
    "grad_mode": Diagnosis.GRAD_MODE_CHANGED,
    "autocast": Diagnosis.AUTOCAST_CHANGED,
}
_BY_FIELD = {
    "dtype": Diagnosis.DTYPE_CHANGED,
    "device": Diagnosis.DEVICE_CHANGED,
    "requires_grad": Diagnosis.REQUIRES_GRAD_CHANGED,
    "type": Diagnosis.TYPE_CHANGED,
    "stride": Diagnosis.LAYOUT_CHANGED,
}
_BY_KIND = {
    "INVALIDATED": Diagnosis.OBJECT_EXPIRED,
    "WEAKREF_ALIVE": Diagnosis.OBJECT_EXPIRED,
    "BACKEND_MATCH": Diagnosis.BACKEND_CHANGED,
    "FORCED": Diagnosis.FORCED_BY_OTHER_RANK,
    "HASATTR": Diagnosis.ATTRIBUTE_PRESENCE,
    "NO_HASATTR": Diagnosis.ATTRIBUTE_PRESENCE,
    "DYNAMIC_INDICES": Diagnosis.SIZE_CHANGED,
    "TENSOR_SUBCLASS_METADATA_MATCH": Diagnosis.TYPE_CHANGED,
    "DUAL_LEVEL_MATCH": Diagnosis.GRAD_MODE_CHANGED,
    "NO_TENSOR_ALIASING": Diagnosis.TENSOR_ALIASING,
    "OBJECT_ALIASING": Diagnosis.TENSOR_ALIASING,
    "STORAGE_OVERLAPPING": Diagnosis.TENSOR_ALIASING,
    "TORCH_FUNCTION_MODE_STACK": Diagnosis.GLOBAL_STATE_CHANGED,
    "DEFAULT_DEVICE": Diagnosis.GLOBAL_STATE_CHANGED,
}
_CONTAINER = (
    *("LENGTH_CHECK", "DICT_LENGTH", "DICT_CONTAINS", "SET_CONTAINS", "MAPPING_KEYS_CHECK"),
    *("DICT_CONST_KEYS_MATCH", "TUPLE_ITERATOR_LEN", "RANGE_ITERATOR_MATCH", "DICT_KEYS_MATCH"),
    *("DICT_VERSION", "NOT_DICT_CONTAINS"),
)


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
    return _BY_KIND.get(failure.kind)


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
    keys = failure.fields["keys"]
    autograd = all("Autograd" in text for text in keys)
    if autograd and any("Autocast" in text for text in keys):
        return Diagnosis.AUTOCAST_CHANGED
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
    if failure.expected == "True":  # an expression of several values
        whole = _SHAPE.search(failure.text)
        return Diagnosis.SIZE_CHANGED if whole else Diagnosis.UNRECOGNIZED
    if not _SHAPE.search(source):
        return None
    special = failure.actual in ("0", "1") or failure.expected in ("0", "1")
    return Diagnosis.SIZE_ZERO_ONE if special else Diagnosis.SIZE_CHANGED


def _presence(failure: GuardFailure) -> Diagnosis | None:
    if {failure.expected_kind, failure.actual_kind} == {ValueKind.PRESENT, ValueKind.ABSENT}:
        source = failure.torch_source or failure.source
        key = source.endswith("]") and not re.search(r"\.__dict__\['\w+'\]$", source)
        return Diagnosis.CONTAINER_CHANGED if key else Diagnosis.ATTRIBUTE_PRESENCE
    if failure.kind == "SOURCE_GONE":
        missing = failure.actual_kind is ValueKind.NO_KEY
        return Diagnosis.CONTAINER_CHANGED if missing else Diagnosis.ATTRIBUTE_PRESENCE
    return None


def _relational(failure: GuardFailure) -> Diagnosis | None:
    if failure.kind != "RELATIONAL":
        return None
    known = re.search(r"[Dd]uplicate tensor|alias|overlap", failure.text)
    return Diagnosis.TENSOR_ALIASING if known else Diagnosis.UNRECOGNIZED


def _container(failure: GuardFailure) -> Diagnosis | None:
    return Diagnosis.CONTAINER_CHANGED if failure.kind in _CONTAINER else None


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
    return _value(failure) if failure.actual_kind in constants else Diagnosis.OBJECT_IDENTITY


def _type(failure: GuardFailure) -> Diagnosis | None:
    return Diagnosis.TYPE_CHANGED if failure.kind == "TYPE_MATCH" else None


_FLAGS = (ValueKind.BOOL, ValueKind.ENUM)


def _value(failure: GuardFailure) -> Diagnosis | None:
    """By what the value is: a flag, a float, an int."""
    expected, actual = failure.expected_kind, failure.actual_kind
    if ValueKind.NONE in (expected, actual):
        return Diagnosis.TYPE_CHANGED
    if actual is ValueKind.COLLECTION:
        return Diagnosis.CONTAINER_CHANGED
    if actual in (*_FLAGS, ValueKind.STR):
        same = expected is actual or expected in _FLAGS
        return Diagnosis.FLAG_CHANGED if same else Diagnosis.TYPE_CHANGED
    if actual is ValueKind.FLOAT:
        other = expected is ValueKind.INT
        return Diagnosis.TYPE_CHANGED if other else Diagnosis.FLOAT_SPECIALIZED
    if actual is ValueKind.INT:
        other = expected is ValueKind.FLOAT
        return Diagnosis.TYPE_CHANGED if other else Diagnosis.INT_COUNTER
    if actual is expected is ValueKind.TORCH:
        return Diagnosis.DTYPE_CHANGED
    return Diagnosis.OBJECT_IDENTITY if failure.kind in ("EQUALS_MATCH", "CONSTANT_MATCH") else None


_RULES: tuple[Callable[[GuardFailure], Diagnosis | None], ...] = (
    _by_kind,
    _global_state,
    _by_source,
    _lazy,
    _tensor,
    _expression,
    _relational,
    _captured,
    _presence,
    _container,
    _module,
    _identity,
    _type,
    _value,
)
