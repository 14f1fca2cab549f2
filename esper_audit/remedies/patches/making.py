"""What patches share: edits from changed files, and what kind of value a finding is about."""

from __future__ import annotations

import ast
from collections.abc import Mapping

import libcst as cst

from esper_audit.data.findings import Finding
from esper_audit.data.places import Location
from esper_audit.data.remedies import Edit, Ground
from esper_audit.remedies.patches.refused import Refused
from esper_audit.remedies.patches.syntax import Change, Syntax
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
