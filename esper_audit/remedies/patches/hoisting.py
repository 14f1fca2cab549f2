"""Something made once, not at each turn or call: moved before a loop or out of a function."""

from __future__ import annotations

import builtins
from collections.abc import Iterator

import libcst as cst

from esper_audit.data.places import Location
from esper_audit.remedies.patches.refused import Refused
from esper_audit.remedies.patches.syntax import Change, Syntax, after, before, names_in

Changes = dict[cst.CSTNode, Change]
_LOOPS = (cst.For, cst.While)


def hoisted(syntax: Syntax, node: cst.BaseExpression, name: str) -> Iterator[Changes]:
    """The ways to make an expression once and read ``name`` instead, the nearest place first."""
    free = free_names(node)
    assigned = _assigned(syntax, node)
    for place in _places(syntax, node, free):
        moved = assigned or name
        line = f"{moved} = {syntax.code(node)}"
        outside = syntax.scope_of(place) is not syntax.scope_of(node)
        if outside and moved in own_bindings(syntax.module):
            moved, line = f"{moved}_once", f"{moved}_once = {syntax.code(node)}"
        yield {**_taken(syntax, node, moved), **_put(syntax, place, free, line)}
    yield from _in_init(syntax, node, free, name)


def _assigned(syntax: Syntax, node: cst.BaseExpression) -> str:
    """The name that it is bound to, where its line does that and no more."""
    assign = syntax.parent(node)
    if not isinstance(assign, cst.Assign) or len(assign.targets) != 1:
        return ""
    target, line = assign.targets[0].target, syntax.statement_of(assign)
    alone = isinstance(line, cst.SimpleStatementLine) and len(line.body) == 1
    if not alone or not isinstance(target, cst.Name):
        return ""
    times = [one for one in _bindings(syntax.scope_of(node)) if one == target.value]
    return target.value if len(times) == 1 else ""


def _taken(syntax: Syntax, node: cst.BaseExpression, name: str) -> Changes:
    """What stands where it was: its name; or nothing, where its line bound just that name."""
    if _assigned(syntax, node) == name:
        return {syntax.statement_of(node): lambda _: cst.RemoveFromParent()}
    return {node: lambda _: cst.Name(name)}


def _places(syntax: Syntax, node: cst.CSTNode, free: set[str]) -> Iterator[cst.BaseStatement]:
    """Statements before which it means the same: the outermost such loop of each scope."""
    loop: cst.BaseStatement | None = None
    stopped, below = False, node
    for around in syntax.around(node):
        decorated, below = isinstance(below, cst.Decorator), around
        if decorated:
            continue
        if isinstance(around, _LOOPS) and not stopped:
            stopped = bool(free & set(_bindings(around)))
            loop = loop if stopped else around
        elif isinstance(around, cst.FunctionDef):
            if loop is not None:
                yield loop
            if free & own_bindings(around):
                return
            loop, stopped = None, False
        elif isinstance(around, cst.Lambda | cst.CompFor | cst.ClassDef) and (
            free & set(_bindings(around))
        ):
            return
        elif isinstance(around, cst.Module):
            if loop is not None:
                yield loop
            elif not isinstance(syntax.scope_of(node), cst.Module):
                yield syntax.top_of(node)


def _put(syntax: Syntax, place: cst.BaseStatement, free: set[str], line: str) -> Changes:
    """The line before a statement, or after what defines its names, where that comes later."""
    block = list(syntax.block_of(place))
    at = block.index(place)
    last = max(
        (index for index, one in enumerate(block) if free & set(_bindings(one, False))), default=-1
    )
    if last > at:
        return {block[last]: after(line)}
    return {place: before(line)}


def _in_init(
    syntax: Syntax, node: cst.BaseExpression, free: set[str], name: str
) -> Iterator[Changes]:
    """Of an expression on ``self`` in a method: an attribute that ``__init__`` makes."""
    function, owner = syntax.scope_of(node), syntax.within(node, cst.ClassDef)
    if not isinstance(function, cst.FunctionDef) or owner is None:
        return
    if free & own_bindings(function) != {"self"} or function.name.value == "__init__":
        return
    init = next(
        (one for one in syntax.all(cst.FunctionDef, owner) if one.name.value == "__init__"), None
    )
    if init is None or not isinstance(init.body, cst.IndentedBlock):
        return
    made = {one for one in map(syntax.code, _targets(init)) if one.startswith("self.")}
    read = {
        one for one in map(syntax.code, syntax.all(cst.Attribute, node)) if one.startswith("self.")
    }
    if read <= made and read:
        last = init.body.body[-1]
        yield {
            node: lambda _: cst.parse_expression(f"self._{name}"),
            last: after(f"self._{name} = {syntax.code(node)}"),
        }


def _is_own(text: str) -> bool:
    return text.startswith("self.")


def _targets(node: cst.CSTNode) -> Iterator[cst.CSTNode]:
    if isinstance(node, cst.AssignTarget):
        yield node.target
    for child in node.children:
        yield from _targets(child)


def free_names(node: cst.CSTNode) -> set[str]:
    """Names that it takes from around it; builtins are left out."""
    own = set(_bindings(node)) | bindings_of(node)
    return {name for name in names_in(node) - own if not hasattr(builtins, name)}


def own_bindings(scope: cst.CSTNode) -> set[str]:
    """Names that a function, with its parameters, or a module binds itself."""
    return set(_bindings(scope))


def _bindings(node: cst.CSTNode, outermost: bool = True) -> Iterator[str]:
    """Each binding of a name in it; of functions and classes inside, their names alone."""
    match node:
        case cst.FunctionDef(name=name) | cst.ClassDef(name=name) if not outermost:
            yield name.value
            return
        case cst.Lambda() if not outermost:
            return
        case cst.Param(name=name):
            yield name.value
            return
        case cst.AssignTarget(target=target) | cst.CompFor(target=target) | cst.For(target=target):
            yield from _bound(target)
        case cst.AugAssign(target=target) | cst.AnnAssign(target=target):
            yield from _bound(target)
        case cst.NamedExpr(target=target) | cst.AsName(name=target):
            yield from _bound(target)
        case cst.ImportAlias(name=name, asname=None):
            while isinstance(name, cst.Attribute):
                name = name.value  # type: ignore[assignment]  # of a dotted import the first
            yield from _bound(name)
    for child in node.children:
        yield from _bindings(child, False)


def _bound(target: cst.CSTNode) -> Iterator[str]:
    if isinstance(target, cst.Name):
        yield target.value
    elif isinstance(target, cst.Tuple | cst.List):
        for element in target.elements:
            yield from _bound(element.value)


def bindings_of(node: cst.CSTNode) -> set[str]:
    """Names that a statement binds in its own scope."""
    return set(_bindings(node, False))


def refuse(syntax: Syntax, node: cst.CSTNode, text: str) -> Refused:
    """That no place outside was found."""
    return Refused(text, Location(syntax.file.path, syntax.line(node)))
