"""Torch's live objects in words: values, tensors, code objects."""

from __future__ import annotations

import sysconfig
from collections.abc import Mapping
from enum import Enum
from functools import lru_cache
from inspect import getattr_static
from itertools import count
from types import BuiltinFunctionType, CodeType, FrameType, FunctionType, MethodType
from typing import Any
from weakref import ref

import torch

from esper_audit.events import Location

_TORCH_FOLDER = torch.__path__[0] + "/"
_OWN_FOLDER = __file__.rpartition("/_dynamo/")[0] + "/"
_STANDARD_LIBRARY = sysconfig.get_path("stdlib") + "/"
_INSTALLED = sysconfig.get_path("purelib") + "/"
_NOT_THE_USERS = (_TORCH_FOLDER, _OWN_FOLDER, "<")
_LONGEST = 120
_PLAIN = (int, float, bool, str, bytes, complex, type(None), torch.dtype, torch.device, torch.Size)
STACK_DEPTH = 32
_EVAL_FRAME = "torch/_dynamo/eval_frame.py"
_MODULE_CALLS = ("torch/nn/modules/module.py", "torch/_dynamo/external_utils.py")


def is_torch_file(path: str) -> bool:
    """Whether a source file belongs to torch itself."""
    return path.startswith(_TORCH_FOLDER)


def is_library_file(path: str) -> bool:
    """Whether a source file is torch's, the standard library's, ours or made up (``<string>``)."""
    in_library = path.startswith(_STANDARD_LIBRARY) and not path.startswith(_INSTALLED)
    return in_library or path.startswith(_NOT_THE_USERS)


@lru_cache(maxsize=4096)
def is_user_file(path: str) -> bool:
    """Whether a source file is the user's own: in no library and in no installed package."""
    return not is_library_file(path) and not path.startswith(_INSTALLED)


def value(thing: object) -> str:
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


def instance(f_locals: Mapping[str, Any], code: CodeType) -> str:
    """The object whose method runs, told apart from others of its class; empty for a function."""
    this = f_locals.get(code.co_varnames[0]) if code.co_argcount else None
    method = getattr_static(type(this), code.co_name, None)
    if this is not None and getattr(method, "__code__", None) is not code:
        this = f_locals.get("self")
    if this is None and is_torch_file(code.co_filename):
        this = getattr(_wrapped(code, f_locals), "__self__", None)
    return "" if this is None else f"{type(this).__qualname__}@{_serial(this)}"


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


def wrapped_callable(code: CodeType, f_locals: Mapping[str, Any]) -> str:
    """The user's callable behind a wrapper's frame; empty where there is none.

    ``nn.Sequential``, for one, compiles as ``inner`` of torch/_dynamo/external_utils.py (2.13), a
    decorated method as its decorator's inner function.
    """
    wrapped = _wrapped(code, f_locals) if "<locals>" in code.co_qualname else None
    return "" if wrapped is None else _owner_name(wrapped)


def _wrapped(code: CodeType, f_locals: Mapping[str, Any]) -> Any:
    names = (name for name in code.co_freevars if name in ("fn", "func"))
    found = next((f_locals[name] for name in names if callable(f_locals.get(name))), None)
    # Torch's private functions have wrappers, too: contextmanager's is Dynamo's own business.
    own = str(getattr(found, "__module__", "")).startswith("torch._")
    return None if own else found


def is_called_directly(caller: FrameType | None) -> bool:
    """Whether a frame is what the user compiled: only torch's own wrappers call it."""
    while caller is not None and caller.f_code.co_filename.endswith(_MODULE_CALLS):
        caller = caller.f_back
    return caller is not None and caller.f_code.co_filename.endswith(_EVAL_FRAME)


def is_library_module(
    code: CodeType, f_locals: Mapping[str, Any], caller: FrameType | None
) -> bool:
    """Whether a frame is the forward of a library's module that the user compiled in place.

    ``nn.Sequential().compile()``: Dynamo skips its forward by rule, and it runs eagerly (2.13).
    """
    this = f_locals.get("self")
    own = isinstance(this, torch.nn.Module) and code.co_name == "forward"
    return own and is_called_directly(caller)


def _owner_name(function: Any) -> str:
    owner = getattr(function, "__self__", None)
    if owner is not None:
        return type(owner).__qualname__
    return str(getattr(function, "__qualname__", type(function).__qualname__))


def user_stack(frame: FrameType | None) -> tuple[Location, ...]:
    """The user's part of the live stack, outermost call first: no torch, no standard library."""
    found: list[Location] = []
    while frame is not None and len(found) < STACK_DEPTH:
        code = frame.f_code
        if not is_library_file(code.co_filename):
            found.append(Location(code.co_filename, frame.f_lineno, code.co_qualname))
        frame = frame.f_back
    return tuple(reversed(found))
