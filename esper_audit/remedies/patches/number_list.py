"""A list of floats that a module holds, as one buffer: its items are read and written by place."""

from __future__ import annotations

import ast
from collections.abc import Iterator

import libcst as cst

from esper_audit.data.findings import Finding
from esper_audit.data.places import Location
from esper_audit.data.remedies import Edit
from esper_audit.remedies.patches.flows import is_number, leaf_of
from esper_audit.remedies.patches.making import edits_of, import_torch, is_float
from esper_audit.remedies.patches.refused import Refused, Unconcerned
from esper_audit.remedies.patches.syntax import Change, Syntax, dotted
from esper_audit.source.attributes import Site, SiteKind, sites_of
from esper_audit.source.project import Project

_BY_PLACE = ("len", "enumerate", "zip", "sum", "reversed")
_Changes = dict[cst.CSTNode, Change]


def make(finding: Finding, project: Project) -> Iterator[tuple[Edit, ...]]:
    """The list as a buffer; items are assigned in place as before, a new list is copied in."""
    leaf = leaf_of(finding.source)
    if leaf is None or not leaf.attribute or not isinstance(leaf.item, int):
        raise Unconcerned
    if not is_float(finding):
        raise Unconcerned
    name = leaf.attribute
    changed: dict[Syntax, _Changes] = {}
    parsed: dict[str, Syntax] = {}
    made = 0
    for site in sites_of(project, name):
        syntax = parsed.get(site.file.path) or Syntax(site.file)
        parsed[site.file.path] = syntax
        changes = changed.setdefault(syntax, {})
        first, change = _of_site(syntax, site, name)
        made += first
        if change:
            changes |= {**change, **import_torch(project, syntax)}
    if made != 1:
        raise Refused(f"one __init__ that sets {name} to a list of floats", finding.user_line)
    yield edits_of(changed)


def _of_site(syntax: Syntax, site: Site, name: str) -> tuple[bool, _Changes]:
    """Whether it makes the list, and what becomes of its line."""
    place = Location(site.file.path, site.line)
    if site.kind is SiteKind.READ:
        _check_read(syntax, site, place)
        if site.receiver != "self" or site.in_init:
            raise Refused(f"lines that read items of {name} in methods alone", place)
        return False, {}
    if site.kind is SiteKind.IN_PLACE:
        return False, {}
    if site.kind is not SiteKind.WRITE or site.via or not _is_numbers(site.value):
        raise Refused(f"lines that only set {name} to a list of floats", place)
    line = _line_at(syntax, site, place)
    assert line.value is not None
    value = f"torch.tensor({syntax.code(line.value)})"
    if site.in_init and site.receiver == "self":
        text = f'self.register_buffer("{name}", {value}, persistent=False)'
        return True, {line: _instead(text)}
    target = line.targets[0].target if isinstance(line, cst.Assign) else line.target
    return False, {line: _instead(f"{syntax.code(target)}.copy_({value})")}


def _instead(text: str) -> Change:
    return lambda _: cst.Expr(cst.parse_expression(text))


def _is_numbers(value: ast.expr | None) -> bool:
    """A list of literal numbers, at least one of them a float."""
    if not isinstance(value, ast.List | ast.Tuple) or not all(map(is_number, value.elts)):
        return False
    return any("." in ast.unparse(one) or "e" in ast.unparse(one) for one in value.elts)


def _line_at(syntax: Syntax, site: Site, place: Location) -> cst.Assign | cst.AnnAssign:
    lines: list[cst.Assign | cst.AnnAssign] = [*syntax.all(cst.Assign)]
    for one in (*lines, *syntax.all(cst.AnnAssign)):
        several = isinstance(one, cst.Assign) and len(one.targets) > 1
        if syntax.line(one) == site.line and one.value is not None and not several:
            return one
    raise Refused(f"a line that assigns {site.attribute} alone", place)


def _check_read(syntax: Syntax, site: Site, place: Location) -> None:
    """An item, a loop, or what asks for all items in order."""
    for one in syntax.all(cst.Attribute):
        if syntax.line(one) != site.line or one.attr.value != site.attribute:
            continue
        parent = syntax.parent(one)
        call = syntax.parent(parent) if isinstance(parent, cst.Arg) else None
        in_order = isinstance(call, cst.Call) and dotted(call.func) in _BY_PLACE
        if not (in_order or isinstance(parent, cst.Subscript | cst.For | cst.CompFor)):
            raise Refused(f"lines that only read items of {site.attribute}, one by one", place)
