"""Live values as short texts, without the user's own code."""

from __future__ import annotations

from enum import Enum
from types import BuiltinFunctionType, FunctionType, MethodType

import torch

from esper_audit.data.compiles import ValueKind

_LONGEST = 120
_PLAIN = (int, float, bool, str, bytes, complex, type(None), torch.dtype, torch.device, torch.Size)


def text_of(thing: object) -> str:
    """A value as a short text; never raises, never calls the user's ``__repr__``."""
    try:
        return _shorten(_text(thing))
    except Exception as error:  # a broken __len__ or a dead proxy must not end the recording
        return f"<unprintable {type(thing).__name__}: {type(error).__name__}>"


def _text(thing: object) -> str:
    if isinstance(thing, torch.Tensor):
        return tensor(thing)
    if isinstance(thing, Enum):
        return f"{type(thing).__qualname__}.{thing.name}"
    if isinstance(thing, type):
        return f"{thing.__module__}.{thing.__qualname__}".removeprefix("builtins.")
    if isinstance(thing, (FunctionType, BuiltinFunctionType, MethodType)):
        return f"function {thing.__qualname__}"
    if isinstance(thing, _PLAIN):
        return repr(thing)
    if isinstance(thing, (list, tuple, dict, set, frozenset)):
        return f"{type(thing).__name__} of {len(thing)}"
    return f"{type(thing).__qualname__} object"


_ORDERED_KINDS: tuple[tuple[type | tuple[type, ...], ValueKind], ...] = (
    (type(None), ValueKind.NONE),
    (torch.Tensor, ValueKind.TENSOR),
    (Enum, ValueKind.ENUM),
    (bool, ValueKind.BOOL),
    (int, ValueKind.INT),
    (float, ValueKind.FLOAT),
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
    own = type(thing)
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
