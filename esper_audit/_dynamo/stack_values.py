"""What made a value that a graph break left on the stack.

After a break the rest of a function runs as a function of its own. It takes what was on the stack
as ``___stack0``, ``___stack1`` … (torch/_dynamo/resume_execution.py, 2.8 to 2.14). Its code is that
of the original behind a prologue that loads these and jumps to where the original goes on::

    LOAD_FAST ___stack0            a slot of the stack, and one for each PUSH_NULL
    LOAD_FAST ___stack1
    JUMP_FORWARD  ------+
    … the original …    |          at the target two slots are in use; the instruction that wrote
    BINARY_OP   <-------+          the upper one is CALL, and its place in the file is ``foo(y)``
"""

from __future__ import annotations

import ast
import dis
import linecache
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from types import CodeType
from typing import Any

from esper_audit._dynamo import names

_LONGEST = 60
_ONLY_TAKE = ("POP_", "STORE_", "DELETE_", "JUMP", "NOP", "RESUME", "PRECALL", "KW_NAMES", "RETURN")
_PUSH_TWO = ("LOAD_METHOD", "LOAD_ATTR", "LOAD_GLOBAL")
_PLAIN = (ast.Name, ast.Attribute, ast.Subscript, ast.Constant)
_HIDDEN = ("CACHE", "EXTENDED_ARG")
_Range = tuple[int, int, int, int]


@dataclass(frozen=True, slots=True)
class Made:
    """The code that made a value, and its line. ``is_result``: it is more than a name."""

    text: str
    line: int
    is_result: bool


@lru_cache(maxsize=256)
def made_by(code: CodeType, name: str) -> Made | None:
    """What made this value on the stack of a function that goes on after a break; None: unknown."""
    try:
        return _made_by(code, name)
    except Exception:  # code of a form that this does not know
        return None


def _made_by(code: CodeType, name: str) -> Made | None:
    cache = names.find("resume_functions")
    metadata = cache.get(code) if cache is not None else None
    if metadata is None:
        return None
    original = [made for made in metadata.instructions if made.opname not in _HIDDEN]
    copied = [made for made in dis.get_instructions(code) if made.opname not in _HIDDEN]
    prologue, first = copied[: -len(original)], copied[-len(original)].offset
    jump = next(made for made in reversed(prologue) if _jumps_to(made, first))
    place = next(at for at, made in enumerate(copied) if made.offset == jump.argval)
    target = place - len(prologue)
    below_top = _below_top(prologue, name)
    depths = _depths(original)
    at = _writer(original, depths, target, depths[target] - 1 - below_top)
    if at is None:
        return None
    return _made(code.co_filename, original[at], original[target - 1])


def _jumps_to(made: dis.Instruction, first: int) -> bool:
    return "JUMP" in made.opname and isinstance(made.argval, int) and made.argval >= first


def _below_top(prologue: Sequence[dis.Instruction], name: str) -> int:
    """How many slots of the stack lie above this one when the original goes on."""
    slots: list[str] = []
    for made, after in pairwise(prologue):
        if made.opname == "PUSH_NULL" and after.opname != "SWAP":
            slots.append("")
        elif made.opname.startswith("LOAD_FAST") and str(made.argval).startswith("___stack"):
            slots.append(str(made.argval))
    return len(slots) - 1 - slots.index(name)


def _depths(original: Sequence[Any]) -> dict[int, int]:
    """How many slots are in use before each instruction that is reached without an exception."""
    place = {id(made): at for at, made in enumerate(original)}
    found, waiting = {0: 0}, [0]
    while waiting:
        at = waiting.pop()
        made, depth = original[at], found[at]
        given = made.arg if made.opcode >= dis.HAVE_ARGUMENT else None
        followers = []
        if made.target is not None:
            followers.append((place[id(made.target)], True))
        if not made.opname.startswith(("RETURN", "RAISE", "RERAISE", "JUMP_FORWARD", "JUMP_BACK")):
            followers.append((at + 1, False))
        for after, jumps in followers:
            if after < len(original) and after not in found:
                found[after] = depth + dis.stack_effect(made.opcode, given, jump=jumps)
                waiting.append(after)
    return found


def _writer(original: Sequence[Any], depths: dict[int, int], target: int, slot: int) -> int | None:
    """The instruction before the target that wrote this slot last."""
    for at in range(target - 1, -1, -1):
        name = original[at].opname
        if at not in depths or at + 1 not in depths or name.startswith(_ONLY_TAKE):
            continue
        before, after = depths[at], depths[at + 1]
        if name.startswith(("SWAP", "COPY", "UNPACK", "FOR_ITER", "SEND", "BEFORE_WITH")):
            if min(before, after) - 1 <= slot + (original[at].arg or 0):
                return None
            continue
        if after == slot + 1 or (name in _PUSH_TWO and before <= slot < after):
            return at
    return None


def _made(file: str, writer: Any, broken: Any) -> Made | None:
    own, broken_range = _range(writer), _range(broken)
    chain = _chain(file, own) if own is not None else []
    if not chain or own is None:
        return None
    node = chain[-1]
    for parent in reversed(chain[:-1]):  # one of two branches made it
        branches = isinstance(parent, (ast.IfExp, ast.BoolOp))
        if branches and not (broken_range and _contains(_range_of(parent), broken_range)):
            node = parent
    text = _short(node)
    if writer.opname == "GET_ITER":
        return Made(f"iter({text})", own[0], False)
    return Made(text, own[0], not isinstance(node, _PLAIN))


def _range(made: Any) -> _Range | None:
    positions = made.positions
    found = tuple(positions) if positions is not None else ()
    return found if len(found) == 4 and None not in found else None


def _range_of(node: ast.AST) -> _Range:
    found = (getattr(node, name) for name in ("lineno", "end_lineno", "col_offset"))
    return (*found, node.end_col_offset)  # type: ignore[attr-defined]


def _contains(outer: _Range, inner: _Range) -> bool:
    return (outer[0], outer[2]) <= (inner[0], inner[2]) and (inner[1], inner[3]) <= (
        outer[1],
        outer[3],
    )


def _chain(file: str, wanted: _Range) -> list[ast.expr]:
    """The expressions from the outermost to the one at this range; empty where none is there."""
    found: list[ast.expr] = []
    node: ast.AST | None = _tree(file)
    while node is not None:
        if isinstance(node, ast.expr):
            found.append(node)
            if _range_of(node) == wanted:
                return found
        children = ast.iter_child_nodes(node)
        node = next((child for child in children if _reaches(child, wanted)), None)
    return []


def _reaches(node: ast.AST, wanted: _Range) -> bool:
    if hasattr(node, "lineno"):
        return _contains(_range_of(node), wanted)
    return any(_reaches(child, wanted) for child in ast.iter_child_nodes(node))


@lru_cache(maxsize=8)
def _tree(file: str) -> ast.Module:
    return ast.parse("".join(linecache.getlines(file)))


def _short(node: ast.expr) -> str:
    text = ast.unparse(node)
    if len(text) > _LONGEST and isinstance(node, ast.Call):
        return f"{ast.unparse(node.func)}(…)"
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
