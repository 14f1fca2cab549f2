"""What patches share: edits from changed files, and what kind of value a finding is about."""

from __future__ import annotations

import ast
from collections.abc import Mapping

import libcst as cst

from esper_audit.data.findings import Finding
from esper_audit.data.places import Location
from esper_audit.data.remedies import Edit, Ground
from esper_audit.remedies.patches.refused import Refused
from esper_audit.remedies.patches.syntax import Change, Syntax, before, dotted
from esper_audit.source.classes import classes_of
from esper_audit.source.definitions import External
from esper_audit.source.project import Project


def syntax_at(project: Project, place: Location | None, what: str) -> Syntax:
    """The file of a line that is ``what``; refused where that isn't a file of the project."""
    if place is None:
        raise Refused(what, ground=Ground.NO_SOURCE)
    if place.file not in project:
        raise Refused(what, place, ground=Ground.NO_SOURCE)
    return Syntax(project.file(place.file))


def edits_of(changes: Mapping[Syntax, Mapping[cst.CSTNode, Change]]) -> tuple[Edit, ...]:
    """One edit for each file with changes."""
    return tuple(
        Edit(file=syntax.file.path, before=syntax.file.text, after=syntax.changed(changed))
        for syntax, changed in changes.items()
        if changed
    )


def literal(text: str) -> object:
    """The value of a Python literal; an empty tuple for other text."""
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return ()


def is_float(finding: Finding) -> bool:
    """Whether the guarded value is a Python float."""
    return type(literal(finding.expected)) is float or type(literal(finding.actual)) is float


def meaning(project: Project, syntax: Syntax, node: cst.CSTNode) -> str:
    """The dotted name that an expression has outside of the project: ``torch.optim.SGD``."""
    name = dotted(node)
    meant = classes_of(project).meaning_of(name, syntax.file) if name else None
    return meant.name if isinstance(meant, External) else ""


def import_torch(project: Project, syntax: Syntax) -> dict[cst.CSTNode, Change]:
    """Nothing where the file knows torch by this name; else the line that imports it."""
    if meaning(project, syntax, cst.Name("torch")) == "torch":
        return {}
    for statement in syntax.module.body:
        imports = isinstance(statement, cst.SimpleStatementLine) and isinstance(
            statement.body[0], cst.Import | cst.ImportFrom
        )
        if imports and "__future__" not in syntax.code(statement):
            return {statement: before("import torch")}
    raise Refused("an import of torch", Location(syntax.file.path, 1))
