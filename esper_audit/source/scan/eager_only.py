"""Lines that compiled code never runs: ``if not torch.compiler.is_compiling():``."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from esper_audit.source.definitions import Function, walk

_WORDS = ("compiling", "is_scripting", "is_tracing", "is_exporting")


def eager_lines(function: Function) -> set[int]:
    """The lines of the branches that are taken outside of compiled code alone."""
    found: set[int] = set()
    for node in walk(function.node):
        if isinstance(node, ast.If) and _asks(node.test):
            for one in node.body if _is_denied(node.test) else node.orelse:
                found.update(range(one.lineno, (one.end_lineno or one.lineno) + 1))
    return found


def _asks(test: ast.expr) -> bool:
    return any(word in name for name in _names(test) for word in _WORDS)


def _names(node: ast.expr) -> Iterator[str]:
    for one in walk(node):
        if isinstance(one, ast.Name):
            yield one.id
        elif isinstance(one, ast.Attribute):
            yield one.attr


def _is_denied(test: ast.expr) -> bool:
    """``not compiling``, or ``not compiling and more``."""
    if isinstance(test, ast.BoolOp) and isinstance(test.op, ast.And):
        return any(_asks(part) and _is_denied(part) for part in test.values)
    return isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not)
