"""Frames and what they run: whose method, which callable behind a wrapper, the user's stack."""

from __future__ import annotations

from collections.abc import Mapping
from types import BuiltinFunctionType, CodeType, FrameType, FunctionType, MethodType
from typing import Any

import torch

from esper_audit._dynamo.files import is_library_file
from esper_audit.data.places import Location

STACK_DEPTH = 32
EVAL_FRAME = "torch/_dynamo/eval_frame.py"
_MODULE_CALLS = ("torch/nn/modules/module.py", "torch/_dynamo/external_utils.py")


def wrapped_callable(code: CodeType, f_locals: Mapping[str, Any]) -> str:
    """The user's callable behind a wrapper's frame; empty where there is none.

    ``nn.Sequential``, for one, compiles as ``inner`` of torch/_dynamo/external_utils.py (2.13), a
    decorated method as its decorator's inner function.
    """
    wrapped = wrapped_in(code, f_locals)[1]
    return "" if wrapped is None else plain_name(wrapped)


def wrapped_in(code: CodeType, f_locals: Mapping[str, Any]) -> tuple[str, Any]:
    """The variable of a wrapper's frame that holds what it wraps, and this; ("", None) for none."""
    if "<locals>" not in code.co_qualname:
        return "", None
    names = (name for name in code.co_freevars if name in ("fn", "func"))
    name = next((name for name in names if callable(f_locals.get(name))), "")
    found = f_locals.get(name)
    # Torch's private functions have wrappers, too: contextmanager's is Dynamo's own business.
    private = type(found) is FunctionType and str(found.__module__).startswith("torch._")
    return ("", None) if private or found is None else (name, found)


def is_called_directly(caller: FrameType | None) -> bool:
    """Whether a frame is what the user compiled: only torch's own wrappers call it."""
    while caller is not None and caller.f_code.co_filename.endswith(_MODULE_CALLS):
        caller = caller.f_back
    return caller is not None and caller.f_code.co_filename.endswith(EVAL_FRAME)


def is_library_module(
    code: CodeType, f_locals: Mapping[str, Any], caller: FrameType | None
) -> bool:
    """Whether a frame is the forward of a library's module that the user compiled in place.

    ``nn.Sequential().compile()``: Dynamo skips its forward by rule, and it runs eagerly (2.13).
    """
    this = f_locals.get("self")
    own = issubclass(type(this), torch.nn.Module) and code.co_name == "forward"
    return own and is_called_directly(caller)


def plain_name(thing: Any) -> str:
    """A function's name; of a method or an object that of its class.

    By the type alone: ``isinstance`` would ask a proxy's own ``__class__``.
    """
    if type(thing) is FunctionType:
        return thing.__qualname__
    if type(thing) is BuiltinFunctionType:
        return thing.__name__
    return type(thing.__self__ if type(thing) is MethodType else thing).__qualname__


def user_stack(frame: FrameType | None) -> tuple[Location, ...]:
    """The user's part of the live stack, outermost call first: no torch, no standard library."""
    found: list[Location] = []
    while frame is not None and len(found) < STACK_DEPTH:
        code = frame.f_code
        if not is_library_file(code.co_filename):
            found.append(Location(code.co_filename, frame.f_lineno or 0, code.co_qualname))
        frame = frame.f_back
    return tuple(reversed(found))
