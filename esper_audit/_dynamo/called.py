"""The object whose code a call runs, and the local variables that lead to its state.

Torch's cache hangs on the code object, which methods of all instances, closures of one factory and
callables behind one wrapper share (torch/csrc/dynamo/extra_state.h, 2.8 to 2.14).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from inspect import CO_VARARGS, getattr_static
from itertools import count
from types import CodeType, FrameType, FunctionType, MethodType
from typing import Any
from weakref import ref

from esper_audit._dynamo.frames import EVAL_FRAME, plain_name, wrapped_in
from esper_audit.data.compiles import GuardFailure

_DECORATORS = 8
_LOCAL = re.compile(r"\bL\['\w+'\]")


@dataclass(frozen=True, slots=True)
class Called:
    """``thing`` is a module, another object or a function; None where it can't be told.

    ``sources`` are where its state begins, in torch's terms; the rest belongs to this call.
    """

    thing: Any = None
    sources: tuple[str, ...] = ()

    @property
    def instance(self) -> str:
        """It, told apart from others of its kind: ``Block@2``; empty where it is not known."""
        if self.thing is None:
            return ""
        return f"{plain_name(self.thing)}@{_serial(self.thing)}"


def called(code: CodeType, f_locals: Mapping[str, Any], caller: FrameType | None) -> Called:
    """What was called, of a frame with this code and these variables."""
    first = code.co_varnames[0] if code.co_argcount else ""
    this = f_locals.get(first)
    if this is not None and _is_method(this, code):
        return Called(this, _locals(first))
    name, wrapped = wrapped_in(code, f_locals)
    if f_locals.get("self") is not None:
        return Called(f_locals["self"], _locals("self", name))
    if wrapped is not None:
        return _behind_wrapper(code, f_locals, name, wrapped)
    return _function(code, caller)


def _is_method(this: Any, code: CodeType) -> bool:
    """Whether a class of the object has a method with this code, also behind its decorators."""
    method = getattr_static(type(this), code.co_name, None)
    for _ in range(_DECORATORS):
        if type(method) is not FunctionType:
            return False
        if method.__code__ is code:
            return True
        method = method.__dict__.get("__wrapped__")
    return False


def _locals(*names: str) -> tuple[str, ...]:
    return tuple(f"L['{name}']" for name in names if name)


def _behind_wrapper(code: CodeType, f_locals: Mapping[str, Any], name: str, wrapped: Any) -> Called:
    """What a wrapper calls: a callable, or the method of the first of ``*args``."""
    if type(wrapped) is MethodType:
        return Called(wrapped.__self__, _locals(name))
    several = code.co_varnames[code.co_argcount + code.co_kwonlyargcount :][:1]
    passed = f_locals.get(several[0]) if code.co_flags & CO_VARARGS else None
    if type(wrapped) is FunctionType and passed:
        method = getattr_static(type(passed[0]), wrapped.__name__, None)
        if type(method) is FunctionType and method.__dict__.get("__wrapped__") is wrapped:
            return Called(passed[0], (*_locals(name), f"L['{several[0]}'][0]"))
    return Called(wrapped, _locals(name))


def _function(code: CodeType, caller: FrameType | None) -> Called:
    """The function that torch.compile was given: its wrapper knows it, and what was passed."""
    if caller is None or not caller.f_code.co_filename.endswith(EVAL_FRAME):
        return Called()
    function = caller.f_locals.get("fn")
    if type(function) is not FunctionType or function.__code__ is not code:
        return Called()
    args, kwargs = (caller.f_locals.get(name, ()) for name in ("args", "kwargs"))
    own = (*code.co_freevars, *defaulted(function, len(args), kwargs))
    return Called(function, _locals(*own))


def defaulted(function: FunctionType, passed: int, named: Iterable[str]) -> Iterator[str]:
    """The parameters that hold their default value."""
    code = function.__code__
    plain = code.co_varnames[: code.co_argcount]
    held = plain[max(passed, len(plain) - len(function.__defaults__ or ())) :]
    for name in (*held, *(function.__kwdefaults__ or ())):
        if name not in named:
            yield name


def with_owner(failures: Iterable[GuardFailure], called: Called) -> tuple[GuardFailure, ...]:
    """The failures, with whether each lies under the called object itself."""
    return tuple(
        replace(failure, own=_is_own(failure.torch_source, called.sources)) for failure in failures
    )


def _is_own(source: str, owned: tuple[str, ...]) -> bool:
    """Whether all that it is read from belongs to the called object."""
    roots = [source[match.start() :] for match in _LOCAL.finditer(source)]
    return bool(roots and owned) and all(root.startswith(owned) for root in roots)


_SERIALS: dict[int, tuple[Any, int]] = {}
_NUMBERS = count(1)


def _serial(thing: object) -> int:
    """A number of its own for each object: addresses are used again."""
    known = _SERIALS.get(id(thing))
    if known is not None and known[0]() is thing:
        return known[1]
    number = next(_NUMBERS)
    try:
        _SERIALS[id(thing)] = (ref(thing), number)
    except TypeError:  # can't be referred to weakly: by its address
        return id(thing)
    return number
