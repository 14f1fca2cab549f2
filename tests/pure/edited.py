"""A patch applied to a text: text in, text out."""

from __future__ import annotations

from textwrap import dedent
from typing import Any

from esper_audit.data.diagnoses import Diagnosis
from esper_audit.data.findings import Finding, Writer
from esper_audit.data.places import Frame, Location
from esper_audit.data.remedies import Because
from esper_audit.remedies.patches.refused import Refused
from esper_audit.source.project import Project

FILE = "/project/model.py"
FRAME_NAME = "forward"


def at(text: str, marked: str, file: str = FILE) -> Location:
    """The line that holds these words."""
    lines = [number for number, line in enumerate(text.splitlines(), 1) if marked in line]
    assert lines, f"no line holds {marked!r}"
    return Location(file, lines[0])


def finding(diagnosis: Diagnosis, source: str = "", **fields: Any) -> Finding:
    """A finding of the frame ``FRAME_NAME`` that begins on line ``frame_line``."""
    line = fields.pop("frame_line", 1)
    name = FRAME_NAME
    frame = Frame(name, fields.pop("frame_file", FILE), line, f"model.py:{name}", name)
    if "callers" in fields:
        fields["callers"] = tuple(Writer(place, None, 1) for place in fields["callers"])
    return Finding(id=diagnosis, frame=frame, source=source, **fields)


def edited(make: Any, text: str, found: Finding, **others: str) -> dict[str, str]:
    """The files that the first edit changes, by name without folder; all edits must parse."""
    project = Project("/project", files=[], texts={"model.py": text, **others})
    made = list(make(found, project))
    assert made
    for edits in made:
        for edit in edits:
            compile(edit.after, edit.file, "exec")
    return {edit.file.removeprefix("/project/"): edit.after for edit in made[0]}


def edit_of(make: Any, text: str, found: Finding) -> str:
    """The text after the first edit."""
    return edited(make, text, found)["model.py"]


def refusal(make: Any, text: str, found: Finding) -> Because:
    """Why no edit is made."""
    try:
        made = list(make(found, Project("/project", files=[], texts={"model.py": text})))
    except Refused as refused:
        return refused.because
    raise AssertionError(made)


def lines(text: str) -> str:
    """An indented text of a test, as a file holds it."""
    return dedent(text).lstrip("\n")
