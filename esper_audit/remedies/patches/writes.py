"""A line that binds a number to an attribute, written so that it fills the attribute's tensor."""

from __future__ import annotations

import ast

from esper_audit.data.places import Location
from esper_audit.remedies.patches.literals import is_none
from esper_audit.remedies.patches.refused import Refused
from esper_audit.remedies.patches.rewrite import Rewrite, statement_of
from esper_audit.source.attributes import Site
from esper_audit.source.definitions import dotted

_IN_PLACE = {ast.Add: "add_", ast.Sub: "sub_", ast.Mult: "mul_", ast.Div: "div_"}


def in_place(
    rewrite: Rewrite, site: Site, tensor: str, *, whole: bool = False, traced: bool = False
) -> ast.expr | None:
    """``m.a = v`` becomes ``m.a.fill_(v)``, ``m.a = m.a + v`` becomes ``m.a.add_(v)``.

    ``tensor`` is the name of the attribute that holds the tensor, ``whole`` says that it is of
    integers. In ``traced`` code, what is computed from the attribute is a tensor, and copied.
    Returns the read that went with the line; raises Refused where the line is of another form.
    """
    line = statement_of(site.node, rewrite.parents)
    at = Location(site.file.path, site.line)
    if not isinstance(site.node, ast.Attribute):
        raise Refused(f"{site.via or 'a call'} writes it by its name", at)
    check_number(site)
    went: ast.expr | None = None
    match line:
        case ast.Assign(targets=[ast.Attribute() as node], value=value) if node is site.node:
            method, value, went = _method(value, site.attribute, traced)
        case ast.AnnAssign(target=node, value=ast.expr() as value) if node is site.node:
            method, value, went = _method(value, site.attribute, traced)
        case ast.AugAssign(op=operator, value=value) if type(operator) in _IN_PLACE:
            method = _IN_PLACE[type(operator)]
        case _:
            raise Refused("a line writes it together with something else", at)
    if whole and method == "div_":
        raise Refused("it is divided in place", at)
    target = f"{rewrite.text(site.node.value)}.{tensor}"
    rewrite.around(line, value, f"{target}.{method}(", ")")
    return went


def check_number(site: Site) -> None:
    """Raise Refused where what a line writes can be no number: a tensor of one can't hold it."""
    value = site.value
    if value is None:
        return
    at = Location(site.file.path, site.line)
    if is_no_number(value):
        raise Refused(f"a line writes {ast.unparse(value)}, not a number", at)
    if site.in_init and _may_be_none(value, site):
        raise Refused(f"a line writes {ast.unparse(value)}, which may be None", at)


def is_no_number(value: ast.expr) -> bool:
    """Whether it is None, a text, a collection or a parameter of a module, on any branch."""
    match value:
        case ast.Constant(value=held):
            return not isinstance(held, int | float)
        case ast.IfExp(body=body, orelse=other):
            return is_no_number(body) or is_no_number(other)
        case ast.Tuple() | ast.List() | ast.Dict() | ast.Set() | ast.JoinedStr() | ast.Lambda():
            return True
        case ast.Call(func=made):
            return dotted(made).rpartition(".")[2] == "Parameter"
    return False


def _may_be_none(value: ast.expr, site: Site) -> bool:
    """Whether it is an argument whose default is None."""
    if not isinstance(value, ast.Name) or site.function is None:
        return False
    given = site.function.node.args
    named = [*given.posonlyargs, *given.args]
    last = zip(reversed(named), reversed(given.defaults), strict=False)
    defaults = [*last, *zip(given.kwonlyargs, given.kw_defaults, strict=True)]
    return any(
        one.arg == value.id and default is not None and is_none(default)
        for one, default in defaults
    )


def _method(value: ast.expr, name: str, traced: bool) -> tuple[str, ast.expr, ast.expr | None]:
    """How to write it, what is passed, and the read of it that goes."""
    if isinstance(value, ast.BinOp) and type(value.op) in _IN_PLACE:
        is_own = isinstance(value.left, ast.Attribute) and value.left.attr == name
        if is_own and not _reads(value.right, name):
            return _IN_PLACE[type(value.op)], value.right, value.left
    return ("copy_" if traced and _reads(value, name) else "fill_"), value, None


def _reads(node: ast.expr, name: str) -> bool:
    return any(isinstance(one, ast.Attribute) and one.attr == name for one in ast.walk(node))
