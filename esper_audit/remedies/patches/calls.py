"""Calls of compiled code: which they are, and which argument becomes which parameter."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass

import libcst as cst

from esper_audit.data.findings import Finding
from esper_audit.data.places import Frame, Location
from esper_audit.remedies.patches.making import syntax_at
from esper_audit.remedies.patches.refused import Refused
from esper_audit.remedies.patches.syntax import Syntax, arguments, dotted, names_in
from esper_audit.source.project import Project

_COMPILES = ("compile", "optimize")


@dataclass(frozen=True)
class Passed:
    """A call, the argument that becomes the parameter, and what is read of that: ``[0]``."""

    syntax: Syntax
    call: cst.Call
    argument: cst.BaseExpression
    parameter: str
    path: str


def call_places(finding: Finding) -> list[Location]:
    """The lines of the calls that recompiled."""
    known = [writer.location for writer in finding.callers]
    if not known and finding.called_from is not None:
        known = [finding.called_from]
    return list(dict.fromkeys(known))


def split_source(source: str) -> tuple[str, str]:
    """The variable that a source begins with, and the path below it."""
    found = re.match(r"[A-Za-z_]\w*", source)
    if found is None:
        raise Refused("an argument of the compiled function")
    name, path = found[0], source[found.end() :]
    return name, re.sub(r"\.(?:size|stride|shape)\(\)\[\d+\]$|\.shape\[\d+\]$", "", path)


def passed(finding: Finding, project: Project, source: str = "") -> Iterator[Passed]:
    """The argument of each call that recompiled; refused where a call can't be read."""
    name, path = split_source(source or finding.source)
    if name in ("self", "cls"):
        raise Refused("an argument of the compiled function", finding.user_line)
    parsed: dict[str, Syntax] = {}
    for place in call_places(finding):
        known = parsed.get(place.file)
        syntax = known or syntax_at(project, place, "the call of the compiled function")
        parsed[place.file] = syntax
        call = call_at(syntax, place, finding.frame)
        argument = argument_of(project, finding.frame, call, name, place)
        yield Passed(syntax, call, argument, name, path)


def alike(one: Passed, finding: Finding, project: Project) -> Iterator[Passed]:
    """All calls of the same name in its scope: a tensor without marks is another variant."""
    name = dotted(one.call.func)
    for call in one.syntax.all(cst.Call, _binding_scope(one.syntax, one.call, name)):
        if call is one.call:
            yield one
        elif name and dotted(call.func) == name:
            place = Location(one.syntax.file.path, one.syntax.line(call))
            argument = argument_of(project, finding.frame, call, one.parameter, place)
            yield Passed(one.syntax, call, argument, one.parameter, one.path)


def _binding_scope(syntax: Syntax, call: cst.Call, name: str) -> cst.CSTNode | None:
    """The function whose own variable is called: that name is another's elsewhere; else None.

    What a method calls through ``self`` may be called by other methods, too.
    """
    variable = name.partition(".")[0]
    for around in syntax.around(call):
        if isinstance(around, cst.FunctionDef) and variable in _bound_in(syntax, around):
            return None if variable in ("self", "cls") else around
    return None


def _bound_in(syntax: Syntax, function: cst.FunctionDef) -> set[str]:
    """Its parameters, and the variables that its own lines bind."""
    targets: list[cst.CSTNode] = [
        *(one.target for one in syntax.all(cst.AssignTarget, function)),
        *(one.target for one in syntax.all(cst.AnnAssign, function)),
        *(one.target for one in syntax.all(cst.NamedExpr, function)),
        *(one.target for one in syntax.all(cst.For, function)),
        *(one.name for one in syntax.all(cst.AsName, function)),
    ]
    names = {one.name.value for one in syntax.all(cst.Param, function.params)}
    own = {name for one in targets if syntax.scope_of(one) is function for name in names_in(one)}
    free = [item for one in syntax.all(cst.Nonlocal, function) for item in one.names]
    free += [item for one in syntax.all(cst.Global, function) for item in one.names]
    return names | own - {item.name.value for item in free}


def call_at(syntax: Syntax, place: Location, frame: Frame) -> cst.Call:
    """The call on a line that runs compiled code."""
    calls = [one for one in syntax.all(cst.Call) if syntax.covers(one, place.line)]
    inner = [one for one in calls if syntax.line(syntax.statement_of(one)) <= place.line]
    ranked = sorted(inner, key=lambda one: -_rank(syntax, one, frame))
    if not ranked or _rank(syntax, ranked[0], frame) == 0:
        raise Refused("the call of the compiled function on this line", place)
    best = _rank(syntax, ranked[0], frame)
    if len([one for one in ranked if _rank(syntax, one, frame) == best]) > 1:
        raise Refused("one call of the compiled function on this line", place)
    return ranked[0]


