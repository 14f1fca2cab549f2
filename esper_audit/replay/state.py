"""The tensors that a step can reach and may write: by name, before it and after it.

Worked example: a step gets ``cache = {"k": [tensor]}`` and a module with a plain tensor attribute
``seen``. Its state is ``argument cache['k'][0]``, the module's parameters and buffers by their own
names, and ``.seen``. If the step writes ``cache["k"][0]`` in place, its version changes; if it sets
``module.seen`` anew, another tensor stands under that name.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import torch

_DEEPEST = 5
_MOST_VALUES = 10_000_000
"""Values of a tensor past which it is not added up: what only ``.data`` writes is not seen then."""

State = Mapping[str, torch.Tensor]
Mark = tuple[int, int]
"""Which tensor stands under a name, and how often it was written in place."""


def state_of(
    modules: tuple[torch.nn.Module, ...], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> dict[str, torch.Tensor]:
    """All tensors that a step may write: of modules, of arguments, and of what these hold."""
    found: dict[str, torch.Tensor] = {}
    seen: set[int] = set()
    for number, module in enumerate(modules):
        prefix = "" if number == 0 else f"{number}:"
        for name, tensor in (*module.named_parameters(), *module.named_buffers()):
            found[f"{prefix}{name}"] = tensor
        for path, part in module.named_modules():
            seen.add(id(part))
            held = {k: v for k, v in vars(part).items() if k not in _OF_MODULES}
            found |= dict(_inside(held, f"{prefix}{path}", seen, 0, dotted=True))
    for place, value in (*enumerate(args), *kwargs.items()):
        found |= dict(_tensors(value, f"argument {place}", seen, 0))
    return found


_OF_MODULES = frozenset(vars(torch.nn.Module()))
"""What every module has: parameters, buffers and submodules are named by torch itself."""


def _tensors(
    value: Any, path: str, seen: set[int], depth: int
) -> Iterator[tuple[str, torch.Tensor]]:
    if isinstance(value, torch.Tensor):
        yield path, value
    elif depth < _DEEPEST and id(value) not in seen:
        seen.add(id(value))
        if isinstance(value, Mapping):
            yield from _inside(value, path, seen, depth)
        elif isinstance(value, (list, tuple)):
            yield from _inside(dict(enumerate(value)), path, seen, depth)
        elif _is_users_object(value):
            yield from _inside(vars(value), path, seen, depth, dotted=True)


def _inside(
    held: Mapping[Any, Any], path: str, seen: set[int], depth: int, dotted: bool = False
) -> Iterator[tuple[str, torch.Tensor]]:
    for key, value in [*held.items()]:
        if isinstance(key, (str, int, float, bool)):
            name = f"{path}.{key}" if dotted else f"{path}[{key!r}]"
            yield from _tensors(value, name, seen, depth + 1)


def _is_users_object(value: Any) -> bool:
    """An object of a Python class that is not torch's: those have much that is no state."""
    if isinstance(value, type) or not hasattr(value, "__dict__") or callable(value):
        return False
    return not type(value).__module__.startswith(("torch.", "builtins", "types"))


def marks(state: State) -> dict[str, Mark]:
    """To be held against those after the step; inference tensors don't count writes."""
    return {
        name: (id(tensor), 0 if tensor.is_inference() else tensor._version)
        for name, tensor in state.items()
    }


def written(before: Mapping[str, Mark], after: State) -> tuple[str, ...]:
    """The names under which another tensor stands, or one that was written in place."""
    return tuple(name for name, mark in marks(after).items() if before.get(name) != mark)


def gradients(state: State) -> dict[str, torch.Tensor | None]:
    """The gradients of all leaves that require one."""
    return {
        name: tensor.grad
        for name, tensor in state.items()
        if tensor.requires_grad and tensor.is_leaf
    }


def sums(state: State, left_out: Iterable[str]) -> dict[str, tuple[float, float]]:
    """Of each tensor but these: its sum and that of absolute values, which a write changes.

    It is for writes that change no version, such as through ``.data``, and for those of compiled
    code alone. Parameters are left out: they are many, and written by optimizers, in place.
    """
    skipped = set(left_out)
    found = {
        name: _sums(tensor.detach())
        for name, tensor in state.items()
        if name not in skipped and _is_small(tensor)
    }
    return {name: pair for name, pair in found.items() if pair is not None}


def _is_small(tensor: torch.Tensor) -> bool:
    plain = tensor.layout == torch.strided and not tensor.is_quantized
    is_parameter = isinstance(tensor, torch.nn.Parameter)
    return plain and not is_parameter and tensor.numel() <= _MOST_VALUES


def _sums(tensor: torch.Tensor) -> tuple[float, float] | None:
    try:
        wide = tensor.abs() if tensor.is_complex() else tensor
        wide = wide.to(torch.float64 if wide.numel() < 10_000 else torch.float32)
        return float(wide.sum()), float(wide.abs().sum())
    except (RuntimeError, NotImplementedError):  # a device without data, or a kind without sums
        return None


def changed_sum(
    found: Mapping[str, tuple[float, float]], wanted: Mapping[str, tuple[float, float]]
) -> str:
    """The first tensor that neither side seems to have written, and that differs all the same."""
    return next((name for name in wanted if name in found and _differ(found, wanted, name)), "")


def _differ(
    found: Mapping[str, tuple[float, float]], wanted: Mapping[str, tuple[float, float]], name: str
) -> bool:
    pairs = list(zip(found[name], wanted[name], strict=True))
    if any(math.isnan(one) != math.isnan(other) for one, other in pairs):
        return True
    size = max(found[name][1], wanted[name][1])
    return any(abs(one - other) > 1e-4 * size for one, other in pairs if one != other)
