"""A guard source as a path, without the functions that torch puts around it. Pure."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from esper_audit.torch_text import guard_trees as trees
from esper_audit.torch_text.guard_text import body_of


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
