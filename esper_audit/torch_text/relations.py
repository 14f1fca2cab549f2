"""Guards that are expressions, split into what varies and what it is held to.

Torch writes those on sizes, and on two sources that are one object, as Python
(``produce_guards_verbose`` of torch/fx/experimental/symbolic_shapes.py, 2.8 to 2.14).
Worked example: ``2 <= L['x'].size()[0] <= 15`` is ``L['x'].size()[0]``, held to "2 to 15".
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass

_AS_TENSOR = re.compile(r"___as_tensor\((.+?)\)\.item\(\)")
ONE_TENSOR, SEPARATE_TENSORS = "one tensor", "different tensors"
"""What inputs are that alias, and what they are else."""

ORDERS: dict[type[ast.cmpop], str] = {
    ast.Eq: "==",
    ast.NotEq: "!=",
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
}
"""Python's comparisons of values, as they are written."""

_SYMBOLS: dict[type[ast.cmpop], str] = {**ORDERS, ast.Is: "is", ast.IsNot: "is not"}
FLIPPED = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}
_CALLS = {"Eq": "==", "Ne": "!=", "Lt": "<", "Le": "<=", "Gt": ">", "Ge": ">="}
"""Sympy's names, as torch prints what its printer has no sign for."""


def aliases(source: str) -> tuple[str, ...]:
    """The two sources of ``x is y``; none where it is no such relation."""
    try:
        tree = ast.parse(source, mode="eval").body
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        return ()
    parts = _two_sides(tree)
    return (parts[0], parts[2]) if parts is not None and parts[1] == "is" else ()


@dataclass(frozen=True, slots=True)
class Expression:
    """A guard, split: ``source`` is what varies, ``expected`` what it is held to.

    Of a relation between two sources, ``sides`` are these, ``operator`` is how they are compared,
    and ``source`` is the whole.
    """

    source: str
    expected: str = "True"
    operator: str = ""
    sides: tuple[str, ...] = ()

    @property
    def compares_identity(self) -> bool:
        """Whether it says that two sources are one object, or are not."""
        return self.operator in ("is", "is not")


def split_expression(text: str) -> Expression:
    """``L['self'].alpha == 0.5`` as its two sides; the whole with "True" where it has not two."""
    text = _AS_TENSOR.sub(r"\1", text)  # 2.8 writes floats so
    try:
        tree = ast.parse(text, mode="eval").body
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        return Expression(text)
    if isinstance(tree, ast.Compare) and len(tree.ops) == 2:
        return _range(tree) or Expression(text)
    parts = _two_sides(tree)
    return Expression(text) if parts is None else _split(text, *parts)


def _two_sides(tree: ast.expr) -> tuple[str, str, str] | None:
    """Left side, operator, right side; None of what is no comparison of two."""
    if isinstance(tree, ast.Compare) and len(tree.ops) == 1:
        symbol = _SYMBOLS.get(type(tree.ops[0]))
        left, right = tree.left, tree.comparators[0]
    elif isinstance(tree, ast.Call) and isinstance(tree.func, ast.Name) and len(tree.args) == 2:
        symbol = _CALLS.get(tree.func.id)
        left, right = tree.args
    else:
        return None
    return (ast.unparse(left), symbol, ast.unparse(right)) if symbol is not None else None


def _split(text: str, left: str, operator: str, right: str) -> Expression:
    if _varies(left) and _varies(right):
        return Expression(f"{left} {operator} {right}", "True", operator, (left, right))
    if _varies(left):
        return Expression(left, _bound(operator, right))
    if _varies(right):
        return Expression(right, _bound(FLIPPED.get(operator, operator), left))
    return Expression(text)


def _bound(operator: str, value: str) -> str:
    return value if operator in ("==", "is") else f"{operator} {value}"


def _range(tree: ast.Compare) -> Expression | None:
    """``2 <= x <= 15``; None of anything else that has three parts."""
    low, high = _limit(tree.left, tree.ops[0]), _limit(tree.comparators[1], tree.ops[1])
    if low is None or high is None:
        return None
    least = low + 1 if isinstance(tree.ops[0], ast.Lt) else low
    most = high - 1 if isinstance(tree.ops[1], ast.Lt) else high
    return Expression(ast.unparse(tree.comparators[0]), f"{least} to {most}")


def _limit(node: ast.expr, operator: ast.cmpop) -> int | None:
    if not isinstance(operator, (ast.Lt, ast.LtE)):
        return None
    try:
        value = ast.literal_eval(node)
    except (ValueError, SyntaxError):
        return None
    return value if type(value) is int else None


def _varies(side: str) -> bool:
    return "L[" in side or "G[" in side or "___" in side
