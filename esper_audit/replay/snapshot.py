"""Copies of a step's state, taken before it runs, on which the expected result is computed.

The copy must not share anything that Dynamo guards on: running the *same* module eagerly would
fill its caches and hide the recompile that is to be seen.
"""

from __future__ import annotations

import copy
import functools
import random
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import CellType, CodeType, FunctionType, MethodType
from typing import Any

import torch

from esper_audit.data.reasons import Reason, Why, said

_HEAP_TYPE = 1 << 9
"""Py_TPFLAGS_HEAPTYPE (Include/object.h): a class that Python code made."""


class CannotCopy(Exception):  # noqa: N818  # becomes a comparison that could not be made
    """The state before a step can't be copied, for this ``reason``."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True)
class Snapshot:
    """A target, its loss and arguments, copied together so that what they share stays shared."""

    target: Callable[..., Any]
    loss: Callable[..., Any] | None
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    modules: tuple[torch.nn.Module, ...]

    @classmethod
    def take(
        cls,
        target: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        loss: Callable[..., Any] | None = None,
    ) -> Snapshot:
        """Copy now; raises CannotCopy."""
        originals = modules_of(target, args, kwargs, loss)
        _refuse_globals(target, originals)
        memo: dict[int, Any] = {}
        try:
            plain = list(_tensors((args, kwargs, [_plain_tensors(module) for module in originals])))
            memo.update((id(tensor), _copy_tensor(tensor)) for tensor in plain)
            memo.update(_copies_that_overlap(plain))
            memo.update((id(thing), thing) for thing in _sentinels(originals))
            with _functions_are_copied():
                new = copy.deepcopy((target, loss, args, kwargs, originals), memo)
        except Exception as error:
            raise CannotCopy(Reason(why=Why.NOT_COPIED, text=said(error))) from error
        for original, twin in zip(originals, new[-1], strict=True):
            _copy_gradients(original, twin)
        return cls(*new)


def _copy_tensor(tensor: torch.Tensor) -> torch.Tensor:
    """With its gradient; one with a history becomes one with another history, not a leaf."""
    twin = tensor.detach().clone().requires_grad_(tensor.requires_grad)
    if tensor.requires_grad and not tensor.is_leaf:
        return twin.view_as(twin)
    if tensor.is_leaf and tensor.grad is not None:
        twin.grad = tensor.grad.detach().clone()
    return twin


def _copies_that_overlap(tensors: list[torch.Tensor]) -> dict[int, torch.Tensor]:
    """Copies of tensors that share memory, sharing it as the originals do."""
    groups: dict[int, dict[int, torch.Tensor]] = {}
    for tensor in tensors:
        plain = tensor.layout == torch.strided and not tensor.requires_grad
        # A device made in Python ends the process here (2.13).
        if plain and tensor.numel() and tensor.device.type in ("cpu", "cuda"):
            start = tensor.untyped_storage().data_ptr()
            groups.setdefault(start, {})[id(tensor)] = tensor
    found: dict[int, torch.Tensor] = {}
    for group in groups.values():
        if len(group) > 1:
            storage = next(iter(group.values())).untyped_storage().clone()
            for key, tensor in group.items():
                empty = torch.empty(0, dtype=tensor.dtype, device=tensor.device)
                place = (tensor.storage_offset(), tensor.shape, tensor.stride())
                found[key] = empty.set_(storage, *place)
    return found


def _sentinels(modules: tuple[torch.nn.Module, ...]) -> Iterator[object]:
    """Objects without state, told apart by identity alone: a copy would be another one."""
    for root in modules:
        for module in root.modules():
            for thing in vars(module).values():
                kind = type(thing)
                in_python = hasattr(thing, "__dict__") and kind.__flags__ & _HEAP_TYPE
                own_class = in_python and kind.__base__ is object
                if own_class and not _holds_anything(thing):
                    yield thing


def _holds_anything(thing: object) -> bool:
    """Whether an object has anything in its dictionary, or slots."""
    slots = any(getattr(kind, "__slots__", ()) for kind in type(thing).__mro__)
    return bool(getattr(thing, "__dict__", {})) or slots


def _refuse_globals(target: Any, modules: tuple[torch.nn.Module, ...]) -> None:
    """State in module globals can't be copied: an eager call would run on the original."""
    functions = [target, *(type(module).forward for module in modules)]
    for function in functions:
        function = getattr(function, "__func__", function)
        if isinstance(function, FunctionType) and not function.__module__.startswith("torch."):
            for name in _names(function.__code__):
                thing = function.__globals__.get(name)
                if _holds_state(thing):
                    names = (function.__qualname__, name)
                    raise CannotCopy(Reason(why=Why.USES_GLOBAL, names=names))


