"""``mark_dynamic`` or ``mark_unbacked`` on an argument, on the line before each call."""

from __future__ import annotations

import re
from collections.abc import Iterator

import libcst as cst

from esper_audit.data.diagnoses import Diagnosis
from esper_audit.data.findings import Finding
from esper_audit.data.places import Location
from esper_audit.data.remedies import Edit
from esper_audit.remedies.patches.calls import Passed, alike, passed
from esper_audit.remedies.patches.making import edits_of, import_torch, literal
from esper_audit.remedies.patches.refused import Refused
from esper_audit.remedies.patches.syntax import Change, Syntax, before, dotted, instead, names_in
from esper_audit.source.project import Project

_DYNAMIC, _UNBACKED = "torch._dynamo.mark_dynamic", "torch._dynamo.decorators.mark_unbacked"
_INSIDE = (cst.BaseComp, cst.Lambda)


def make(finding: Finding, project: Project) -> Iterator[tuple[Edit, ...]]:
    """A line before each call of the same callable, in the files of the calls that recompiled."""
    dims = dims_of(finding)
    if not dims:
        raise Refused("a dimension of an argument that changed its size")
    mark = _UNBACKED if finding.id is Diagnosis.SIZE_ZERO_ONE else _DYNAMIC
    changed: dict[Syntax, dict[cst.CSTNode, Change]] = {}
    for one in passed(finding, project):
        changes = changed.setdefault(one.syntax, {})
        changes |= import_torch(project, one.syntax)
        for other in alike(one, finding, project):
            changes |= _marked(other, mark, dims)
    yield edits_of(changed)


def dims_of(finding: Finding) -> tuple[int, ...]:
    """The dimensions of the tensor whose sizes differ."""
    if finding.id is Diagnosis.DIMENSION_MARKED:
        marked = re.search(r"\bdynamic \[([\d, ]+)\]", finding.actual)
        return tuple(map(int, marked[1].split(","))) if marked is not None else ()
    named = re.search(r"(?:size\(\)|shape)\[(\d+)\]$", finding.source)
    if named is not None:
        return (int(named[1]),)
    was, now = (literal(text) for text in finding.fields.get("size", ("", "")))
    if not isinstance(was, list) or not isinstance(now, list) or len(was) != len(now):
        return ()
    return tuple(at for at, (old, new) in enumerate(zip(was, now, strict=True)) if old != new)


def _marked(one: Passed, mark: str, dims: tuple[int, ...]) -> dict[cst.CSTNode, Change]:
    syntax = one.syntax
    place = Location(syntax.file.path, syntax.line(one.call))
    statement = syntax.statement_of(one.call)
    if not isinstance(statement, cst.SimpleStatementLine):
        raise Refused("a call on a line of its own", place)
    if any(isinstance(around, _INSIDE) for around in syntax.around(one.call)):
        raise Refused("a call outside of a comprehension and a lambda", place)
    text = syntax.code(one.argument)
    lines: list[str] = []
    changes: dict[cst.CSTNode, Change] = {}
    if not dotted(one.argument):
        name = _free(syntax, one)
        lines.append(f"{name} = {_on_one_line(one.argument)}")
        changes[one.argument] = instead(name)
        text = name
    dim = str(dims[0]) if len(dims) == 1 else str(list(dims))
    lines.append(f"{mark}({text}{one.path}, {dim})")
    if lines == _above(syntax, statement):
        return {}
    return {**changes, statement: before(*lines)}


def _above(syntax: Syntax, statement: cst.BaseStatement) -> list[str]:
    """The line before, where it is in the same block: it may mark the argument already."""
    block = list(syntax.block_of(statement))
    at = block.index(statement)
    return [syntax.code(block[at - 1]).strip()] if at else []


def _free(syntax: Syntax, one: Passed) -> str:
    """The parameter's name, where the calling scope does not use it."""
    used = names_in(syntax.scope_of(one.call))
    return one.parameter if one.parameter not in used else f"marked_{one.parameter}"


def _on_one_line(node: cst.BaseExpression) -> str:
    text = cst.Module([]).code_for_node(node)
    return text if "\n" not in text else f"({text})"
