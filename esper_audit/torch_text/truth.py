"""Whether a guard that is an expression is true of known values. Pure; runs no code of anybody's.

The text may come from any file: nothing but arithmetic, comparisons and a few functions of sympy's
printer is computed (torch/utils/_sympy/printers.py, 2.8 to 2.14), and only with numbers of a
reasonable size.
"""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable
from typing import Any

from esper_audit.torch_text import guard_trees as trees

_LONGEST = 4000
_LARGEST = 1 << 64
_BINARY: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
}
_COMPARED: dict[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}
_CALLED: dict[str, Callable[..., Any]] = {
    "Eq": operator.eq,
    "Ne": operator.ne,
    "Lt": operator.lt,
    "Le": operator.le,
    "Gt": operator.gt,
    "Ge": operator.ge,
    "Max": max,
    "max": max,
    "Min": min,
    "min": min,
    "Mod": operator.mod,
    "PythonMod": operator.mod,
    "FloorDiv": operator.floordiv,
    "CleanDiv": operator.floordiv,
    "IntTrueDiv": operator.truediv,
    "float": float,
    "int": int,
    "abs": abs,
    "math.floor": math.floor,
    "math.ceil": math.ceil,
    "math.trunc": math.trunc,
}


def solved_for(text: str, source: str, value_of: Callable[[str], str]) -> str:
    """The value of a source by an equation, as ``x == 8*y`` where y is known; empty for none."""
    tree = trees.tree_of(text) if len(text) <= _LONGEST else None
    if (
        not isinstance(tree, ast.Compare)
        or len(tree.ops) != 1
        or not isinstance(tree.ops[0], ast.Eq)
    ):
        return ""
    sides = (tree.left, tree.comparators[0])
    for side, other in (sides, sides[::-1]):
        if ast.unparse(side) == source:
            found = _known(other, value_of)
            return "" if found is None else repr(found)
    return ""


class _UnknownError(Exception):
    """A part of the expression has no value that is known."""


def is_true(text: str, value_of: Callable[[str], str]) -> bool | None:
    """Whether the expression holds; None where a value, or what to do with it, is not known.

    ``value_of`` gives the constant that a source has, as Python writes it; empty where unknown.
    """
    if len(text) > _LONGEST:
        return None
    tree = trees.tree_of(text)
    if tree is None:
        return None
    found = _known(tree, value_of)
    return found if isinstance(found, bool) else None


def _known(tree: ast.expr, value_of: Callable[[str], str]) -> Any:
    """The value of an expression; None where it is not known."""
    try:
        return _value(tree, value_of)
    except (_UnknownError, ArithmeticError, TypeError, ValueError, SyntaxError, RecursionError):
        return None


def _value(node: ast.expr, value_of: Callable[[str], str]) -> Any:
    if isinstance(node, ast.Constant):
        return node.value
    if next(iter(trees.sources_in(node)), None) is node:
        return _constant(value_of(ast.unparse(node)))
    if isinstance(node, ast.UnaryOp):
        operand = _value(node.operand, value_of)
        return _small(-operand) if isinstance(node.op, ast.USub) else _negated(node.op, operand)
    if isinstance(node, ast.BinOp) and type(node.op) in _BINARY:
        return _small(
            _BINARY[type(node.op)](_value(node.left, value_of), _value(node.right, value_of))
        )
    if isinstance(node, ast.BoolOp):
        return _joined(node, value_of)
    if isinstance(node, ast.Compare):
        return _compared(node, value_of)
    function = _CALLED.get(trees.called(node))
    if function is not None and isinstance(node, ast.Call) and not node.keywords:
        return _small(function(*(_value(part, value_of) for part in node.args)))
    raise _UnknownError


def _constant(text: str) -> Any:
    if not text:
        raise _UnknownError
    found = ast.literal_eval(text)
    if not isinstance(found, (bool, int, float)):
        raise _UnknownError
    return found


def _small(number: Any) -> Any:
    if not isinstance(number, (bool, int, float)) or abs(number) > _LARGEST:
        raise _UnknownError
    return number


def _negated(sign: ast.unaryop, operand: Any) -> Any:
    if isinstance(sign, ast.Not):
        return not operand
    if isinstance(sign, ast.UAdd):
        return operand
    raise _UnknownError


def _joined(node: ast.BoolOp, value_of: Callable[[str], str]) -> Any:
    ends_at = isinstance(node.op, ast.Or)
    for part in node.values:
        if bool(_value(part, value_of)) is ends_at:
            return ends_at
    return not ends_at


def _compared(node: ast.Compare, value_of: Callable[[str], str]) -> bool:
    left = _value(node.left, value_of)
    for sign, side in zip(node.ops, node.comparators, strict=True):
        right = _value(side, value_of)
        if type(sign) not in _COMPARED:
            raise _UnknownError
        if not _COMPARED[type(sign)](left, right):
            return False
        left = right
    return True
