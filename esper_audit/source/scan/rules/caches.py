"""A cache that forward fills: the first call compiles with the empty one, the second without."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from esper_audit.data.diagnoses import Diagnosis
from esper_audit.data.scans import Pattern, ScanFinding
from esper_audit.source.attributes import Site, SiteKind, sites_in
from esper_audit.source.definitions import Class, Function, dotted
from esper_audit.source.reach import within
from esper_audit.source.scan.context import Context
from esper_audit.source.values import ValueKind, kinds_of


def find(context: Context) -> Iterator[ScanFinding]:
    """Tests of what an attribute holds, with a write of it in the branch."""
    for function in context.functions:
        if function.owner is not None and context.classes.is_module(function.owner):
            yield from _in_function(context, function, function.owner)


def _in_function(context: Context, function: Function, made: Class) -> Iterator[ScanFinding]:
    sites = [
        site
        for site in sites_in(function.file, context.classes)
        if site.function is function and not context.is_eager(site)
    ]
    told: set[str] = set()
    names = _aliases(function)
    for test, body in _branches(function):
        for name, id_ in _tested(test, names).items():
            written = next((site for site in sites if _fills(site, name, body)), None)
            if written is None or name in told or not _is_cache(context, made, name, id_):
                continue
            told.add(name)
            held = context.held(made, name)
            yield context.finding(
                id_,
                Pattern.CACHE_IN_FORWARD,
                function.file,
                written.node,  # type: ignore[arg-type]  # an expression, as of all sites
                function,
                made=made,
                subject=f"self.{name}",
                later=held.later,
            )


def _branches(function: Function) -> Iterator[tuple[ast.expr, list[ast.stmt]]]:
    """Each test with the statements that run where it holds, or the rest of them if it returns."""
    for node in within(function.node):
        if isinstance(node, ast.If):
            yield node.test, node.body
            if node.orelse:
                yield node.test, node.orelse
            elif isinstance(node.body[-1], ast.Return):
                yield node.test, _after(function, node)


def _after(function: Function, node: ast.If) -> list[ast.stmt]:
    body = function.node.body
    return body[body.index(node) + 1 :] if node in body else []


def _aliases(function: Function) -> dict[str, tuple[ast.expr, Diagnosis]]:
    """Variables that are an attribute of self, or an item that was looked up in it."""
    found: dict[str, tuple[ast.expr, Diagnosis]] = {}
    for node in within(function.node):
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.Attribute() as held):
                found[name] = held, Diagnosis.LAZY_CACHE
            case ast.Assign(
                targets=[ast.Name(id=name)],
                value=ast.Call(func=ast.Attribute(value=ast.Attribute() as held, attr="get")),
            ):
                found[name] = held, Diagnosis.CONTAINER_CHANGED
    return found


def _tested(test: ast.expr, names: dict[str, tuple[ast.expr, Diagnosis]]) -> dict[str, Diagnosis]:
    """Attributes of self whose presence or content a test asks for, with what a change does."""
    found: dict[str, Diagnosis] = {}
    for node in ast.walk(test):
        match node:
            case ast.Compare(left=left, ops=[ast.Is() | ast.IsNot()], comparators=[right]):
                if isinstance(right, ast.Constant) and right.value is None:
                    _note(found, *names.get(dotted(left), (left, Diagnosis.LAZY_CACHE)))
            case ast.Compare(ops=[ast.In() | ast.NotIn()], comparators=[held]):
                _note(found, held, Diagnosis.CONTAINER_CHANGED)
            case ast.UnaryOp(op=ast.Not(), operand=held):
                _note(found, held, Diagnosis.LAZY_CACHE)
            case ast.Call(func=ast.Name(id="hasattr" | "getattr"), args=[owner, name, *_]):
                if dotted(owner) == "self" and isinstance(name, ast.Constant):
                    found.setdefault(str(name.value), Diagnosis.ATTRIBUTE_PRESENCE)
    return found


def _note(found: dict[str, Diagnosis], node: ast.expr, id_: Diagnosis) -> None:
    name = dotted(node)
    if name.startswith("self.") and name.count(".") == 1:
        found.setdefault(name.removeprefix("self."), id_)


def _fills(site: Site, name: str, body: list[ast.stmt]) -> bool:
    """Whether a site binds the attribute, or an item of it, in these statements."""
    binds = site.kind is SiteKind.WRITE or (site.kind is SiteKind.IN_PLACE and site.via == "[]")
    if not binds or site.attribute != name or site.receiver != "self":
        return False
    lines = [(node.lineno, node.end_lineno or node.lineno) for node in body]
    return any(first <= site.line <= last for first, last in lines)


def _is_cache(context: Context, made: Class, name: str, id_: Diagnosis) -> bool:
    """Whether what is written is no module, and no text: those are set up once, in eager code."""
    held = context.held(made, name)
    inside = [site for site in held.later if site.function in context.functions]
    kinds = frozenset().union(*(kinds_of(site.value, site.function) for site in inside))
    if id_ is Diagnosis.CONTAINER_CHANGED:
        return any(site.via == "[]" for site in inside)
    wanted = {ValueKind.TENSOR, ValueKind.UNKNOWN, ValueKind.CONTAINER}
    if id_ is Diagnosis.LAZY_CACHE:
        empty = any(_is_empty(site) for site in held.sites)
        return empty and bool(kinds & wanted)
    return bool(inside)


def _is_empty(site: Site) -> bool:
    return isinstance(site.value, ast.Constant) and site.value.value is None
