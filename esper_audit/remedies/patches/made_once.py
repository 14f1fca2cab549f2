"""An object that each call makes again, made once: a class, a function or an argument's value."""

from __future__ import annotations

from collections.abc import Iterator

import libcst as cst

from esper_audit.data.findings import Finding
from esper_audit.data.remedies import Edit
from esper_audit.remedies.patches.calls import call_at, call_places, passed
from esper_audit.remedies.patches.hoisting import Changes, free_names, hoisted, own_bindings
from esper_audit.remedies.patches.making import edits_of, syntax_at
from esper_audit.remedies.patches.refused import Refused
from esper_audit.remedies.patches.syntax import Change, Syntax, names_in
from esper_audit.source.project import Project

_MADE = (cst.Call, cst.Lambda)


def make(finding: Finding, project: Project) -> Iterator[tuple[Edit, ...]]:
    """A class of the calling function moved to module level, or an argument made before."""
    places = call_places(finding)
    place = places[0] if places else None
    syntax = syntax_at(project, place, "the call of the compiled function")
    assert place is not None
    call = call_at(syntax, place, finding.frame)
    made = False
    for file, changes in (*_classes(syntax, call), *_argument(finding, project)):
        made = True
        yield edits_of({file: changes})
    if not made:
        raise Refused("an object that needs nothing of the call in which it is made", place)


def _classes(syntax: Syntax, call: cst.Call) -> Iterator[tuple[Syntax, Changes]]:
    """Classes and functions that the calling function defines and that the call takes."""
    function = syntax.scope_of(call)
    if not isinstance(function, cst.FunctionDef):
        return
    used = names_in(call)
    taken = set(own_bindings(syntax.module))
    found: list[cst.ClassDef | cst.FunctionDef] = [*syntax.all(cst.ClassDef, function)]
    for one in (*found, *syntax.all(cst.FunctionDef, function)):
        if one.name.value not in used or syntax.scope_of(one) is not function:
            continue
        if one.name.value in taken or free_names(one) & own_bindings(function):
            continue
        top = syntax.top_of(function)
        changes: Changes = {one: lambda _: cst.RemoveFromParent(), top: _above(one)}
        block = list(syntax.block_of(one))
        if one is block[0] and len(block) > 1:
            changes[block[1]] = _first
        yield syntax, changes


def _first(statement: cst.SimpleStatementLine) -> cst.SimpleStatementLine:
    """Without the empty lines that parted it from what stood above."""
    lines = [line for line in statement.leading_lines if line.comment is not None]
    return statement.with_changes(leading_lines=lines)


def _above(made: cst.ClassDef | cst.FunctionDef) -> Change:
    def change(statement: cst.FunctionDef) -> cst.FlattenSentinel[cst.BaseStatement]:
        gap = [cst.EmptyLine(indent=False)] * 2
        first = made.with_changes(leading_lines=statement.leading_lines)
        return cst.FlattenSentinel([first, statement.with_changes(leading_lines=gap)])

    return change


def _argument(finding: Finding, project: Project) -> Iterator[tuple[Syntax, Changes]]:
    """A call or a lambda that is written as the argument, or bound on a line before."""
    try:
        one = next(passed(finding, project, _variable(finding.source)))
    except Refused:
        return
    value = one.argument
    if isinstance(value, cst.Name):
        value = _bound_to(one.syntax, one.call, value.value) or value
    if isinstance(value, _MADE):
        for changes in hoisted(one.syntax, value, f"{one.parameter}_once"):
            yield one.syntax, changes


def _variable(source: str) -> str:
    """``options`` of ``type(options)``."""
    return source.removeprefix("type(").removesuffix(")") if source.startswith("type(") else source


def _bound_to(syntax: Syntax, call: cst.Call, name: str) -> cst.BaseExpression | None:
    scope = syntax.scope_of(call)
    found = [
        one.value
        for one in syntax.all(cst.Assign, scope)
        if [syntax.code(target.target) for target in one.targets] == [name]
    ]
    return found[0] if len(found) == 1 else None
