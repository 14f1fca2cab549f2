"""Live values as short texts, without the user's own code."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from enum import Enum
from types import BuiltinFunctionType, CodeType, FunctionType, MethodType, ModuleType
from typing import Any

import torch

from esper_audit.data.compiles import ValueKind

_LONGEST = 120
_MOST_ITEMS = 8
_DEEPEST = 3

_BASES = (float, int, str, bytes, complex)
_TORCHS = (torch.dtype, torch.device, torch.layout, torch.memory_format)
_SIZED: tuple[Any, ...] = (list, tuple, dict, set, frozenset, deque, range, str, bytes)
_SEQUENCES: dict[Any, tuple[str, str]] = {
    list: ("[", "]"),
    tuple: ("(", ")"),
    torch.Size: ("[", "]"),
    set: ("{", "}"),
    frozenset: ("frozenset({", "})"),
}


def text_of(thing: object) -> str:
    """A value as a short text; never raises, never calls the user's ``__repr__``."""
    try:
        return _shorten(_text(thing))
    except Exception as error:  # a broken __len__ or a dead proxy must not end the recording
        return f"<unprintable {type(thing).__name__}: {type(error).__name__}>"


def _text(thing: object) -> str:
    own = type(thing)
    if issubclass(own, torch.Tensor):
        return tensor(thing)  # type: ignore[arg-type]
    if issubclass(own, Enum):
        return f"{own.__qualname__}.{thing._name_ or thing._value_}"  # type: ignore[attr-defined]
    if issubclass(own, type):
        return type_name(thing)  # type: ignore[arg-type]
    contents = contents_of(thing)
    if contents is not None:
        return contents
    if issubclass(own, (list, tuple, dict, set, frozenset)):
        return f"{own.__name__} of {length_of(thing)}"
    return _named(thing) or f"{own.__qualname__} object"


def type_name(thing: type) -> str:
    return f"{thing.__module__}.{thing.__qualname__}".removeprefix("builtins.")


def length_of(thing: object) -> int | None:
    """By the built-in type's own count: a subclass may have another ``__len__``."""
    base = next((kind for kind in _SIZED if issubclass(type(thing), kind)), None)
    return None if base is None else base.__len__(thing)


def _named(thing: object) -> str:
    """Of functions, code and Python modules: what they are called."""
    own = type(thing)
    if own is BuiltinFunctionType:
        return f"function {_built_in(thing)}"  # type: ignore[arg-type]
    if own in (FunctionType, MethodType):
        return f"function {thing.__qualname__}"  # type: ignore[attr-defined]
    if own is CodeType:
        return f"function {thing.co_qualname}"  # type: ignore[attr-defined]
    return f"module {thing.__name__}" if own is ModuleType else ""  # type: ignore[attr-defined]


def _built_in(thing: BuiltinFunctionType) -> str:
    """``torch.relu`` is a method of a class that users don't see (torch/_torch_docs.py)."""
    return thing.__qualname__.replace("_VariableFunctionsClass.", "torch.")


def contents_of(thing: object, depth: int = 0) -> str | None:
    """A constant, or a small container of constants, as Python writes it; None of anything else.

    Only exact built-in types, and the built-in value of what derives from one: no user's
    ``__repr__`` is called.
    """
    own = type(thing)
    if own in (bool, type(None), type(...), *_TORCHS):
        return repr(thing)
    base = next((kind for kind in _BASES if issubclass(own, kind)), None)
    if base is not None:
        return _shorten(base.__repr__(thing))
    if depth >= _DEEPEST:
        return None
    if own is slice or own is range:
        return _called(own.__name__, (thing.start, thing.stop, thing.step), depth)  # type: ignore[attr-defined]
    if own is dict:
        return _dict(thing, depth)  # type: ignore[arg-type]
    return _sequence(thing, depth) if own in _SEQUENCES else None


def _called(name: str, parts: tuple[object, ...], depth: int) -> str | None:
    texts = _all(parts, depth)
    if texts is not None and name == "range" and texts[2] == "1":
        texts = texts[1:2] if texts[0] == "0" else texts[:2]
    return None if texts is None else f"{name}({', '.join(texts)})"


def _all(parts: Iterable[object], depth: int) -> list[str] | None:
    texts = [contents_of(part, depth + 1) for part in parts]
    return None if None in texts else [text for text in texts if text is not None]


def _dict(thing: dict[object, object], depth: int) -> str | None:
    if len(thing) > _MOST_ITEMS:
        return None
    keys, values = _all(thing.keys(), depth), _all(thing.values(), depth)
    if keys is None or values is None:
        return None
    pairs = (f"{key}: {value}" for key, value in zip(keys, values, strict=True))
    return f"{{{', '.join(pairs)}}}"


def _sequence(thing: Any, depth: int) -> str | None:
    """The members of a set in the order of their texts, as they have none."""
    if len(thing) > _MOST_ITEMS:
        return None
    texts = _all(thing, depth)
    if texts is None:
        return None
    own = type(thing)
    if not texts and own in (set, frozenset):
        return f"{own.__name__}()"
    if own in (set, frozenset):
        texts.sort()
    opened, closed = _SEQUENCES[own]
    inside = ", ".join(texts) + ("," if own is tuple and len(texts) == 1 else "")
    return f"{opened}{inside}{closed}"


_ORDERED_KINDS: tuple[tuple[type | tuple[type, ...], ValueKind], ...] = (
    (type(None), ValueKind.NONE),
    (torch.Tensor, ValueKind.TENSOR),
    (Enum, ValueKind.ENUM),
    (bool, ValueKind.BOOL),
    (int, ValueKind.INT),
    ((float, complex), ValueKind.FLOAT),
    ((str, bytes), ValueKind.STR),
    ((torch.dtype, torch.device, torch.layout, torch.memory_format), ValueKind.TORCH),
    ((KeyError, IndexError), ValueKind.NO_KEY),
    (Exception, ValueKind.GONE),
    ((list, tuple, dict, set, frozenset), ValueKind.COLLECTION),
)


def kind_of(thing: object) -> ValueKind:
    """What a value is; of an exception, what raising it says of the source that was read.

    By its type alone: ``isinstance`` would ask a proxy's own ``__class__``.
    """
    return kind_of_type(type(thing))


def kind_of_type(own: type) -> ValueKind:
    """What the values of a type are."""
    return next((kind for types, kind in _ORDERED_KINDS if issubclass(own, types)), ValueKind.OTHER)


def tensor(thing: torch.Tensor) -> str:
    """What Dynamo guards on of a tensor, without its numbers."""
    return (
        f"tensor(size={list(thing.shape)}, dtype={str(thing.dtype).removeprefix('torch.')},"
        f" device={thing.device}, stride={_stride(thing)},"
        f" requires_grad={thing.requires_grad})"
    )


def _stride(thing: torch.Tensor) -> list[int] | str:
    return list(thing.stride()) if thing.layout == torch.strided else str(thing.layout)


def _shorten(text: str) -> str:
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
