"""A step's results as plain data that can cross a process border and be compared on the other side.

Worked example: a dataclass ``Out(logits=Tensor, cache=None, name="a")`` becomes
``Thing("m.Out", {"logits": Tensor, "cache": None, "name": "a"})``. Both sides of a comparison are
made plain in the same way, so that neither needs the other's classes or identities.
"""

from __future__ import annotations

import functools
import sys
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType
from typing import Any

import torch

_PLAIN = (
    *(type(None), bool, int, float, complex, str, bytes, type(...)),
    *(torch.dtype, torch.device, torch.layout, torch.memory_format),
)
_NAMED = (type, FunctionType, BuiltinFunctionType, MethodType, ModuleType)
_DEEPEST = 60


@dataclass(frozen=True)
class Thing:
    """An object by what it holds; ``kind`` is its class."""

    kind: str
    fields: Mapping[str, Any]


@dataclass(frozen=True)
class Opaque:
    """An object that shows nothing of what it holds, such as a generator or a lock.

    Identity is no help: objects that two processes make alike have one address in both.
    """

    kind: str


@dataclass(frozen=True)
class Cycle:
    """A value that holds itself; ``depth`` is where."""

    depth: int


def plain(value: Any) -> Any:
    """The value without live objects: tensors detached and on the CPU, objects as Things."""
    return _plain(value, ())


def checksum(value: Any) -> tuple[float, ...]:
    """For each tensor and number of a value, in order: its sum, and that of absolute values."""
    return tuple(_sums(plain(value)))


def _sums(value: Any) -> Iterator[float]:
    if isinstance(value, torch.Tensor):
        dense = value.to_dense() if value.layout != torch.strided else value
        wide = dense.abs() if dense.is_complex() else dense
        yield float(wide.double().sum())
        yield float(wide.double().abs().sum())
    elif isinstance(value, bool | int | float):
        yield from (float(value), abs(float(value)))
    elif isinstance(value, dict):
        for item in value.values():
            yield from _sums(item)
    elif isinstance(value, list):
        for item in value:
            yield from _sums(item)
    elif isinstance(value, Thing):
        yield from _sums(dict(value.fields))


def _plain(value: Any, path: tuple[int, ...]) -> Any:
    if isinstance(value, torch.Tensor):
        return _of_tensor(value)
    if type(value) in _PLAIN or isinstance(value, Thing | Opaque | Cycle):
        return value
    if id(value) in path:
        return Cycle(path.index(id(value)))
    if len(path) > _DEEPEST:
        return Opaque(_kind(value))
    inside = (*path, id(value))
    if isinstance(value, Mapping):
        pairs = enumerate(value.items())
        return {_key(key, place): _plain(item, inside) for place, (key, item) in pairs}
    if isinstance(value, (list, tuple, deque)):
        return [_plain(item, inside) for item in value]
    if isinstance(value, (set, frozenset)):
        return _of_set(value, inside)
    return _object(value, inside)


def _of_tensor(value: torch.Tensor) -> Any:
    flatten = getattr(value, "__tensor_flatten__", None)
    if flatten is not None:  # a subclass that wraps others
        names, _ = flatten()
        return Thing(_kind(value), {name: _of_tensor(getattr(value, name)) for name in names})
    if value.device.type == "meta":
        return Thing("meta tensor", {"shape": list(value.shape), "dtype": value.dtype})
    found = value.detach().cpu()
    if type(found) is not torch.Tensor:
        found = found.as_subclass(torch.Tensor)
    strided = found.layout == torch.strided and not found.is_quantized
    if strided and found.untyped_storage().nbytes() > found.nbytes:
        found = found.clone()  # a view is sent with all of its storage
    return found.resolve_conj().resolve_neg()


def _object(value: Any, inside: tuple[int, ...]) -> Any:
    if isinstance(value, Enum):
        return Thing(_kind(value), {"name": value.name})
    if isinstance(value, _NAMED):
        name = getattr(value, "__qualname__", value.__name__)
        return Thing(_kind(value), {"name": str(name)})
    if _is_numpy(value):
        return _of_numpy(value)
    held = dict(_held(value))
    if isinstance(value, BaseException):
        held["args"] = value.args
    elif isinstance(value, functools.partial):
        held |= {"func": value.func, "args": value.args, "keywords": value.keywords}
    if held or _is_bare(value):
        return Thing(_kind(value), {name: _plain(item, inside) for name, item in held.items()})
    if _has_equality(value):
        return Thing(_kind(value), {"shown as": repr(value)})
    return Opaque(_kind(value))


def _held(value: Any) -> Iterator[tuple[str, Any]]:
    yield from getattr(value, "__dict__", {}).items()
    for kind in type(value).__mro__:
        slots = kind.__dict__.get("__slots__", ())
        for name in (slots,) if isinstance(slots, str) else slots:
            if name not in ("__dict__", "__weakref__") and hasattr(value, name):
                yield name, getattr(value, name)


class _Bare:
    """A class made in Python, without anything of its own."""


def _is_bare(value: Any) -> bool:
    """Whether it can hold nothing but what its (empty) dictionary shows."""
    return hasattr(value, "__dict__") and type(value).__basicsize__ == _Bare.__basicsize__


def _is_numpy(value: Any) -> bool:
    return type(value).__module__.partition(".")[0] == "numpy" and "numpy" in sys.modules


def _of_numpy(value: Any) -> Any:
    try:
        return torch.as_tensor(value)
    except TypeError:  # text, dates, objects
        return Thing(_kind(value), {"shown as": repr(value)})


def _of_set(value: Any, inside: tuple[int, ...]) -> Any:
    """In an order that its members alone decide; a set of what has no order can't be compared."""
    if all(_is_plain(item) for item in value):
        return Thing(_kind(value), {"items": sorted(map(repr, value))})
    if len(value) == 1:
        return Thing(_kind(value), {"items": [_plain(item, inside) for item in value]})
    return Opaque(_kind(value))


def _is_plain(key: Any) -> bool:
    if isinstance(key, (tuple, frozenset)):
        return all(map(_is_plain, key))
    return type(key) in _PLAIN or isinstance(key, Enum)


def _key(key: Any, place: int) -> Any:
    """Keys that are objects or tensors have no value of their own: only their places."""
    if not _is_plain(key):
        return f"{_kind(key)} in place {place}"
    return key if type(key) in _PLAIN else repr(key)


def _kind(value: Any) -> str:
    kind = type(value)
    own = kind.__module__ != "builtins"
    return f"{kind.__module__}.{kind.__qualname__}" if own else kind.__qualname__


def _has_equality(value: object) -> bool:
    """Whether its class says what makes two of them equal, and its repr shows that."""
    return type(value).__eq__ is not object.__eq__ and " at 0x" not in repr(value)
