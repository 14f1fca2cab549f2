"""What a patch makes of a small text: text in, text out."""

from __future__ import annotations

import ast
import textwrap
from collections.abc import Callable, Iterable
from typing import Any

from esper_audit.data.diagnoses import Diagnosis
from esper_audit.data.findings import Finding, Writer
from esper_audit.data.places import Frame, Location
from esper_audit.data.remedies import Because, Edit
from esper_audit.remedies.patches.refused import Refused
from esper_audit.source.project import Project

ROOT = "/project"
MARK = "# <-"


def clean(text: str) -> str:
    return textwrap.dedent(text).lstrip("\n")


def finding_of(texts: dict[str, str], source: str, diagnosis: Diagnosis, **fields: Any) -> Finding:
    """The finding that the marked line makes; its frame is the first ``forward`` of that file."""
    for name, text in texts.items():
        for number, line in enumerate(text.split("\n"), 1):
            if MARK in line:
                place = Location(f"{ROOT}/{name}", number)
                frame = Frame("X.forward", place.file, _forward(text), "key", "forward")
                return Finding(id=diagnosis, frame=frame, source=source, user_line=place, **fields)
    raise AssertionError("no line is marked")


def _forward(text: str) -> int:
    lines = text.split("\n")
    return next((n for n, line in enumerate(lines, 1) if "def forward" in line), 1)


def made(
    make: Callable[[Finding, Project], Iterable[tuple[Edit, ...]]],
    given: str | dict[str, str],
    source: str,
    diagnosis: Diagnosis = Diagnosis.FLOAT_SPECIALIZED,
    **fields: Any,
) -> list[dict[str, str]]:
    """The texts of each remedy, by file; a single file's is under ``a.py``. All can be parsed."""
    texts = {"a.py": given} if isinstance(given, str) else given
    texts = {name: clean(text) for name, text in texts.items()}
    finding = finding_of(texts, source, diagnosis, **fields)
    project = Project(ROOT, files=(), texts=texts)
    remedies = []
    for edits in make(finding, project):
        for edit in edits:
            ast.parse(edit.after)
        changed = {edit.file.removeprefix(f"{ROOT}/"): edit.after for edit in edits}
        if changed:
            remedies.append(changed)
    return remedies


def refusal(make: Any, given: str | dict[str, str], source: str, **fields: Any) -> Because:
    """Why it makes nothing."""
    try:
        remedies = made(make, given, source, **fields)
    except Refused as refused:
        return refused.because
    raise AssertionError(f"it made {remedies}")


def writer(line: int, file: str = "a.py") -> Writer:
    return Writer(Location(file if file.startswith("/") else f"{ROOT}/{file}", line))
