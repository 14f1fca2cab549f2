"""Parameters that hold their default value in a call: state of the function, and no arguments."""

from __future__ import annotations

from collections.abc import Mapping
from inspect import getattr_static
from types import FrameType, FunctionType
from typing import Any
from weakref import ref

from esper_audit._dynamo.called import called, defaulted

_MODULE_CALL = "torch/nn/modules/module.py"


class Defaults:
    """Of one call. The function is not kept alive."""

    def __init__(self, function: Any = None, names: tuple[str, ...] = ()) -> None:
        self._function = ref(function) if function is not None else None
        self._names = names if function is not None else ()

    def __contains__(self, name: str) -> bool:
        return name in self._names

    @property
    def function(self) -> Any:
        """None for one that is gone, too."""
        return self._function() if self._function is not None else None

    def __getitem__(self, name: str) -> Any:
        """What the parameter holds by default now; raises where it has no default any more."""
        function = self.function
        if function is None:
            raise KeyError(name)
        by_name = function.__kwdefaults__ or {}
        if name in by_name:
            return by_name[name]
        code, held = function.__code__, function.__defaults__ or ()
        place = code.co_varnames.index(name) - code.co_argcount
        return held[place]


def defaults_of(call: Mapping[str, Any], caller: FrameType | None) -> Defaults:
    """Where torch's wrapper or a module's ``__call__`` shows what was passed; else none."""
    code, f_locals = call["code"], call["locals"]
    thing = called(code, f_locals, caller).thing
    if caller is None or thing is None:
        return Defaults()
    args, kwargs = (caller.f_locals.get(name, ()) for name in ("args", "kwargs"))
    if isinstance(thing, FunctionType):
        return Defaults(thing, tuple(defaulted(thing, len(args), kwargs)))
    method = getattr_static(type(thing), code.co_name, None)
    is_called_here = caller.f_code.co_filename.endswith(_MODULE_CALL)
    if not is_called_here or getattr(method, "__code__", None) is not code:
        return Defaults()
    return Defaults(method, tuple(defaulted(method, len(args) + 1, kwargs)))
