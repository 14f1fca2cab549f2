"""An early return of an argument as it is, as a view of it: an operation that a graph holds.

Dynamo keeps a frame whose graph holds any call (``torch/_dynamo/symbolic_convert.py``, 2.13).
``view_as`` copies nothing: what is written to the result is written to the argument, as before.
The result is another object than the argument, which the second form, a clone, is in any case.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

import libcst as cst

from esper_audit.data.findings import Finding
from esper_audit.data.places import Location
from esper_audit.data.remedies import Edit
from esper_audit.remedies.patches.calls import function_of, parameters_of
from esper_audit.remedies.patches.making import edits_of
from esper_audit.remedies.patches.refused import Refused
from esper_audit.remedies.patches.syntax import Change, Syntax
from esper_audit.source.project import Project

_FORMS = ("{0}.view_as({0})", "{0}.clone()")


def make(finding: Finding, project: Project) -> Iterator[tuple[Edit, ...]]:
    """Each place where the frame returns a parameter untouched, computes something."""
    place = Location(finding.frame.file, finding.frame.line)
    parameters = parameters_of(project, finding.frame)
    node = function_of(project, finding.frame)
    if parameters is None or isinstance(node, ast.Lambda) or node is None:
        raise Refused("a function of the project that returns its argument", place)
    syntax = Syntax(project.file(finding.frame.file))
    returned = list(_returned(syntax, node.lineno, set(parameters)))
    if not returned:
        raise Refused("a return of an argument as it is", place)
    for form in _FORMS:
        yield edits_of({syntax: {one: _computed(form) for one in returned}})


def _computed(form: str) -> Change:
    return lambda name: cst.parse_expression(form.format(name.value))


def _returned(syntax: Syntax, line: int, parameters: set[str]) -> Iterator[cst.CSTNode]:
    """Parameters that are returned, alone or as one side of a choice, and are not bound again."""
    function = next(one for one in syntax.all(cst.FunctionDef) if syntax.line(one.name) == line)
    for statement in syntax.all(cst.Return, function):
        if syntax.scope_of(statement) is function and statement.value is not None:
            for value in _choices(statement.value):
                named = isinstance(value, cst.Name) and value.value in parameters
                if named and not _bound_before(syntax, function, value):
                    yield value


def _choices(node: cst.BaseExpression) -> Iterator[cst.CSTNode]:
    if isinstance(node, cst.IfExp):
        yield from _choices(node.body)
        yield from _choices(node.orelse)
    else:
        yield node


def _bound_before(syntax: Syntax, function: cst.FunctionDef, name: cst.CSTNode) -> bool:
    bound = [target.target for target in syntax.all(cst.AssignTarget, function)]
    bound += [one.target for one in syntax.all(cst.AugAssign, function)]
    return any(
        isinstance(one, cst.Name)
        and one.value == getattr(name, "value", "")
        and syntax.line(one) < syntax.line(name)
        for one in bound
    )
