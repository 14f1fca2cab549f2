"""Callables in C alone: while they run, no frame of ours is on the stack.

Torch looks at the stack: it walks up by file name (ConvertFrameAssert.__call__ in
torch/_dynamo/convert_frame.py, 2.13), it logs and prints stacks. Signal handlers run in Python
code alone, so none runs inside these either.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable
from types import FunctionType, MethodType
from typing import Any


def in_turn(*functions: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """One callable of one argument: each function is called with what the one before gave back.

    ``reduce`` and ``@`` are C, and so is the call of a static method that ``@`` looks up. The
    argument and what is handed on must have no ``__matmul__`` of their own, as a tensor has.
    """
    return functools.partial(functools.reduce, operator.matmul, tuple(map(_step, functions)))


def _step(function: Callable[[Any], Any]) -> object:
    return type("Step", (), {"__slots__": (), "__rmatmul__": staticmethod(function)})()


class Calls:
    """Counts calls without a frame, a lock or a reference to what is called.

    The counter is a cache of no size, which counts each call as a miss.
    """

    def __init__(self, function: Callable[..., Any] = operator.call) -> None:
        self.counter = functools.lru_cache(maxsize=0)(function)
        # Not what it calls: torch would find that behind it (innermost_fn, torch/_dynamo).
        vars(self.counter).clear()

    def __call__(self) -> int:
        """How many there were."""
        return self.counter.cache_info().misses

    def of(self, function: Callable[..., Any]) -> Any:
        """The function, its calls counted; the counter keeps nothing of it alive."""
        if isinstance(function, FunctionType):  # of an object, asking may run the user's code
            for name in functools.WRAPPER_ASSIGNMENTS:
                vars(self.counter)[name] = getattr(function, name, None)
        return MethodType(self.counter, function)
