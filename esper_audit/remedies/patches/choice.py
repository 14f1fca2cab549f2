"""A choice between two values as ``torch.where``: both are computed, and no branch is traced.

A bool attribute that decides becomes a buffer that its writers fill. Where a tensor decides, the
graph no longer breaks there.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

import libcst as cst

from esper_audit.data.diagnoses import Diagnosis
from esper_audit.data.findings import Finding
from esper_audit.data.places import Location
from esper_audit.data.remedies import Edit
from esper_audit.remedies.patches.calls import function_of
from esper_audit.remedies.patches.flows import leaf_of
from esper_audit.remedies.patches.making import edits_of, import_torch, syntax_at
from esper_audit.remedies.patches.refused import Refused
from esper_audit.remedies.patches.syntax import Change, Syntax, dotted
from esper_audit.remedies.patches.writes import is_no_number
from esper_audit.source.attributes import Site, SiteKind, sites_of
from esper_audit.source.project import Project

_Changes = dict[cst.CSTNode, Change]


@dataclass(frozen=True)
class _Choice:
    """A test, and what is taken where it holds and where it does not."""

    test: cst.BaseExpression
    yes: cst.BaseExpression
    no: cst.BaseExpression
    changes: _Changes


def make(finding: Finding, project: Project) -> Iterator[tuple[Edit, ...]]:
    """Each choice that the flag or the tensor decides."""
    syntax, function = _function(finding, project)
    place = Location(syntax.file.path, syntax.line(function))
    choices = [*_choices(syntax, function)]
    if finding.id is Diagnosis.GRAPH_BREAK:
        line = finding.user_line.line if finding.user_line is not None else 0
        choices = [one for one in choices if syntax.covers(one.test, line)]
        flag = ""
    else:
        flag = _flag(finding, choices)
        choices = [one for one in choices if _deciding(one.test) == flag]
    if not choices:
        raise Refused("a choice between two values that nothing else depends on", place)
    changed: dict[Syntax, _Changes] = {syntax: dict(import_torch(project, syntax))}
    for one in choices:
        changed[syntax] |= one.changes
    if flag:
        _as_buffer(project, flag, syntax, changed)
    yield edits_of(changed)


def _function(finding: Finding, project: Project) -> tuple[Syntax, cst.FunctionDef]:
    if finding.user_line is not None:
        syntax = syntax_at(project, finding.user_line, "the line that branches")
        function = syntax.function_at(finding.user_line.line)
    else:
        place = Location(finding.frame.file, finding.frame.line)
        syntax = syntax_at(project, place, "the function that branches")
        node = function_of(project, finding.frame)
        line = node.lineno if node is not None else 0
        found = [one for one in syntax.all(cst.FunctionDef) if syntax.line(one.name) == line]
        function = found[0] if found else None
    if function is None:
        raise Refused("a function that branches", finding.user_line)
    return syntax, function


# --- the choices of a function ---


def _choices(syntax: Syntax, function: cst.FunctionDef) -> Iterator[_Choice]:
    for one in syntax.all(cst.IfExp, function):
        choice = _choice(one.test, one.body, one.orelse)
        if choice is not None:
            yield _Choice(*choice, {one: _put(_where(syntax, choice))})
    if isinstance(function.body, cst.IndentedBlock):
        body = [one for one in function.body.body if isinstance(one, cst.BaseStatement)]
        for at, statement in enumerate(body):
            if isinstance(statement, cst.If):
                yield from _early(syntax, statement, body[at + 1 :])


def _early(syntax: Syntax, early: cst.If, rest: list[cst.BaseStatement]) -> Iterator[_Choice]:
    """``if T: return A``, then lines that change nothing else, then the only ``return B``."""
    first = _returned(early.body)
    if first is None or early.orelse is not None or not rest:
        return
    last = rest[-1]
    if not isinstance(last, cst.SimpleStatementLine) or not isinstance(last.body[0], cst.Return):
        return
    value = last.body[0].value
    choice = _choice(early.test, first, value) if value is not None else None
    if choice is None or any(_has_effects(one) for one in rest[:-1]):
        return
    if any(syntax.all(cst.Return, one) for one in rest[:-1]):
        return
    assert value is not None
    where = _put(_where(syntax, choice))
    yield _Choice(*choice, {early: lambda _: cst.RemoveFromParent(), value: where})


def _put(made: cst.BaseExpression) -> Change:
    return lambda _: made


def _returned(block: cst.BaseSuite) -> cst.BaseExpression | None:
    lines = list(block.body)
    if len(lines) != 1:
        return None
    line = lines[0].body[0] if isinstance(lines[0], cst.SimpleStatementLine) else lines[0]
    return line.value if isinstance(line, cst.Return) else None


_Parts = tuple[cst.BaseExpression, cst.BaseExpression, cst.BaseExpression]


def _choice(
    test: cst.BaseExpression, yes: cst.BaseExpression, no: cst.BaseExpression
) -> _Parts | None:
    """Its parts, without a ``not``; None where a tensor can't decide, or a side does more."""
    if isinstance(test, cst.UnaryOperation) and isinstance(test.operator, cst.Not):
        return _choice(test.expression, no, yes)
    if isinstance(test, cst.Comparison):
        operators = [one.operator for one in test.comparisons]
        if len(operators) > 1 or isinstance(operators[0], cst.Is | cst.IsNot | cst.In | cst.NotIn):
            return None
    elif not isinstance(test, cst.Attribute | cst.Call | cst.Name):
        return None
    return (test, yes, no) if not (_calls_in_place(yes) or _calls_in_place(no)) else None


