"""What live objects tell of a guard source: the names that the user gave to its parts.

Torch reads a closure by the number of a cell, a default by its place, a key by its order. The
objects are there when a guard fails, so the names are found then, and kept in the recording.
"""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterable, Mapping
from dataclasses import replace
from enum import Enum
from types import CodeType, FunctionType, MethodType
from typing import Any
from weakref import ref

import torch
from torch import nn
from torch.optim import Optimizer

from esper_audit._dynamo import files, values
from esper_audit._dynamo.source_reader import MISSING, Reader
from esper_audit._dynamo.stack_values import made_by
from esper_audit.data.compiles import GuardFailure, Held, Origin
from esper_audit.data.places import Location
from esper_audit.torch_text.one_value import Seen, of_one_value
from esper_audit.torch_text.plain_sources import plain_source
from esper_audit.torch_text.sources import in_user_terms
from esper_audit.torch_text.user_terms import rewritten

_LISTS: dict[str, tuple[type, ...]] = {
    "_modules": (nn.ModuleList, nn.Sequential),
    "_parameters": (nn.ParameterList,),
}
_DICTS: dict[str, tuple[type, ...]] = {
    "_modules": (nn.ModuleDict,),
    "_parameters": (nn.ParameterDict,),
}
_PLAIN = (str, int, float, bool, bytes, complex, type(None), torch.dtype)


class LiveNames:
    """The names in one call of a frame."""

    def __init__(self, code: CodeType, f_locals: Mapping[str, Any], f_globals: Any) -> None:
        self._code = code
        self._locals, self._globals = f_locals, f_globals
        self.reader = Reader(f_locals, f_globals)
        self._is_wrapper = files.is_torch_file(code.co_filename)
        self._origins: list[Origin] = []
        self._found: dict[str, tuple[str, Origin | None]] = {}

    def of(self, source: str) -> tuple[str, Origin | None]:
        """A source in the user's terms, and what else there is to say of it."""
        if source not in self._found:
            self._origins = []
            text = in_user_terms(source, self)
            self._found[source] = text, next(iter(self._origins), None)
        return self._found[source]

    def seen(self, node: ast.expr) -> Seen | None:
        """The value that a source has now; None where that can't be told."""
        value = self.reader.read(node)
        return None if value is MISSING else Seen(values.text_of(value), values.kind_of(value))

    def variable(self, function: ast.expr, place: int) -> str:
        held = _function(self.reader.read(function))
        names = held.__code__.co_freevars if held is not None else ()
        if place >= len(names):
            return ""
        self._origin(Held.CLOSURE, function, _line_of(held))
        return str(names[place])

    def parameter(self, function: ast.expr, place: int | str) -> str:
        held = _function(self.reader.read(function))
        if held is None:
            return ""
        name = place if isinstance(place, str) else _with_default(held, place)
        if name:
            self._origin(Held.DEFAULT, function, _line_of(held))
        return name

    def bound(self, partial: ast.expr, place: int | str) -> str:
        held = self.reader.read(partial)
        if not issubclass(type(held), functools.partial):
            return ""
        function = held.func
        name = place if isinstance(place, str) else _positional(function, place)
        if name:
            self._origin(Held.PARTIAL, partial, None)
        return name

    def key(self, owner: ast.expr, place: int) -> str:
        held = self.reader.read(owner)
        keys = list(dict.keys(held)) if issubclass(type(held), dict) else []
        if place >= len(keys):
            return ""
        return code_of_constant(keys[place]) or self._in_optimizer(keys[place])

    def container(self, module: ast.expr, entries: str) -> str:
        kind = type(self.reader.read(module))
        if not issubclass(kind, nn.Module):
            return ""
        if issubclass(kind, _LISTS.get(entries, ())):
            return "list"
        return "dict" if issubclass(kind, _DICTS.get(entries, ())) else "module"

    def class_name(self, instance: ast.expr, place: int) -> str:
        held = self.reader.read(instance)
        order = type(held).__mro__ if held is not MISSING else ()
        return order[place].__qualname__.rpartition("<locals>.")[2] if place < len(order) else ""

    def argument(self, place: int) -> str:
        wrapped = self._wrapped()
        if isinstance(wrapped, nn.Module):
            wrapped = type(wrapped).forward
            place += 1
        while type(wrapped) is FunctionType and "__wrapped__" in wrapped.__dict__:
            wrapped = wrapped.__dict__["__wrapped__"]
        return _positional(wrapped, place) if wrapped is not None else ""

    def wrapped(self) -> str:
        held = self._wrapped()
        if isinstance(held, nn.Module):
            return "self"
        name = getattr(_function(held), "__name__", "")
        return f"self.{name}" if isinstance(held, MethodType) else name

    def _wrapped(self) -> Any:
        found = (self._locals.get(name) for name in ("fn", "func")) if self._is_wrapper else ()
        return next((held for held in found if held is not None), None)

    def result(self, name: str) -> str:
        made = made_by(self._code, name)
        location = Location(self._code.co_filename, self._code.co_firstlineno)
        if made is None:
            self._origins.append(Origin(Held.STACK, name, location))
            return ""
        if made.is_result:
            location = Location(self._code.co_filename, made.line)
            self._origins.append(Origin(Held.RESULT, name, location))
        return made.text

    def injected(self, name: str) -> str:
        held = self._globals.get(name)
        held = held() if type(held) is ref else held
        if held is not None and held is self._locals.get("self"):
            return "self"
        return self._in_optimizer(held)

    def _in_optimizer(self, parameter: object) -> str:
        """A parameter, as the optimizer whose method runs holds it."""
        optimizer = self._locals.get("self")
        if not isinstance(parameter, torch.Tensor) or not isinstance(optimizer, Optimizer):
            return ""
        for group_number, group in enumerate(optimizer.param_groups):
            for number, held in enumerate(group["params"]):
                if held is parameter:
                    return f"self.param_groups[{group_number}]['params'][{number}]"
        return ""

    def _origin(self, held: Held, owner: ast.expr, location: Location | None) -> None:
        before = len(self._origins)
        text = rewritten(owner, self)
        del self._origins[before:]  # those of the owner
        self._origins.append(Origin(held, text, location))