def _rank(syntax: Syntax, call: cst.Call, frame: Frame) -> int:
    """How surely it runs compiled code; 0 where nothing speaks for it."""
    if is_compile(call):
        return 0
    if isinstance(call.func, cst.Call) and is_compile(call.func):
        return 3
    name = dotted(call.func)
    last = name.rpartition(".")[2]
    if name in compiled_names(syntax):
        return 3
    if last and last == frame.name.rpartition(".")[2] == frame.raw_name.rpartition(".")[2]:
        return 2
    return 0


def is_compile(node: cst.CSTNode) -> bool:
    """Whether it is a call of ``torch.compile`` or of what is named like it."""
    return isinstance(node, cst.Call) and dotted(node.func).rpartition(".")[2] in _COMPILES


def compiled_names(syntax: Syntax) -> set[str]:
    """Names that the file binds to what a compile returned, or defines under its decorator."""
    names: set[str] = set()
    for assign in syntax.all(cst.Assign):
        if is_compile(assign.value) or _is_compiled_by_call(assign.value):
            names |= {dotted(target.target) for target in assign.targets}
    for function in syntax.all(cst.FunctionDef):
        made = [one.decorator for one in function.decorators]
        if any(is_compile(one) or dotted(one).endswith("compile") for one in made):
            names.add(function.name.value)
    for call in syntax.all(cst.Call):  # model.compile() compiles in place
        called = call.func
        if isinstance(called, cst.Attribute) and called.attr.value == "compile":
            names.add(dotted(called.value))
    return names - {"", "torch", "replay"}


def _is_compiled_by_call(node: cst.CSTNode) -> bool:
    """``partial(torch.compile, …)(f)`` and ``torch.compile(…)(f)``."""
    return isinstance(node, cst.Call) and is_compile(node.func)


def argument_of(
    project: Project, frame: Frame, call: cst.Call, name: str, place: Location
) -> cst.BaseExpression:
    """What a call passes for a parameter."""
    positional, keywords = arguments(call)
    if name in keywords:
        return keywords[name].value
    parameters = parameters_of(project, frame)
    if parameters is None and len(call.args) == 1:
        return call.args[0].value
    if parameters is None or name not in parameters:
        raise Refused(f"a call that passes {name} as one argument", place)
    index = parameters.index(name)
    if index >= len(positional):
        raise Refused(f"a call that passes {name} as one argument", place)
    return positional[index].value


def parameters_of(project: Project, frame: Frame) -> list[str] | None:
    """Names of a frame's parameters without ``self``; None where its source isn't known."""
    node = function_of(project, frame)
    if node is None:
        return None
    names = [one.arg for one in (*node.args.posonlyargs, *node.args.args)]
    return names[1:] if names[:1] == ["self"] else names


def function_of(
    project: Project, frame: Frame
) -> ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda | None:
    """The function that a frame runs; its first line may be that of a decorator."""
    if frame.file not in project:
        return None
    name = frame.raw_name.rpartition(".")[2]
    for node in ast.walk(project.file(frame.file).tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = [node.lineno, *(one.lineno for one in node.decorator_list)]
            if min(lines) <= frame.line <= node.lineno and node.name == name:
                return node
        elif isinstance(node, ast.Lambda) and (node.lineno, "<lambda>") == (frame.line, name):
            return node
    return None


def writes_in_place(project: Project, frame: Frame, name: str) -> bool | None:
    """Whether a frame's own lines change a parameter in place; None where that isn't known."""
    node = function_of(project, frame)
    if node is None:
        return None
    return any(_changes(one, name) for one in ast.walk(node))


def _changes(node: ast.AST, name: str) -> bool:
    match node:
        case ast.AugAssign(target=target):
            return _starts_with(target, name)
        case ast.Assign(targets=targets):
            held = [one for one in targets if isinstance(one, ast.Subscript | ast.Attribute)]
            return any(_starts_with(one, name) for one in held)
        case ast.Call(func=ast.Attribute(value=held, attr=method)):
            in_place = method.endswith("_") and not method.startswith("_")
            return in_place and _starts_with(held, name)
        case ast.keyword(arg="out", value=value):
            return _starts_with(value, name)
    return False


def _starts_with(node: ast.expr, name: str) -> bool:
    while isinstance(node, ast.Attribute | ast.Subscript):
        node = node.value
    return isinstance(node, ast.Name) and node.id == name
