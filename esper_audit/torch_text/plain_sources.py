"""A guard source as a path, without the functions that torch puts around it. Pure."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from esper_audit.torch_text import guard_trees as trees
from esper_audit.torch_text.guard_text import body_of

_NAMESPACE = re.compile(r"\.(?:_modules|_parameters|_buffers|__dict__)\['(\w+)'\]")
_KEY = re.compile(r"list\(dict\.keys\((?P<owner>.+)\)\)\[(?P<number>\d+)\]")


def one_way(source: str) -> str:
    """One of the ways to an attribute: guards on a module read its submodules' dict, on None not.

    ``L['self']._modules['seed']`` and ``L['self'].seed`` are one.
    """
    return _NAMESPACE.sub(r".\1", source)


def key_of(source: str) -> tuple[str, int] | None:
    """``L['d']`` and 1 of ``list(dict.keys(L['d']))[1]``; None of what is no key of a dict."""
    match = _KEY.fullmatch(source)
    return (match["owner"], int(match["number"])) if match else None


def key_owner(source: str) -> str:
    """``L['d']`` of ``list(dict.keys(L['d']))[1]``; empty for what is no key of a dict."""
    found = key_of(source)
    return found[0] if found else ""


def is_inside(source: str, gone: str) -> bool:
    """``self.a.b`` and ``self.a[0]`` are inside ``self.a``; ``self.ab`` is not."""
    return source.startswith(gone) and source[len(gone) : len(gone) + 1] in (".", "[", "(", ")")


def plain_source(source: str) -> str:
    """``___from_numpy(L['x']).size()[0]`` as ``L['x'].size()[0]``; others as they are."""
    tree = trees.tree_of(source)
    if tree is None or not any(isinstance(node, ast.Call) for node in ast.walk(tree)):
        return source
    return ast.unparse(_plain(tree))


def _plain(node: ast.expr) -> ast.expr:
    name, given = trees.called(node), node.args if isinstance(node, ast.Call) else []
    if name in trees.SAME and given:
        return _plain(given[0])
    if name in trees.GET_ITEM and len(given) == 2:
        return ast.Subscript(_plain(given[0]), given[1])
    if name in trees.GET_ATTRIBUTE:
        place = trees.attribute_place(node)
        if place is not None and place[1].isidentifier():
            return ast.Attribute(_plain(place[0]), place[1])
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and not given:
        inside = node.func.value
        if node.func.attr == "item" and trees.called(inside) in trees.SAME:
            return _plain(inside)
        return ast.Call(ast.Attribute(_plain(inside), node.func.attr), [], [])
    if isinstance(node, ast.Attribute):
        return ast.Attribute(_plain(node.value), node.attr)
    return (
        ast.Subscript(_plain(node.value), node.slice) if isinstance(node, ast.Subscript) else node
    )


def sources_of(text: str) -> Iterator[str]:
    """The sources that a guard on an expression reads, each as a path."""
    tree = trees.tree_of(body_of(text))
    for node in trees.sources_in(tree) if tree is not None else ():
        yield plain_source(ast.unparse(node))
