"""Which values of the one source in a condition make it true. Pure.

Worked example: ``(1.0 + ((-1)*L['self'].p)) == 0.8`` is linear in ``L['self'].p``, so it holds for
0.2 alone. The exact solution of what floats compute is 0.19999999999999996. Of the floats that the
condition accepts, the one with the fewest digits is meant.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from math import ceil, floor
from typing import Any

from esper_audit.torch_text.guard_trees import tree_of
from esper_audit.torch_text.relations import FLIPPED, ORDERS

_OPERATORS: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: lambda left, right: left + right,
    ast.Sub: lambda left, right: left - right,
    ast.Mult: lambda left, right: left * right,
    ast.Div: lambda left, right: left / right,
}
_MOST_DIGITS = 17
_ELSEWHERE = (2, 5)
"""Where what is linear from 0 to 1 is looked at again."""


@dataclass(frozen=True, slots=True)
class Solution:
    """What the source is held to: ``0.2``, or ``<= 3``."""

    sign: str
    value: int | float

    def __str__(self) -> str:
        return str(self.value) if self.sign == "==" else f"{self.sign} {self.value}"


def solved(condition: str, source: str, *, whole: bool) -> Solution | None:
    """The values of a source that a condition accepts; None of one that is not linear in it.

    ``whole``: the source is an integer.
    """
    tree = tree_of(condition)
    if not isinstance(tree, ast.Compare) or len(tree.ops) != 1:
        return None
    sign, sides = ORDERS.get(type(tree.ops[0]), ""), (tree.left, tree.comparators[0])
    try:
        bound, slope = _linear(sides, source)
    except (ValueError, ZeroDivisionError, OverflowError):
        return None
    if not sign or bound is None:
        return None
    sign = FLIPPED.get(sign, sign) if slope < 0 else sign
    return _whole(sign, bound) if whole else Solution(sign, _shortest(sides, source, bound))


def _linear(sides: tuple[ast.expr, ast.expr], source: str) -> tuple[Fraction | None, Fraction]:
    """Where both sides are equal, and which way their difference goes there."""

    def difference(at: int) -> Fraction:
        left, right = (_value(side, source, Fraction(at), Fraction) for side in sides)
        return Fraction(left - right)

    start, slope = difference(0), difference(1) - difference(0)
    linear = slope and all(difference(at) == start + at * slope for at in _ELSEWHERE)
    return (-start / slope if linear else None), slope


def _value(node: ast.expr, source: str, at: Any, number: Callable[[Any], Any]) -> Any:
    if ast.unparse(node) == source:
        return at
    if isinstance(node, ast.Constant) and type(node.value) in (int, float):
        return number(node.value)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return -_value(node.operand, source, at, number)
    if isinstance(node, ast.BinOp) and type(node.op) in _OPERATORS:
        operands = (_value(part, source, at, number) for part in (node.left, node.right))
        return _OPERATORS[type(node.op)](*operands)
    raise ValueError(f"not arithmetic: {ast.unparse(node)}")


def _whole(sign: str, bound: Fraction) -> Solution | None:
    """The same for integers, with the bound included."""
    if sign in ("==", "!="):
        return Solution(sign, int(bound)) if bound.denominator == 1 else None
    if sign in ("<", "<="):
        return Solution("<=", ceil(bound) - 1 if sign == "<" else floor(bound))
    return Solution(">=", floor(bound) + 1 if sign == ">" else ceil(bound))


def _shortest(sides: tuple[ast.expr, ast.expr], source: str, bound: Fraction) -> float:
    """The float with the fewest digits for which both sides are equal, computed as floats."""
    for digits in range(1, _MOST_DIGITS + 1):
        value = float(f"{float(bound):.{digits}g}")
        left, right = (_value(side, source, value, float) for side in sides)
        if left == right:
            return value
    return float(bound)
