"""Every kind of guard, and of reason for a compile: what makes it, how it is read, what it is.

A kind is the name of torch's leaf guard (torch/csrc/dynamo/guards.cpp), or one of ours where torch
has no guard, or one guard for several things. ``made_by`` are methods of ``GuardBuilder``
(torch/_dynamo/guards.py). Both are of 2.8 to 2.14; a test fails if the installed torch has more.
The table stands in ``docs/reference/guards.md``, too.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from esper_audit.data.diagnoses import Diagnosis


class Reading(StrEnum):
    """How the old and the new value of a failed guard are read."""

    VALUE = "value"
    NAN = "nan"
    SWITCH = "switch"
    NOT_NONE = "not none"
    TYPE = "type"
    OBJECT = "object"
    LENGTH = "length"
    ITEMS_LEFT = "items left"
    ITERATOR = "iterator"
    PRESENCE = "presence"
    KEYS = "keys"
    TENSOR = "tensor"
    MARKS = "marks"
    SETTING = "setting"
    RELATION = "relation"
    METADATA = "metadata"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class GuardKind:
    """How guards of one kind are read, and what it means that one failed.

    ``diagnosis`` is None where the source or the values decide. ``made_by`` is empty for a kind
    that no guard has.
    """

    reading: Reading
    diagnosis: Diagnosis | None
    made_by: tuple[str, ...] = ()


_SEQUENCES = ("SEQUENCE_LENGTH", "DICT_KEYS_MATCH", "EMPTY_NN_MODULE_HOOKS_DICT")
_OBJECTS = (
    *("ID_MATCH", "NN_MODULE", "FUNCTION_MATCH", "CLASS_MATCH", "MODULE_MATCH"),
    *("PYMODULE_MATCH", "BUILTIN_MATCH", "CLOSURE_MATCH"),
)
_STATE = (
    *("GLOBAL_STATE", "GRAD_MODE", "DETERMINISTIC_ALGORITHMS", "FSDP_TRAINING_STATE"),
    "TORCH_FUNCTION_STATE",
)

KINDS: dict[str, GuardKind] = {
    # values
    "EQUALS_MATCH": GuardKind(
        Reading.VALUE, None, ("EQUALS_MATCH", "CONSTANT_MATCH", "NAME_MATCH")
    ),
    "CONSTANT_MATCH": GuardKind(Reading.VALUE, None, ("CONSTANT_MATCH",)),
    "CONSTANT_SUBCLASS_MATCH": GuardKind(Reading.VALUE, None, ("CONSTANT_SUBCLASS_MATCH",)),
    "TRUE_MATCH": GuardKind(Reading.SWITCH, None, ("BOOL_MATCH", "CONSTANT_MATCH")),
    "FALSE_MATCH": GuardKind(Reading.SWITCH, None, ("BOOL_MATCH", "CONSTANT_MATCH")),
    "NONE_MATCH": GuardKind(Reading.SWITCH, None, ("NONE_MATCH", "CONSTANT_MATCH")),
    "NOT_NONE": GuardKind(Reading.NOT_NONE, None, ("NOT_NONE_MATCH", "WEAKREF_ALIVE")),
    "WEAKREF_ALIVE": GuardKind(Reading.NOT_NONE, Diagnosis.OBJECT_EXPIRED, ("WEAKREF_ALIVE",)),
    "FLOAT_IS_NAN": GuardKind(Reading.NAN, None, ("EQUALS_MATCH",)),
    "COMPLEX_IS_NAN": GuardKind(Reading.NAN, None, ("EQUALS_MATCH",)),
    "DISPATCH_KEY_SET_MATCH": GuardKind(
        Reading.VALUE, Diagnosis.FLAG_CHANGED, ("DISPATCH_KEY_SET_MATCH",)
    ),
    "SHAPE_EXPRESSION": GuardKind(Reading.RELATION, None, ("SHAPE_ENV",)),
    # types and objects
    "TYPE_MATCH": GuardKind(Reading.TYPE, None, ("TYPE_MATCH",)),
    "FAKE_SCRIPT_TYPE_MATCH": GuardKind(
        Reading.TYPE, Diagnosis.TYPE_CHANGED, ("FAKE_SCRIPT_TYPE_MATCH",)
    ),
    "ID_MATCH": GuardKind(Reading.OBJECT, None, _OBJECTS),
    "DATA_PTR_MATCH": GuardKind(Reading.NONE, Diagnosis.OBJECT_IDENTITY, ("DATA_PTR_MATCH",)),
    "OPAQUE_OBJ_GUARD_FN_MATCH": GuardKind(
        Reading.METADATA, Diagnosis.FLAG_CHANGED, ("OPAQUE_OBJ_GUARD_FN_MATCH",)
    ),
    "NO_HASATTR": GuardKind(Reading.PRESENCE, Diagnosis.ATTRIBUTE_PRESENCE, ("HASATTR",)),
    "HASATTR": GuardKind(Reading.PRESENCE, Diagnosis.ATTRIBUTE_PRESENCE, ("HASATTR",)),
    "SOURCE_GONE": GuardKind(Reading.PRESENCE, None, ("HASATTR",)),
    # containers
    "LENGTH_CHECK": GuardKind(Reading.LENGTH, Diagnosis.CONTAINER_CHANGED, _SEQUENCES),
    "DICT_LENGTH": GuardKind(Reading.LENGTH, Diagnosis.CONTAINER_CHANGED, _SEQUENCES),
    "DICT_CONTAINS": GuardKind(
        Reading.PRESENCE,
        None,
        ("DICT_CONTAINS", "DICT_NOT_CONTAINS", "NOT_PRESENT_IN_GENERIC_DICT"),
    ),
    "SET_CONTAINS": GuardKind(
        Reading.PRESENCE, Diagnosis.CONTAINER_CHANGED, ("SET_CONTAINS", "SET_NOT_CONTAINS")
    ),
    "DICT_KEYS_MATCH": GuardKind(Reading.KEYS, Diagnosis.CONTAINER_CHANGED, ("DICT_KEYS_MATCH",)),
    "MAPPING_KEYS_MATCH": GuardKind(
        Reading.KEYS, Diagnosis.CONTAINER_CHANGED, ("MAPPING_KEYS_CHECK",)
    ),
    "DICT_VERSION": GuardKind(Reading.NONE, Diagnosis.CONTAINER_CHANGED, ("DICT_VERSION",)),
    "TUPLE_ITERATOR_LEN": GuardKind(
        Reading.ITEMS_LEFT, Diagnosis.CONTAINER_CHANGED, ("TUPLE_ITERATOR_LEN",)
    ),
    "RANGE_ITERATOR_MATCH": GuardKind(
        Reading.ITERATOR, Diagnosis.CONTAINER_CHANGED, ("RANGE_ITERATOR_MATCH",)
    ),
    "COUNT_ITERATOR_MATCH": GuardKind(
        Reading.ITERATOR, Diagnosis.INT_COUNTER, ("COUNT_ITERATOR_MATCH",)
    ),
    # tensors
    "TENSOR_MATCH": GuardKind(Reading.TENSOR, None, ("TENSOR_MATCH",)),
    "DIMENSION_DYNAMIC_MARKING_GUARD": GuardKind(
        Reading.MARKS, Diagnosis.DIMENSION_MARKED, ("TENSOR_MATCH",)
    ),
    "DYNAMIC_INDICES": GuardKind(Reading.MARKS, Diagnosis.DIMENSION_MARKED, ("TENSOR_MATCH",)),
    "TENSOR_SUBCLASS_METADATA_MATCH": GuardKind(
        Reading.METADATA, Diagnosis.TYPE_CHANGED, ("TENSOR_SUBCLASS_METADATA_MATCH",)
    ),
    "DTENSOR_SPEC_MATCH": GuardKind(
        Reading.METADATA, Diagnosis.LAYOUT_CHANGED, ("DTENSOR_SPEC_MATCH",)
    ),
    # several sources
    "OBJECT_ALIASING": GuardKind(Reading.RELATION, None, ("DUPLICATE_INPUT",)),
    "NO_TENSOR_ALIASING": GuardKind(Reading.RELATION, Diagnosis.TENSOR_ALIASING, ("TENSOR_MATCH",)),
    "STORAGE_OVERLAPPING": GuardKind(Reading.RELATION, Diagnosis.TENSOR_ALIASING, ("SHAPE_ENV",)),
    "SYMBOLIC_SHAPE_GUARD": GuardKind(Reading.RELATION, None, ("SHAPE_ENV",)),
    "RELATIONAL": GuardKind(Reading.NONE, None),
    # settings of the process or of the thread
    "GLOBAL_STATE": GuardKind(Reading.SETTING, None, _STATE),
    "TORCH_FUNCTION_MODE_STACK": GuardKind(
        Reading.SETTING, Diagnosis.GLOBAL_STATE_CHANGED, ("TORCH_FUNCTION_STATE",)
    ),
    "DEFAULT_DEVICE": GuardKind(
        Reading.SETTING, Diagnosis.GLOBAL_STATE_CHANGED, ("DEFAULT_DEVICE",)
    ),
    "DUAL_LEVEL_MATCH": GuardKind(Reading.SETTING, Diagnosis.GLOBAL_STATE_CHANGED, ("DUAL_LEVEL",)),
    "FUNCTORCH_STACK_MATCH": GuardKind(
        Reading.SETTING, Diagnosis.GLOBAL_STATE_CHANGED, ("FUNCTORCH_STACK_MATCH",)
    ),
    "AUTOGRAD_SAVED_TENSORS_HOOKS": GuardKind(
        Reading.SETTING, Diagnosis.GLOBAL_STATE_CHANGED, ("AUTOGRAD_SAVED_TENSORS_HOOKS",)
    ),
    # guards that are Python functions, of which the text says no more
    "LAMBDA_GUARD": GuardKind(Reading.NONE, None),
    "LAMBDA_GUARD_NO_ARGS": GuardKind(Reading.NONE, None),
    "LAMBDA_GUARD_NO_FRAMELOCALS": GuardKind(Reading.NONE, None),
    # no guard
    "INVALIDATED": GuardKind(Reading.NONE, Diagnosis.OBJECT_EXPIRED),
    "BACKEND_MATCH": GuardKind(Reading.NONE, Diagnosis.BACKEND_CHANGED),
    "FORCED": GuardKind(Reading.NONE, Diagnosis.FORCED_BY_OTHER_RANK),
    "CONCURRENT": GuardKind(Reading.NONE, Diagnosis.CONCURRENT_COMPILE),
    "NOTHING_FAILED": GuardKind(Reading.NONE, Diagnosis.UNRECOGNIZED),
}

UNKNOWN = GuardKind(Reading.NONE, None)
"""Of a kind that a newer torch may have."""

_OF_LAMBDAS = (
    (re.compile(r"___normalize_count_iter\("), "COUNT_ITERATOR_MATCH"),
    (re.compile(r"torch\._functorch\.pyfunctorch\.compare_functorch"), "FUNCTORCH_STACK_MATCH"),
    (re.compile(r"torch\._functorch\.\S*top_saved_tensors_hooks"), "AUTOGRAD_SAVED_TENSORS_HOOKS"),
    (re.compile(r"___check_metadata_\d+"), "TENSOR_SUBCLASS_METADATA_MATCH"),
    (re.compile(r"__dtensor_spec_\d+"), "DTENSOR_SPEC_MATCH"),
    (re.compile(r"___check_opaque_guard_fn_\d+"), "OPAQUE_OBJ_GUARD_FN_MATCH"),
    (re.compile(r"(?:int|float|complex|str|bytes|bool)\(.+\) == "), "CONSTANT_SUBCLASS_MATCH"),
    (re.compile(r"___normalize_range_iter\("), "RANGE_ITERATOR_MATCH"),
    (re.compile(r"___tuple_iterator_len\("), "TUPLE_ITERATOR_LEN"),
)


def kind_by(leaf: str, text: str) -> str:
    """The kind of a leaf guard: a Python function's is known by its text alone."""
    if not leaf.startswith("LAMBDA_GUARD"):
        return leaf
    return next((kind for start, kind in _OF_LAMBDAS if start.match(text)), leaf)


def reading_of(kind: str) -> Reading:
    """How the values of a guard of this kind are read."""
    return KINDS.get(kind, UNKNOWN).reading
