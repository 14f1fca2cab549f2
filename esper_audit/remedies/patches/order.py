"""A line that changes what compiled code depends on, moved above the first compiled call."""

from __future__ import annotations

from collections.abc import Iterator

import libcst as cst

from esper_audit.data.findings import Finding
from esper_audit.data.places import Location
from esper_audit.data.remedies import Edit, Ground
from esper_audit.remedies.patches.calls import compiled_names, is_compile
from esper_audit.remedies.patches.hoisting import bindings_of, free_names
from esper_audit.remedies.patches.making import edits_of, syntax_at
from esper_audit.remedies.patches.refused import Refused
from esper_audit.remedies.patches.syntax import Change, Syntax, dotted
from esper_audit.source.project import Project


def make(finding: Finding, project: Project) -> Iterator[tuple[Edit, ...]]:
    """The writing line before the first compiled call of its block."""
    places = _writing(finding)
    for place in places:
        try:
            edits = _moved(syntax_at(project, place, "the line that changed it"), place)
        except Refused:
            if place is places[-1]:
                raise
        else:
            yield edits
            return
    raise Refused("the line that changed it", ground=Ground.NO_SOURCE)


def _moved(syntax: Syntax, place: Location) -> tuple[Edit, ...]:
    line = _line_at(syntax, place)
    first = _first_call(syntax, line, place)
    _check(syntax, first, line, place)
    return edits_of({syntax: {first: _put(line), line: lambda _: cst.RemoveFromParent()}})


def _writing(finding: Finding) -> list[Location]:
    """The line that wrote, then the line that called its function."""
    writer = finding.writers[0] if finding.writers else None
    places = [writer.location, writer.called_from] if writer is not None else [finding.written_by]
    return [place for place in places if place is not None]


def _line_at(syntax: Syntax, place: Location) -> cst.SimpleStatementLine:
    for one in syntax.all(cst.SimpleStatementLine):
        if syntax.covers(one, place.line):
            return one
    raise Refused("a change that is a line of its own, without a with block around it", place)


def _first_call(
    syntax: Syntax, line: cst.SimpleStatementLine, place: Location
) -> cst.BaseStatement:
    """The first statement of the same block that calls compiled code."""
    names = compiled_names(syntax)
    for one in syntax.block_of(line):
        if one is line:
            break
        if not isinstance(one, cst.FunctionDef | cst.ClassDef) and _calls(syntax, one, names):
            return one
    raise Refused("a compiled call before it in the same block", place)


def _calls(syntax: Syntax, statement: cst.CSTNode, names: set[str]) -> bool:
    calls = syntax.all(cst.Call, statement)
    return any(dotted(one.func) in names or is_compile(one.func) for one in calls)


def _check(
    syntax: Syntax, first: cst.BaseStatement, line: cst.SimpleStatementLine, place: Location
) -> None:
    """Names that the line needs or binds are not bound or read on the way."""
    block = list(syntax.block_of(line))
    between = block[block.index(first) : block.index(line)]
    bound = {name for one in between for name in bindings_of(one)}
    if free_names(line) & bound or any(set(bindings_of(line)) & free_names(one) for one in between):
        raise Refused("a line that needs nothing of what runs before it", place)
    if any(isinstance(one, cst.Return | cst.Raise | cst.Break | cst.Continue) for one in line.body):
        raise Refused("a line that only changes state", place)


def _put(line: cst.SimpleStatementLine) -> Change:
    def change(statement: cst.BaseStatement) -> cst.FlattenSentinel[cst.BaseStatement]:
        leading = getattr(statement, "leading_lines", ())
        own = [one for one in line.leading_lines if one.comment is not None]
        first = line.with_changes(leading_lines=[*leading, *own])
        return cst.FlattenSentinel([first, statement.with_changes(leading_lines=())])

    return change