def _where(syntax: Syntax, parts: _Parts) -> cst.BaseExpression:
    texts = ", ".join(syntax.code(part) for part in parts)
    return cst.parse_expression(f"torch.where({texts})")


def _has_effects(statement: cst.BaseStatement) -> bool:
    """Whether a line changes more than local names."""
    if not isinstance(statement, cst.SimpleStatementLine):
        return True
    for line in statement.body:
        targets = list(line.targets) if isinstance(line, cst.Assign) else []
        if not isinstance(line, cst.Assign) and not _is_docstring(line):
            return True
        if any(not isinstance(one.target, cst.Name | cst.Tuple) for one in targets):
            return True
    return _calls_in_place(statement)


def _is_docstring(line: cst.BaseSmallStatement) -> bool:
    return isinstance(line, cst.Expr) and isinstance(line.value, cst.SimpleString)


def _calls_in_place(node: cst.CSTNode) -> bool:
    if isinstance(node, cst.NamedExpr | cst.Yield | cst.Await):
        return True
    if isinstance(node, cst.Call):
        name = node.func.attr.value if isinstance(node.func, cst.Attribute) else ""
        if (name.endswith("_") and not name.endswith("__")) or dotted(node.func) == "print":
            return True
    return any(map(_calls_in_place, node.children))


# --- the flag ---


def _deciding(test: cst.BaseExpression) -> str:
    """``active`` of ``self.active``; empty for any other test."""
    name = dotted(test)
    return name.removeprefix("self.") if name.startswith("self.") and name.count(".") == 1 else ""


def _flag(finding: Finding, choices: list[_Choice]) -> str:
    if finding.id is Diagnosis.FLAG_CHANGED:
        leaf = leaf_of(finding.source)
        if leaf is None or not leaf.attribute or {finding.expected, finding.actual} - _BOOLS:
            raise Refused("an attribute that is True or False", finding.user_line)
        return leaf.attribute
    names = {_deciding(one.test) for one in choices} - {""}
    if len(names) != 1:
        raise Refused("one attribute that decides", finding.user_line)
    return names.pop()


_BOOLS = {"True", "False"}


def _as_buffer(
    project: Project, flag: str, syntax: Syntax, changed: dict[Syntax, _Changes]
) -> None:
    """``self.flag = False`` in ``__init__`` makes a buffer; each other writer fills it."""
    parsed = {syntax.file.path: syntax}
    made = 0
    for site in sites_of(project, flag):
        path = site.file.path
        place = Location(path, site.line)
        known = parsed.get(path) or parsed.setdefault(path, Syntax(site.file))
        if site.kind is SiteKind.READ:
            _check_read(known, site, place)
            continue
        if site.kind is not SiteKind.WRITE or site.via:
            raise Refused(f"lines that only assign {flag}", place)
        line = _assign_at(known, site, place)
        changes = changed.setdefault(known, {})
        if site.in_init and site.receiver == "self":
            made += 1
            if not _is_bool(site.value):
                raise Refused(f"an __init__ that sets {flag} to True or False", place)
            changes[line] = _buffered(known, flag, line)
            changes |= import_torch(project, known)
        else:
            if site.value is not None and is_no_number(site.value):
                raise Refused(f"lines that assign {flag} True or False", place)
            changes[line] = _filled(known, line)
    if made != 1:
        raise Refused(f"one __init__ that sets {flag}")


def _check_read(syntax: Syntax, site: Site, place: Location) -> None:
    """A tensor may be asked for its truth, but is not True itself."""
    for one in syntax.all(cst.Attribute):
        is_it = syntax.line(one) == site.line and one.attr.value == site.attribute
        if is_it and not _is_asked(syntax, one):
            raise Refused(f"lines that only ask whether {site.attribute} is true", place)


def _is_asked(syntax: Syntax, node: cst.CSTNode) -> bool:
    """Whether nothing but its truth is used: a test, or ``not`` of it."""
    parent = syntax.parent(node)
    while isinstance(parent, cst.BooleanOperation):
        node, parent = parent, syntax.parent(parent)
    match parent:
        case cst.If(test=test) | cst.While(test=test) | cst.IfExp(test=test):
            return test is node
        case cst.Assert(test=test):
            return test is node
    return isinstance(parent, cst.UnaryOperation) and isinstance(parent.operator, cst.Not)


def _is_bool(value: ast.expr | None) -> bool:
    return isinstance(value, ast.Constant) and isinstance(value.value, bool)


def _assign_at(syntax: Syntax, site: Site, place: Location) -> cst.Assign | cst.AnnAssign:
    lines: list[cst.Assign | cst.AnnAssign] = [*syntax.all(cst.Assign)]
    for one in (*lines, *syntax.all(cst.AnnAssign)):
        several = isinstance(one, cst.Assign) and len(one.targets) > 1
        if syntax.line(one) == site.line and one.value is not None and not several:
            return one
    raise Refused(f"lines that only assign {site.attribute}", place)


def _buffered(syntax: Syntax, flag: str, line: cst.Assign | cst.AnnAssign) -> Change:
    assert line.value is not None
    value = syntax.code(line.value)
    text = f'self.register_buffer("{flag}", torch.tensor({value}), persistent=False)'
    return lambda _: cst.Expr(cst.parse_expression(text))


def _filled(syntax: Syntax, line: cst.Assign | cst.AnnAssign) -> Change:
    assert line.value is not None
    target = line.targets[0].target if isinstance(line, cst.Assign) else line.target
    text = f"{syntax.code(target)}.fill_({syntax.code(line.value)})"
    return lambda _: cst.Expr(cst.parse_expression(text))
