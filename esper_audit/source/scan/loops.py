"""Values that a loop gives to attributes: directly, or through the parameter of a method."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from functools import cached_property

from esper_audit.source.attributes import Site
from esper_audit.source.definitions import dotted, walk
from esper_audit.source.project import SourceFile


class Loops:
    """The ``for`` loops of a project."""

    def __init__(self, files: Iterable[SourceFile]) -> None:
        self._files = tuple(files)

    def is_fed(self, site: Site) -> bool:
        """Whether a loop's variable is written, or passed to the method that writes a parameter."""
        if site.value is None:
            return False
        if site.node in self._in_loops and _mentions(site.value, self._in_loops[site.node]):
            return True
        if site.function is None:
            return False
        parameters = {arg.arg for arg in site.function.parameters} - {"self"}
        return _mentions(site.value, parameters) and site.function.name in self._called

    @cached_property
    def _loops(self) -> list[ast.For]:
        return [
            node for file in self._files for node in walk(file.tree) if isinstance(node, ast.For)
        ]

    @cached_property
    def _in_loops(self) -> dict[ast.AST, set[str]]:
        """Attributes and calls in loops, with the names that the loops bind."""
        found: dict[ast.AST, set[str]] = {}
        for loop in self._loops:
            names = _bound(loop)
            for node in walk(loop):
                if isinstance(node, ast.Attribute | ast.Call):
                    found[node] = found.get(node, set()) | names
        return found

    @cached_property
    def _called(self) -> set[str]:
        """Methods that a loop calls with what it counts."""
        return {
            dotted(node.func).rpartition(".")[2]
            for node, names in self._in_loops.items()
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
            if any(
                _mentions(value, names) for value in (*node.args, *(k.value for k in node.keywords))
            )
        }


def _bound(loop: ast.For) -> set[str]:
    """The names of a loop's target, and those that its body makes of them."""
    names = {node.id for node in walk(loop.target) if isinstance(node, ast.Name)}
    for node in walk(loop):
        if isinstance(node, ast.Assign) and _mentions(node.value, names):
            names |= {one.id for one in node.targets if isinstance(one, ast.Name)}
    return names


def _mentions(node: ast.AST, names: set[str]) -> bool:
    return any(isinstance(one, ast.Name) and one.id in names for one in walk(node))
