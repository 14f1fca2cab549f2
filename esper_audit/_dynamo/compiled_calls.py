"""Each call of what ``torch.compile`` returned, seen from outside: the program notices nothing.

Only outermost calls are seen. One inside of compiled code is traced as if it were not wrapped:
Dynamo goes to the function behind ``_torchdynamo_inline``, which a wrapper shows as well
(torch/_dynamo/variables/builder.py, 2.13).
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable
from types import FunctionType
from typing import Any, Protocol

import torch

from esper_audit._dynamo import names

Compiled = Callable[..., Any]


class Around(Protocol):
    """Makes a call: ``number`` is that of the callable, ``target`` what it was compiled from."""

    def __call__(
        self, number: int, target: Any, compiled: Compiled, args: Any, kwargs: Any
    ) -> Any: ...


class _Inside(threading.local):
    """Whether this thread is in a call that is seen."""

    now = False


def see_compiled_calls(around: Around) -> Callable[[], None]:
    """From now on, let ``around`` make each outermost call of what ``torch.compile`` returns.

    Covers ``nn.Module.compile``, which calls ``torch.compile`` by its name, and its use as a
    decorator. Returns what ends it; callables that were made stay as they are.
    """
    original, made, inside = torch.compile, _Numbers(), _Inside()

    @functools.wraps(original)
    def stand_in(*args: Any, **given: Any) -> Any:
        compiled = original(*args, **given)
        target = args[0] if args else given.get("model")
        if target is None:  # a decorator: it calls torch.compile with the function
            return compiled
        return _seen(target, compiled, made, around, inside)

    torch.compile = stand_in

    def end() -> None:
        if torch.compile is stand_in:
            torch.compile = original

    return end


class _Numbers:
    """Numbers callables in the order in which they are made."""

    def __init__(self) -> None:
        self._next = 0

    def take(self) -> int:
        self._next += 1
        return self._next - 1


def _seen(target: Any, compiled: Any, made: _Numbers, around: Around, inside: _Inside) -> Any:
    """What was compiled, its calls seen; as it is, where it is neither function nor module."""
    if compiled is target:
        return compiled
    if isinstance(compiled, FunctionType):
        return _wrapper(target, compiled, made.take(), around, inside)
    forward = vars(compiled).get("forward") if isinstance(compiled, torch.nn.Module) else None
    if isinstance(forward, FunctionType):  # torch sets it on its OptimizedModule itself
        compiled.forward = _wrapper(target, forward, made.take(), around, inside)
    return compiled


def _wrapper(
    target: Any, compiled: FunctionType, number: int, around: Around, inside: _Inside
) -> FunctionType:
    @functools.wraps(compiled)
    def call(*args: Any, **kwargs: Any) -> Any:
        if inside.now:
            return compiled(*args, **kwargs)
        inside.now = True
        try:
            return around(number, target, compiled, args, kwargs)
        finally:
            inside.now = False

    _never_compile(call)
    return call  # type: ignore[return-value]  # functools says less


def _never_compile(function: Any) -> None:
    """Dynamo passes this frame by, and still compiles those that it calls."""
    skip = names.find("skip_code")
    if skip is not None:
        skip(function.__code__)
