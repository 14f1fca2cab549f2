"""Whether code that torch skips for want of tensors runs tensor operations all the same.

``has_tensor_in_frame`` of torch/_dynamo/convert_frame.py (2.8 to 2.14) looks into arguments, lists,
tuples, dicts and modules, not into other objects. Here the bytecode is read instead, with the
frame's own values: nothing is run, no attribute of the user's is asked for by a call.
"""

from __future__ import annotations

import dis
from collections.abc import Iterator, Mapping
from inspect import getattr_static
from types import CodeType, MemberDescriptorType
from typing import Any

import torch

from esper_audit.data.places import Location

_NO_TENSOR = "no tensor-related objects"
_UNKNOWN, _TENSOR = object(), object()
_READS = frozenset(
    [
        "item",
        "tolist",
        "numpy",
        "size",
        "dim",
        "numel",
        "detach",
        "cpu",
        "cuda",
        "to",
        "type",
        "backward",
        "requires_grad_",
        "stride",
        "is_contiguous",
        "data_ptr",
        "register_hook",
        "element_size",
        "shape",
        "dtype",
        "device",
        "grad",
    ]
)
_OPERATORS = ("BINARY_OP", "COMPARE_OP", "BINARY_SUBSCR", "UNARY_NEGATIVE", "UNARY_INVERT")
_IGNORED = frozenset(
    ["RESUME", "NOP", "CACHE", "PRECALL", "KW_NAMES", "EXTENDED_ARG", "PUSH_EXC_INFO"]
)
_LOADS = ("LOAD_FAST", "LOAD_FAST_CHECK", "LOAD_FAST_BORROW", "LOAD_DEREF")


class _Method:
    """A method of a tensor that computes."""


def held_operation(frame: Any, reason: str) -> Location | None:
    """Of a frame that is resumed after a graph break, and skipped: its first operation.

    Up to 2.12 torch gives no reason.
    """
    code = frame.f_code
    if "torch_dynamo_resume_in_" not in code.co_name or (reason and _NO_TENSOR not in reason):
        return None
    line = operation_line(code, frame.f_locals)
    return None if line is None else Location(code.co_filename, line, code.co_qualname)


def operation_line(code: CodeType, values: Mapping[str, Any]) -> int | None:
    """The first line of resumed code that computes with a tensor; None where none is seen."""
    reader = _Reader(values)
    line = code.co_firstlineno
    for step in _from_where_it_resumes(code):
        line = (step.positions.lineno if step.positions else None) or line
        if reader.computes(step):
            return line
    return None


def _from_where_it_resumes(code: CodeType) -> Iterator[dis.Instruction]:
    """Past what puts the stack back and jumps to the line after the graph break."""
    steps = list(dis.get_instructions(code))
    jump = next((step for step in steps if step.opname == "JUMP_FORWARD"), None)
    start = jump.argval if jump is not None else 0
    yield from (step for step in steps if step.offset >= start)


class _Reader:
    """Follows values through bytecode from top to bottom, as far as they are known."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values, self._stack = dict(values), list[Any]()

    def computes(self, step: dis.Instruction) -> bool:
        """Whether an instruction computes with a tensor; else it is followed."""
        name = step.opname
        if name in _OPERATORS:
            operands = self._pop(1 if name.startswith("UNARY") else 2)
            if any(map(_is_tensor, operands)):
                return True
            self._stack.append(_item(operands) if name == "BINARY_SUBSCR" else _UNKNOWN)
        elif name in ("CALL", "CALL_KW"):
            called = self._pop((step.arg or 0) + 2 + (name == "CALL_KW"))
            if any(isinstance(part, _Method) for part in called[:2]):
                return True
            module = any(isinstance(part, torch.nn.Module) for part in called[:2])
            self._stack.append(_TENSOR if module else _UNKNOWN)
        else:
            self._follow(step)
        return False

    def _follow(self, step: dis.Instruction) -> None:
        name = step.opname
        if name in _LOADS:
            self._stack.append(self._values.get(step.argval, _UNKNOWN))
        elif name.startswith("LOAD_FAST_") and isinstance(step.argval, tuple):  # two, from 3.13 on
            self._stack += [self._values.get(local, _UNKNOWN) for local in step.argval]
        elif name == "LOAD_CONST":
            self._stack.append(step.argval)
        elif name in ("LOAD_ATTR", "LOAD_METHOD"):
            (owner,) = self._pop(1)
            found = _attribute(owner, step.argval)
            with_self = dis.stack_effect(step.opcode, step.arg, jump=False) > 0
            self._stack += [found, owner] if with_self else [found]
        elif name == "STORE_FAST":
            (self._values[step.argval],) = self._pop(1)
        elif name == "COPY":
            self._stack.append(self._stack[-(step.arg or 1)])
        elif name == "SWAP":
            place = -(step.arg or 1)
            self._stack[-1], self._stack[place] = self._stack[place], self._stack[-1]
        elif name not in _IGNORED:
            self._forget(dis.stack_effect(step.opcode, step.arg, jump=False))

    def _forget(self, effect: int) -> None:
        """An instruction that is not followed: what it leaves is not known."""
        if effect < 0:
            self._pop(-effect)
        self._stack += [_UNKNOWN] * max(0, effect)
        if self._stack and effect <= 0:
            self._stack[-1] = _UNKNOWN

    def _pop(self, number: int) -> list[Any]:
        missing = [_UNKNOWN] * (number - len(self._stack))
        taken = missing + self._stack[max(0, len(self._stack) - number) :]
        del self._stack[max(0, len(self._stack) - number) :]
        return taken


def _is_tensor(value: object) -> bool:
    return value is _TENSOR or isinstance(value, torch.Tensor)


def _item(operands: list[Any]) -> Any:
    """An entry of a plain container; no method of the user's is called."""
    owner, key = operands
    plain = type(owner) in (list, tuple) and type(key) is int
    if (plain and -len(owner) <= key < len(owner)) or (type(owner) is dict and type(key) is str):
        return owner[key] if plain or key in owner else _UNKNOWN
    return _UNKNOWN


def _attribute(owner: object, name: str) -> Any:
    if owner is _UNKNOWN:
        return _UNKNOWN
    if _is_tensor(owner):
        return _UNKNOWN if name in _READS or not hasattr(torch.Tensor, name) else _Method()
    try:
        held = object.__getattribute__(owner, "__dict__")
    except AttributeError:
        held = {}
    for place in (held, *(held.get(kept) for kept in ("_parameters", "_buffers", "_modules"))):
        if type(place) is dict and name in place:
            return place[name]
    slot = getattr_static(type(owner), name, None)
    is_slot = isinstance(slot, MemberDescriptorType) or type(slot).__name__ == "_tuplegetter"
    try:
        return slot.__get__(owner) if is_slot else _UNKNOWN
    except AttributeError:
        return _UNKNOWN
