"""Sources of guards, evaluated without a change to what they read.

Torch reads an item only of an object that has passed the guards on its type. We hold all guards
against a value that failed some: there, ``L['q'][0]`` of a ``defaultdict`` would make the item.
"""

from __future__ import annotations

import ast
from functools import lru_cache
from types import CodeType
from typing import Any

ITEM = "___esper_audit_item"
"""What :func:`item_of` is called in what is compiled."""


@lru_cache(maxsize=4096)
def compiled(source: str) -> CodeType:
    """The source, to be evaluated with ``ITEM`` among its globals; raises SyntaxError."""
    tree = _Careful().visit(ast.parse(source, "<guard source>", "eval"))
    return compile(ast.fix_missing_locations(tree), "<guard source>", "eval")


def item_of(holder: Any, key: Any) -> Any:
    """``holder[key]``; raises KeyError where a dict would make the item that it lacks."""
    makes = isinstance(holder, dict) and hasattr(type(holder), "__missing__")
    if makes and not dict.__contains__(holder, key):
        raise KeyError(key)
    return holder[key]


class _Careful(ast.NodeTransformer):
    def visit_Subscript(self, node: ast.Subscript) -> ast.expr:
        self.generic_visit(node)
        if isinstance(node.slice, ast.Slice) or isinstance(node.value, ast.Name):
            return node  # a slice makes nothing, and L and G are plain dictionaries
        return ast.Call(ast.Name(ITEM, ast.Load()), [node.value, node.slice], [])
