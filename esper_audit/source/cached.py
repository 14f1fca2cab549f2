"""A cached attribute: what it is made from, and by which function.

Worked example: ``LazyCache.read`` assigns ``torch.tensor(self.value)`` to ``self._cached`` where
that is None. So ``_cached`` is made from ``value``, by ``read``.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from esper_audit.source.attributes import WRITES, writers_of
from esper_audit.source.classes import classes_of
from esper_audit.source.definitions import Class, Function
from esper_audit.source.project import Project


@dataclass(frozen=True, slots=True)
class Cached:
    """A cached attribute of objects of a class, and the attributes that it is made from."""

    made: Class
    attribute: str
    sources: tuple[str, ...] = ()
    function: Function | None = None
    """The one that makes it where it is missing."""


def cached(project: Project, made: Class, attribute: str) -> Cached:
    """What an attribute is made from: those of ``self`` in what is assigned to it.

    The function is the one that reads the attribute as well, after it was constructed.
    """
    line = classes_of(project).line(made)
    sources: dict[str, None] = {}
    makers: list[tuple[bool, Function]] = []
    for site in writers_of(project, made, attribute):
        if site.kind not in WRITES or site.value is None or site.owner not in line:
            continue
        used = [one for one in uses_of_self(site.value, site.function) if one != attribute]
        sources |= dict.fromkeys(used)
        if site.function is not None and not site.in_init and _reads(site.function, attribute):
            makers.append((not used, site.function))
    makers.sort(key=lambda found: found[0])
    return Cached(made, attribute, tuple(sources), makers[0][1] if makers else None)


def _reads(function: Function, attribute: str) -> bool:
    found = (node for node in ast.walk(function.node) if isinstance(node, ast.Attribute))
    names = (node.attr for node in found if isinstance(node.ctx, ast.Load))
    return attribute in names or any(_adds_to(node, attribute) for node in ast.walk(function.node))


def _adds_to(node: ast.AST, attribute: str) -> bool:
    match node:
        case ast.AugAssign(target=ast.Attribute(attr=name)):
            return name == attribute
        case _:
            return False


def uses_of_self(value: ast.expr, function: Function | None = None) -> tuple[str, ...]:
    """The attributes of ``self`` that an expression reads, also through variables of a function."""
    found: dict[str, None] = {}
    seen: set[str] = set()
    waiting: list[ast.expr] = [value]
    while waiting:
        for node in ast.walk(waiting.pop(0)):
            match node:
                case ast.Attribute(value=ast.Name(id="self"), attr=name):
                    found[name] = None
                case ast.Name(id=name, ctx=ast.Load()) if name not in seen and function is not None:
                    seen.add(name)
                    waiting += _values_of(name, function)
    return tuple(found)


def _values_of(variable: str, function: Function) -> Iterator[ast.expr]:
    for node in ast.walk(function.node):
        match node:
            case ast.Assign(targets=targets, value=value):
                if any(isinstance(one, ast.Name) and one.id == variable for one in targets):
                    yield value
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
                if name == variable:
                    yield value
