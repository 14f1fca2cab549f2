"""What class a name has an object of, as the lines around its use tell."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from esper_audit.source.attributes import Site
from esper_audit.source.classes import Classes
from esper_audit.source.definitions import Class, dotted

_DEEPEST = 4


def classes_told(site: Site, classes: Classes) -> set[Class]:
    """Of what an attribute is of: by ``isinstance`` around it, or by what the name is bound to."""
    narrowed = {one for node in _tests(site) for one in _named(node, site, classes)}
    if narrowed or "." in site.receiver or not site.receiver:
        return narrowed
    return _bound(site.receiver, site, classes, 0)


def _tests(site: Site) -> Iterator[ast.expr]:
    """The second arguments of ``isinstance(receiver, …)`` in the tests around the site."""
    for node in ast.walk(site.file.tree):
        if not isinstance(node, ast.If):
            continue
        last = node.body[-1].end_lineno or 0
        if node.body[0].lineno <= site.line <= last:
            for one in ast.walk(node.test):
                match one:
                    case ast.Call(func=ast.Name(id="isinstance"), args=[held, kinds]) if (
                        dotted(held) == site.receiver
                    ):
                        yield kinds


def _named(node: ast.expr, site: Site, classes: Classes) -> Iterator[Class]:
    for one in node.elts if isinstance(node, ast.Tuple) else [node]:
        meant = classes.meaning(one, site.file)
        if isinstance(meant, Class):
            yield meant


def _bound(name: str, site: Site, classes: Classes, depth: int) -> set[Class]:
    """By ``name = Class(…)`` and ``name = torch.compile(…)`` in the same file and function."""
    scope: ast.AST = site.function.node if site.function is not None else site.file.tree
    found: set[Class] = set()
    for node in ast.walk(scope):
        if not isinstance(node, ast.Assign) or depth > _DEEPEST:
            continue
        if not any(isinstance(one, ast.Name) and one.id == name for one in node.targets):
            continue
        value = node.value
        while isinstance(value, ast.Call) and value.args and _is_wrapper(value):
            value = value.args[0]
        if isinstance(value, ast.Call):
            found |= set(_named(value.func, site, classes))
        elif isinstance(value, ast.Name) and value.id != name:
            found |= _bound(value.id, site, classes, depth + 1)
    return found


def _is_wrapper(call: ast.Call) -> bool:
    return dotted(call.func).rpartition(".")[2] in ("compile", "DataParallel", "deepcopy")