def _holds_state(thing: Any) -> bool:
    """Optimizers, and modules but for torch's own without tensors, such as a loss."""
    if isinstance(thing, torch.nn.Module):
        plain = type(thing).__module__.startswith("torch.")
        return not plain or bool(thing.state_dict())
    return isinstance(thing, torch.optim.Optimizer)


def _names(code: CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names(constant)


@contextmanager
def _functions_are_copied() -> Iterator[None]:
    """``copy.deepcopy`` keeps functions as they are, with the state in their closures."""
    dispatch: dict[Any, Any] = copy._deepcopy_dispatch  # type: ignore[attr-defined]  # not in stubs
    before = {kind: dispatch.get(kind) for kind in (FunctionType, functools.partial)}
    dispatch.update({FunctionType: _copy_function, functools.partial: _copy_partial})
    try:
        yield
    finally:
        for kind, original in before.items():
            dispatch.pop(kind)
            if original is not None:
                dispatch[kind] = original


def _copy_function(function: FunctionType, memo: dict[int, Any]) -> FunctionType:
    if not function.__closure__:
        return function
    cells = tuple(CellType() for _ in function.__closure__)
    twin = FunctionType(
        function.__code__, function.__globals__, function.__name__, function.__defaults__, cells
    )
    twin.__kwdefaults__ = function.__kwdefaults__
    memo[id(function)] = twin  # before its cells: a function may call itself
    for cell, original in zip(cells, function.__closure__, strict=True):
        try:
            content = original.cell_contents
        except ValueError:  # a name that isn't bound yet
            continue
        cell.cell_contents = copy.deepcopy(content, memo)
    return twin


def _copy_partial(function: functools.partial[Any], memo: dict[int, Any]) -> functools.partial[Any]:
    inner, args, keywords = copy.deepcopy((function.func, function.args, function.keywords), memo)
    return functools.partial(inner, *args, **keywords)


def _plain_tensors(root: torch.nn.Module) -> list[torch.Tensor]:
    """Buffers and tensor attributes. ``Tensor.__deepcopy__`` refuses those with a history, and
    copies storages in a way that a device made in Python can't (torch/_tensor.py, 2.13)."""
    return [
        thing
        for module in root.modules()
        for thing in (*vars(module).values(), *module.buffers(recurse=False))
        if isinstance(thing, torch.Tensor)
    ]


def _copy_gradients(original: torch.nn.Module, twin: torch.nn.Module) -> None:
    """``Parameter.__deepcopy__`` leaves the gradient behind (torch/nn/parameter.py, 2.13)."""
    for source, target in zip(original.parameters(), twin.parameters(), strict=True):
        if source.grad is not None:
            target.grad = source.grad.detach().clone()


def modules_of(*roots: Any) -> tuple[torch.nn.Module, ...]:
    """The modules that a target and its arguments hold, in a fixed order, each once."""
    found: dict[int, torch.nn.Module] = {}
    seen: set[int] = set()
    for root in roots:
        for module in _modules(root, seen):
            found.setdefault(id(module), module)
    return tuple(found.values())


def _modules(thing: Any, seen: set[int]) -> Iterator[torch.nn.Module]:
    if id(thing) in seen:
        return
    seen.add(id(thing))
    if isinstance(thing, torch.nn.Module):
        yield thing
    elif isinstance(thing, (list, tuple)):
        for part in thing:
            yield from _modules(part, seen)
    elif isinstance(thing, dict):
        yield from _modules(list(thing.values()), seen)
    elif isinstance(thing, MethodType):
        yield from _modules(thing.__self__, seen)
        if not isinstance(thing.__self__, torch.nn.Module):
            yield from _modules(getattr(thing.__self__, "__dict__", {}), seen)
    elif isinstance(thing, functools.partial):
        yield from _modules([thing.func, thing.args, thing.keywords], seen)
    elif isinstance(thing, FunctionType):
        for cell in thing.__closure__ or ():
            try:
                yield from _modules(cell.cell_contents, seen)
            except ValueError:
                continue
        for name in _names(thing.__code__):
            held = thing.__globals__.get(name)
            if isinstance(held, torch.nn.Module):
                yield from _modules(held, seen)


def _tensors(thing: Any) -> Iterator[torch.Tensor]:
    if isinstance(thing, torch.Tensor):
        yield thing
    elif isinstance(thing, (list, tuple)):
        for part in thing:
            yield from _tensors(part)
    elif isinstance(thing, dict):
        yield from _tensors(list(thing.values()))


@contextmanager
def same_randomness() -> Iterator[None]:
    """What runs inside draws the random numbers that the code after it will draw again."""
    python_state = random.getstate()
    numpy = sys.modules.get("numpy")
    numpy_state = numpy.random.get_state() if numpy is not None else None
    cuda = [torch.cuda.current_device()] if torch.cuda.is_initialized() else []
    try:
        with torch.random.fork_rng(devices=cuda):
            yield
    finally:
        random.setstate(python_state)
        if numpy is not None:
            numpy.random.set_state(numpy_state)
