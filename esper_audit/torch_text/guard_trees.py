"""The parts of a guard source, as a tree: what torch's forms of reading a value are of. Pure.

The forms are those of ``_name_template`` in torch/_dynamo/source.py (2.8 to 2.14).
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import lru_cache

SAME = ("___from_numpy", "___as_tensor", "___dict_version", "cast_symbool_to_symint_guardless")
"""Functions that torch wraps around a value: the user knows it without them."""
GET_ITEM = ("dict.__getitem__", "list.__getitem__", "tuple.__getitem__", "___odict_getitem")
GET_ATTRIBUTE = ("object.__getattribute__", "getattr")
_ROOTS = ("L", "G")


@lru_cache(maxsize=4096)
def tree_of(source: str) -> ast.expr | None:
    """The tree of a source or an expression, not to be changed; None for what is none."""
    try:
        return ast.parse(source, mode="eval").body
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        return None


def constant(node: ast.AST) -> object:
    """A key that is written down: a number, a text, None or a tuple of these; else the node."""
    try:
        return ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError):
        return node


def called(node: ast.AST) -> str:
    """What a call calls, as torch writes it; empty for anything but a call of a named function."""
    if not isinstance(node, ast.Call):
        return ""
    function, dotted = node.func, []
    while isinstance(function, ast.Attribute):
        dotted.append(function.attr)
        function = function.value
    return ".".join((function.id, *reversed(dotted))) if isinstance(function, ast.Name) else ""


def key_place(node: ast.AST) -> tuple[ast.expr, int] | None:
    """``list(dict.keys(d))[1]``: the dictionary and the place of the key in it."""
    if isinstance(node, ast.Subscript) and called(node.value) == "list":
        keys = node.value.args[0]  # type: ignore[attr-defined]
        place = constant(node.slice)
        if called(keys) == "dict.keys" and isinstance(place, int):
            return keys.args[0], place
    return None


def class_place(node: ast.AST) -> tuple[ast.expr, int] | None:
    """``type(x)`` and ``x.__class__.__mro__[1]``: the object, and which of its classes."""
    place: object = 0
    if isinstance(node, ast.Subscript) and isinstance(node.value, ast.Attribute):
        if node.value.attr != "__mro__":
            return None
        place, node = constant(node.slice), node.value.value
    if not isinstance(place, int):
        return None
    if called(node) == "type":
        return node.args[0], place  # type: ignore[attr-defined]
    if isinstance(node, ast.Attribute) and node.attr == "__class__":
        return node.value, place
    return None


def attribute_place(node: ast.AST) -> tuple[ast.expr, str] | None:
    """The owner and the name of an attribute, in each of the ways in which torch reads one."""
    if isinstance(node, ast.Attribute):
        return node.value, node.attr
    if isinstance(node, ast.Subscript):
        space, name = node.value, constant(node.slice)
        if called(space) == "dict" and space.args:  # type: ignore[attr-defined]
            space = space.args[0]  # type: ignore[attr-defined]
        if isinstance(space, ast.Attribute) and space.attr == "__dict__" and isinstance(name, str):
            return space.value, name
    if called(node) in GET_ATTRIBUTE:
        owner, name_node = node.args  # type: ignore[attr-defined]
        name = constant(name_node)
        return (owner, name) if isinstance(name, str) else None
    return None


def cell_place(node: ast.AST) -> tuple[ast.expr, int] | None:
    """``f.__closure__[0].cell_contents``: the function, and which of its cells."""
    if isinstance(node, ast.Attribute) and node.attr == "cell_contents":
        cell = node.value
        if isinstance(cell, ast.Subscript) and isinstance(cell.value, ast.Attribute):
            place = constant(cell.slice)
            if cell.value.attr == "__closure__" and isinstance(place, int):
                return cell.value.value, place
    return None


def root(node: ast.AST, name: str) -> str:
    """The variable that ``L['x']`` is, asked for ``L``; empty for anything else."""
    if isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name):
        found = constant(node.slice)
        if node.value.id == name and isinstance(found, str):
            return found
    return ""


def sources_in(node: ast.AST) -> Iterator[ast.expr]:
    """The values that an expression reads, each in full: ``L['x'].size()[0]``."""
    if isinstance(node, ast.expr) and _starts(node) and not _is_compound(node):
        yield node
        return
    for child in ast.iter_child_nodes(node):
        yield from sources_in(child)


def _starts(node: ast.AST) -> bool:
    """Whether a chain of attributes, items and calls begins at a variable of the guarded frame."""
    while True:
        if root(node, "L") or root(node, "G"):
            return True
        if isinstance(node, (ast.Attribute, ast.Subscript)):
            node = node.value
        elif isinstance(node, ast.Call):
            inside = isinstance(node.func, ast.Name) or called(node) in GET_ITEM + GET_ATTRIBUTE
            known = called(node) in (*SAME, *GET_ITEM, *GET_ATTRIBUTE, "type", "dict", "list")
            if inside and not (known and node.args):
                return False
            if called(node) == "dict.keys":
                inside = True
            node = node.args[0] if inside else node.func
        else:
            return False


def _is_compound(node: ast.AST) -> bool:
    """Whether an operator stands in it: then its parts are the sources."""
    return any(isinstance(part, (ast.BinOp, ast.Compare, ast.BoolOp)) for part in ast.walk(node))
