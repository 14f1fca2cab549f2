"""Annotations of GitHub Actions: workflow commands that a job prints."""

from __future__ import annotations

import os
from collections.abc import Iterator

from esper_audit.report.ci.problems import Cases, Problem
from esper_audit.report.words.commands import explained
from esper_audit.report.words.paths import relative


def github(whole: Cases) -> str:
    """A line for each problem, then the first sentence as a notice.

    The commands and their escapes are those of GitHub's documentation on workflow commands.
    Paths are from the workspace on (GITHUB_WORKSPACE), or from the project's folder.
    """
    lines = [_annotation(problem, whole.root) for problem in whole.problems]
    said = "\n".join(filter(None, [whole.answer, whole.accept]))
    return "\n".join([*lines, f"::notice title=esper-audit::{_data(said)}", ""])


def _annotation(problem: Problem, root: str) -> str:
    level = "error" if problem.fails else "notice"
    properties = ",".join(f"{name}={_property(value)}" for name, value in _fields(problem, root))
    diff = [problem.script.diff] if problem.script is not None and problem.script.diff else []
    more = f"more: {explained(problem.rule)}"
    text = "\n".join([problem.message, *problem.details, *diff, more])
    return f"::{level} {properties}::{_data(text)}"


def _fields(problem: Problem, root: str) -> Iterator[tuple[str, str]]:
    place = problem.location
    if place is not None:
        workspace = os.environ.get("GITHUB_WORKSPACE", "")
        file = relative(place.file, workspace)
        yield "file", file if file != place.file else relative(place.file, root)
        yield "line", str(max(place.line, 1))
    yield "title", f"esper-audit: {problem.rule}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
