"""Torch's own modules that run eagerly under what the user compiled.

Dynamo compiles torch's code as a part of what calls it. Where it is asked for such a module's
``forward`` alone, nothing of the user's that was compiled holds it: it skips that by rule, and its
operations run eagerly (``CatchErrorsWrapper.__call__``, torch/_dynamo/convert_frame.py, 2.8 to
2.14). It asks once for each code object.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import CodeType, FrameType
from typing import Any

from torch import nn
from torch.nn.modules.dropout import _DropoutNd

from esper_audit._dynamo.files import is_library_file, is_torch_file
from esper_audit._dynamo.frames import EVAL_FRAME, STACK_DEPTH
from esper_audit.data.places import Location


@dataclass(frozen=True, slots=True)
class Ran:
    """``name`` ran eagerly in ``outer``, torch's outermost module around it (itself, perhaps).

    ``within`` are the frames around it, from what the user compiled down.
    """

    name: str
    outer: CodeType
    within: tuple[Location, ...]


def ran_eagerly(
    code: CodeType, f_locals: Mapping[str, Any], caller: FrameType | None
) -> Ran | None:
    """Of a frame that is skipped by rule: what of torch's runs operations in it, eagerly."""
    if not (is_torch_file(code.co_filename) and _is_forward(code, f_locals)):
        return None
    around = _frames_around(caller)
    if around is None or not _has_operations(f_locals["self"]):
        return None
    within = tuple(map(_place, reversed(around)))
    return Ran(code.co_qualname, _outermost(code, around), within[-STACK_DEPTH:])


def _is_forward(code: CodeType, f_locals: Mapping[str, Any]) -> bool:
    return code.co_name == "forward" and issubclass(type(f_locals.get("self")), nn.Module)


def _has_operations(module: nn.Module) -> bool:
    """Whether its ``forward`` does more than call other modules; nothing of the user's is run."""
    if isinstance(module, nn.Identity | nn.Sequential):
        return False
    held = object.__getattribute__(module, "__dict__")
    if isinstance(module, _DropoutNd):
        return bool(held.get("training"))
    own = any(parameter is not None for parameter in held.get("_parameters", {}).values())
    return own or not held.get("_modules")


def _frames_around(caller: FrameType | None) -> list[FrameType] | None:
    """Innermost first, up to where the user's compiled code was called; None outside of it."""
    found: list[FrameType] = []
    while caller is not None:
        if caller.f_code.co_filename.endswith(EVAL_FRAME):
            return found
        found.append(caller)
        caller = caller.f_back
    return None


def _outermost(code: CodeType, around: list[FrameType]) -> CodeType:
    for frame in around:
        if not is_library_file(frame.f_code.co_filename):
            break
        if _is_forward(frame.f_code, frame.f_locals):
            code = frame.f_code
    return code


def _place(frame: FrameType) -> Location:
    code = frame.f_code
    return Location(code.co_filename, frame.f_lineno or 0, code.co_qualname)