def named(failures: Iterable[GuardFailure], call: Mapping[str, Any]) -> tuple[GuardFailure, ...]:
    """The failures of a call, their sources in the user's terms."""
    frame = call.get("frame")
    f_globals = frame.f_globals if frame is not None else {}
    names = LiveNames(call["code"], call.get("locals", {}), f_globals)
    return tuple(_named(failure, names) for failure in failures)


def _named(failure: GuardFailure, names: LiveNames) -> GuardFailure:
    failure = of_one_value(failure, names.seen)
    source, origin = names.of(failure.source)
    plain = plain_source(failure.torch_source)
    return replace(failure, source=source, torch_source=plain, origin=origin)


def code_of_constant(key: object) -> str:
    """A key as it is written in code; empty for an object."""
    kind = type(key)
    if kind in _PLAIN:
        return repr(key)
    if isinstance(key, Enum):
        return f"{kind.__qualname__.rpartition('<locals>.')[2]}.{key.name}"
    if kind is torch.device:
        return f"torch.device('{key}')"
    if kind is tuple:
        parts = [code_of_constant(part) for part in key]  # type: ignore[attr-defined]
        return f"({', '.join(parts)}{',' if len(parts) == 1 else ''})" if all(parts) else ""
    return kind.__name__ and key.__name__ if isinstance(key, type) else ""


def _function(held: Any) -> Any:
    """The function behind a method, a static or a class method; None for anything else."""
    while type(held) in (MethodType, staticmethod, classmethod):
        held = held.__func__
    return held if type(held) is FunctionType else None


def _with_default(function: FunctionType, place: int) -> str:
    code, defaults = function.__code__, function.__defaults__ or ()
    names = code.co_varnames[: code.co_argcount][-len(defaults) :] if defaults else ()
    return names[place] if place < len(names) else ""


def _positional(held: Any, place: int) -> str:
    function = _function(held)
    if function is None:
        return ""
    code = function.__code__
    place += type(held) is MethodType
    return code.co_varnames[place] if place < code.co_argcount else ""


def _line_of(function: FunctionType) -> Location:
    code = function.__code__
    return Location(code.co_filename, code.co_firstlineno, code.co_qualname)
