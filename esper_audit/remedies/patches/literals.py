"""What an expression is, as far as it tells by itself."""

from __future__ import annotations

import ast

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
