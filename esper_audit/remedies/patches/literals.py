"""What an expression is, as far as it tells by itself."""

from __future__ import annotations

import ast
from collections.abc import Mapping

from esper_audit.source.definitions import dotted


def last_name(call: ast.Call) -> str:
    """``lerp`` of ``torch.lerp(…)``, and of ``x.mean().lerp(…)``."""
    if isinstance(call.func, ast.Attribute):
        return call.func.attr
    return dotted(call.func).rpartition(".")[2]


def is_in_place(name: str) -> bool:
    """Whether a method of a tensor writes it, by its name."""
    return name.endswith("_") and not name.endswith("__")


def is_none(node: ast.expr) -> bool:
    """Whether it is ``None``."""
    return isinstance(node, ast.Constant) and node.value is None


def is_number_literal(node: ast.expr) -> bool:
    """Whether it is a number, a negative one too."""
    if isinstance(node, ast.UnaryOp):
        node = node.operand
    return isinstance(node, ast.Constant) and isinstance(node.value, int | float)


def goes_out(node: ast.expr, function: str, parents: Mapping[ast.AST, ast.AST]) -> bool:
    """Whether forward returns it by itself or in a collection, or an object keeps it.

    What gets it there expects a number, and one that stays as it is: no view of a buffer.
    """
    held: ast.AST = node
    while isinstance(parents[held], ast.Tuple | ast.List | ast.Dict):
        held = parents[held]
    match parents[held]:
        case ast.Return():
            return held is not node or function in ("forward", "__call__")
        case ast.Yield():
            return True
        case ast.Assign(targets=targets, value=value) if value is held:
            read = {one.attr for one in ast.walk(value) if isinstance(one, ast.Attribute)}
            kept = [one for one in targets if isinstance(one, ast.Attribute | ast.Subscript)]
            return any(not (isinstance(one, ast.Attribute) and one.attr in read) for one in kept)
    return False


def is_returned(node: ast.AST, parents: Mapping[ast.AST, ast.AST]) -> bool:
    """Whether a function returns it, or what is computed of it and of numbers alone."""
    held, parent = node, parents[node]
    while isinstance(parent, ast.BinOp | ast.UnaryOp | ast.Tuple | ast.List | ast.Dict):
        if isinstance(parent, ast.BinOp):
            other = parent.right if parent.left is held else parent.left
            if not is_numeric(other):
                return False
        held, parent = parent, parents[parent]
    return isinstance(parent, ast.Return)


def is_numeric(node: ast.expr) -> bool:
    """Whether it can only be a number: literals, ``math.pi``, ``len(…)``, operations on them."""
    match node:
        case ast.Constant():
            return isinstance(node.value, int | float)
        case ast.UnaryOp():
            return is_numeric(node.operand)
        case ast.BinOp():
            return is_numeric(node.left) and is_numeric(node.right)
        case ast.Call():
            return dotted(node.func) in ("len", "float", "int")
        case ast.Attribute():
            return dotted(node).startswith(("math.", "self.max_", "self.num_", "self.total_"))
        case _:
            return False


_OPERATORS = {
    ast.Eq: "is",
    ast.NotEq: "is_not",
    ast.Gt: "over",
    ast.GtE: "at_least",
    ast.Lt: "under",
    ast.LtE: "at_most",
}
_TURNED = {ast.Gt: ast.Lt, ast.GtE: ast.LtE, ast.Lt: ast.Gt, ast.LtE: ast.GtE}


def question(node: ast.Attribute, parent: ast.AST) -> tuple[ast.expr, str, str] | None:
    """What a branch asks of a number: the expression, a name for the answer, and how to get it.

    Worked example: of ``self.p == 0.0`` these are that comparison, ``_p_is_0`` and
    ``value == 0.0``. None where it is asked more than one comparison with a literal number.
    """
    bare = node.attr.strip("_")
    match parent:
        case ast.Compare(left=left, ops=[operator], comparators=[right]):
            other = right if left is node else left
            kind = type(operator) if left is node else _TURNED.get(type(operator), type(operator))
            if kind in _OPERATORS and is_number_literal(other):
                held = ast.Compare(ast.Name("value"), [kind()], [other])
                name = f"_{bare}_{_OPERATORS[kind]}_{_spelt(ast.unparse(other))}"
                return parent, name, ast.unparse(held)
            return None
        case ast.If(test=test) | ast.IfExp(test=test) if test is node:
            return node, f"_{bare}_is_set", "bool(value)"
        case ast.BoolOp() | ast.UnaryOp(op=ast.Not()):
            return node, f"_{bare}_is_set", "bool(value)"
    return None


def _spelt(number: str) -> str:
    """A number as a part of a name."""
    number = number.removesuffix(".0").replace("-", "minus_")
    return "".join(letter if letter.isalnum() or letter == "_" else "_" for letter in number)
