"""What a failed guard means, as an identifier that never changes its meaning. Pure text."""

from __future__ import annotations

import re
from collections.abc import Callable

from esper_audit.data.compiles import GuardFailure
from esper_audit.data.diagnoses import Diagnosis

_FIELD = re.compile(r"(\w+)=")
_SHAPE = re.compile(r"\.(?:size|stride|storage_offset)\(\)|_dynamo_dynamic_indices")
_VARIABLE = re.compile(r"^(?:G\['\w+'\]|L\['\w+'\])$")
_CELL = re.compile(r"\.__closure__\[\d+\]\.cell_contents$")
_NUMBER = re.compile(r"-?(?:\d+\.\d*(?:e[+-]?\d+)?|\d+e[+-]?\d+|inf|nan)")
_COLLECTION = re.compile(r"(?:list|tuple|dict|set|frozenset) of \d+$")
_MEMBER = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+")
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
    known = (each for word, each in _GLOBAL_STATE.items() if word in failure.actual)
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
    values = (failure.expected, failure.actual)
    none = any(value in ("None", "NoneType", "builtins.NoneType") for value in values)
    tensor = any(value.startswith("tensor(") or value.endswith("Tensor") for value in values)
    tensor = tensor or failure.kind == "TENSOR_MATCH"
    return Diagnosis.LAZY_CACHE if none and tensor else None


def _tensor(failure: GuardFailure) -> Diagnosis | None:
    if failure.kind != "TENSOR_MATCH":
        return None
    fields = _FIELD.findall(failure.actual)
    if failure.actual.startswith("tensor(") or not fields:
        return Diagnosis.TYPE_CHANGED
    for field, found in _BY_FIELD.items():
        if field in fields and not (field == "stride" and "size" in fields):
            return found
    if "size" in fields:
        return _size(failure)
    return _keys(failure)


def _keys(failure: GuardFailure) -> Diagnosis:
    """Nothing but dispatch keys differ: an inference tensor has none for autograd."""
    autograd = ["Autograd" in value for value in (failure.expected, failure.actual)]
    if "Autocast" in failure.expected + failure.actual and all(autograd):
        return Diagnosis.AUTOCAST_CHANGED
    return Diagnosis.TYPE_CHANGED if all(autograd) else Diagnosis.GRAD_MODE_CHANGED


def _size(failure: GuardFailure) -> Diagnosis:
    pairs = zip(_numbers(failure.expected), _numbers(failure.actual), strict=False)
    changed = [pair for pair in pairs if pair[0] != pair[1]]
    special = any({"0", "1"} & set(pair) for pair in changed)
    return Diagnosis.SIZE_ZERO_ONE if special else Diagnosis.SIZE_CHANGED


def _numbers(text: str) -> list[str]:
    size = re.search(r"size=\[(.*?)\]", text)
    return [each.strip() for each in (size[1] if size else text).split(",")]


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
    if {failure.expected, failure.actual} == {"present", "absent"}:
        source = failure.torch_source or failure.source
        key = source.endswith("]") and not re.search(r"\.__dict__\['\w+'\]$", source)
        return Diagnosis.CONTAINER_CHANGED if key else Diagnosis.ATTRIBUTE_PRESENCE
    if failure.kind == "SOURCE_GONE":
        gone = failure.actual.removeprefix("gone: ")
        missing = gone in ("KeyError", "IndexError")
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
    if failure.actual in ("True", "False", "None") or _is_member(failure.actual):
        return _value(failure)
    return Diagnosis.OBJECT_IDENTITY


def _is_member(value: str) -> bool:
    """``Mode.FAST``; not ``torch.float32`` and not ``Policy object``."""
    return bool(_MEMBER.fullmatch(value)) and not value.startswith("torch.")


def _type(failure: GuardFailure) -> Diagnosis | None:
    return Diagnosis.TYPE_CHANGED if failure.kind == "TYPE_MATCH" else None


def _value(failure: GuardFailure) -> Diagnosis | None:
    """By what the value is: a flag, a float, an int."""
    expected, actual = failure.expected.strip(), failure.actual.strip()
    if "None" in (expected, actual):
        return Diagnosis.TYPE_CHANGED
    if _COLLECTION.match(actual):
        return Diagnosis.CONTAINER_CHANGED
    if actual in ("True", "False") or actual[:1] in ("'", '"') or _is_member(actual):
        same = actual[:1] == expected[:1] or expected in ("True", "False") or _is_member(expected)
        return Diagnosis.FLAG_CHANGED if same else Diagnosis.TYPE_CHANGED
    if _NUMBER.fullmatch(actual):
        integer = re.fullmatch(r"-?\d+", expected)
        return Diagnosis.TYPE_CHANGED if integer else Diagnosis.FLOAT_SPECIALIZED
    if re.fullmatch(r"-?\d+", actual):
        return Diagnosis.TYPE_CHANGED if _NUMBER.fullmatch(expected) else Diagnosis.INT_COUNTER
    if actual.startswith("torch.") and expected.startswith("torch."):
        return Diagnosis.DTYPE_CHANGED if "." in actual else None
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
