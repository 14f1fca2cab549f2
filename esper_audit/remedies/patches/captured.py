"""A module-level number that compiled code reads, as a tensor: each writer fills it in place."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

import libcst as cst

from esper_audit.data.compiles import Held
from esper_audit.data.findings import Finding
from esper_audit.data.places import Location
from esper_audit.data.remedies import Edit
from esper_audit.remedies.patches.flows import is_number
from esper_audit.remedies.patches.hoisting import own_bindings
from esper_audit.remedies.patches.making import edits_of, import_torch, is_float
from esper_audit.remedies.patches.refused import Refused
from esper_audit.remedies.patches.syntax import Change, Syntax, dotted
from esper_audit.remedies.patches.writes import is_no_number
from esper_audit.source.project import Project

_NUMBER_ONLY = (
    "range",
    "int",
    "float",
    "round",
    "len",
    "print",
    "str",
    "repr",
    "format",
    "bool",
    "isinstance",
)


def make(finding: Finding, project: Project) -> Iterator[tuple[Edit, ...]]:
    """The variable as a tensor, and its writers with ``fill_``."""
    if not is_float(finding) or not re.fullmatch(r"[A-Za-z_]\w*", finding.source):
        raise Refused("a module-level variable that holds a float", finding.user_line)
    if finding.origin is not None and finding.origin.held is Held.CLOSURE:
        raise Refused("a variable of the module, not of a function around", finding.user_line)
    if finding.frame.file not in project:
        raise Refused("a variable of a module of the project", finding.user_line)
    syntax = Syntax(project.file(finding.frame.file))
    name = finding.source
    writers = list(_writers(syntax, name))
    if not writers:
        raise Refused(f"a line that binds {name} at module level", finding.user_line)
    _check_imports(project, syntax, name)
    _check_reads(syntax, name)
    first, *others = writers
    changes: dict[cst.CSTNode, Change] = dict(import_torch(project, syntax))
    changes[_value_of(syntax, first)] = lambda value: cst.parse_expression(
        f"torch.tensor({_number(syntax, value)})"
    )
    for one in others:
        changes[one] = _filled(syntax, one, name)
    yield edits_of({syntax: changes})


def _number(syntax: Syntax, value: cst.CSTNode) -> str:
    """As a float: an int would make a tensor of ints."""
    text = syntax.code(value)
    return f"{text}.0" if re.fullmatch(r"-?\d+", text) else text


def _writers(syntax: Syntax, name: str) -> Iterator[cst.CSTNode]:
    """Lines that bind the module's variable, at module level or under ``global``."""
    for one in syntax.all(cst.BaseSmallStatement):  # type: ignore[type-abstract]  # asked, not made
        if _targets(one) == [name] and _is_global(syntax, one, name):
            yield one


def _targets(line: cst.BaseSmallStatement) -> list[str]:
    match line:
        case cst.Assign(targets=targets):
            return [dotted(one.target) for one in targets]
        case cst.AnnAssign(target=target, value=cst.BaseExpression()):
            return [dotted(target)]
        case cst.AugAssign(target=target):
            return [dotted(target)]
    return []


def _is_global(syntax: Syntax, node: cst.CSTNode, name: str) -> bool:
    scope = syntax.scope_of(node)
    if isinstance(scope, cst.Module):
        return True
    declared = [item.name.value for one in syntax.all(cst.Global, scope) for item in one.names]
    return name in declared


def _value_of(syntax: Syntax, writer: cst.CSTNode) -> cst.CSTNode:
    value = writer.value if isinstance(writer, cst.Assign | cst.AnnAssign) else None
    parsed = _ast(syntax.code(value)) if value is not None else None
    at_top = isinstance(syntax.scope_of(writer), cst.Module)
    if value is None or parsed is None or not is_number(parsed) or not at_top:
        place = Location(syntax.file.path, syntax.line(writer))
        raise Refused("a literal number as the first value of the variable", place)
    return value


def _filled(syntax: Syntax, writer: cst.CSTNode, name: str) -> Change:
    if isinstance(writer, cst.AugAssign):  # in place on a tensor already
        return lambda line: line
    assert isinstance(writer, cst.Assign | cst.AnnAssign)
    assert writer.value is not None
    text = syntax.code(writer.value)
    parsed = _ast(text)
    if parsed is not None and is_no_number(parsed):
        place = Location(syntax.file.path, syntax.line(writer))
        raise Refused(f"lines that assign {name} a number", place)
    return lambda _: cst.Expr(cst.parse_expression(f"{name}.fill_({text})"))


def _check_imports(project: Project, syntax: Syntax, name: str) -> None:
    """Another module that reads or writes it would have to change, too."""
    module = project.name_of(syntax.file.path).rpartition(".")[2]
    for file in project.all(name):
        if file.path == syntax.file.path:
            continue
        for node in ast.walk(file.tree):
            if _mentions(node, name, module):
                place = Location(file.path, getattr(node, "lineno", 0))
                raise Refused(f"a variable that no other module uses, unlike {name}", place)


def _mentions(node: ast.AST, name: str, module: str) -> bool:
    match node:
        case ast.ImportFrom(names=names):
            return name in [one.name for one in names]
        case ast.Attribute(value=held, attr=attribute):
            return attribute == name and module in ast.dump(held)
    return False


def _check_reads(syntax: Syntax, name: str) -> None:
    """A tensor is no number where Python needs one."""
    for node in syntax.all(cst.Name):
        if node.value != name:
            continue
        scope = syntax.scope_of(node)
        if name in own_bindings(scope) and not _is_global(syntax, node, name):
            continue  # a local variable of the same name
        parent = syntax.parent(node)
        outer = syntax.parent(parent)
        converts = isinstance(outer, cst.Call) and dotted(outer.func) in _NUMBER_ONLY
        is_text = isinstance(parent, cst.FormattedStringExpression | cst.Index | cst.If)
        if converts or is_text or _is_kept(syntax, node, name):
            place = Location(syntax.file.path, syntax.line(node))
            raise Refused(f"reads of {name} that take a tensor", place)


def _is_kept(syntax: Syntax, node: cst.CSTNode, name: str) -> bool:
    """Whether the number is kept as it was: a tensor that is filled would change there, too."""
    parent = syntax.parent(node)
    match parent:
        case cst.Param() | cst.Element() | cst.DictElement() | cst.Return():
            return True
        case cst.Assign(value=value, targets=[cst.AssignTarget(target=target)]) if value is node:
            is_local = isinstance(syntax.scope_of(node), cst.FunctionDef)
            is_name = isinstance(target, cst.Name) and not _is_global(
                syntax, target, dotted(target)
            )
            return not (is_local and is_name) or _is_global(syntax, node, name)
        case cst.Arg():
            call = syntax.parent(parent)
            last = dotted(call.func).rpartition(".")[2] if isinstance(call, cst.Call) else ""
            return last[:1].isupper()
    return False


def _ast(text: str) -> ast.expr | None:
    try:
        return ast.parse(text, mode="eval").body
    except SyntaxError:
        return None
