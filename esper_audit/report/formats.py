"""The formats of a report, and where one goes: chosen by name, imported when it is needed."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from esper_audit.errors import UsageError

if TYPE_CHECKING:
    from rich.console import Console

    from esper_audit.data.storage import Document

_NAME = re.compile(r"[A-Za-z]+")


class Format(StrEnum):
    """How a report is written."""

    RICH = "rich"
    PLAIN = "plain"
    JSON = "json"
    MARKDOWN = "markdown"
    JUNIT = "junit"
    SARIF = "sarif"
    GITHUB = "github"


_TAKES = f"It takes FORMAT=FILE with {', '.join(Format)}."


@dataclass(frozen=True)
class Output:
    """A file that a report is written to."""

    format: Format
    path: Path


def parse_outputs(texts: Iterable[str], default: Format = Format.JSON) -> tuple[Output, ...]:
    """``FORMAT=FILE`` or ``FILE``; raises UsageError for a format that is none."""
    found = []
    known = {form.value: form for form in Format}
    for text in texts:
        name, equals, file = text.partition("=")
        if not equals or not _NAME.fullmatch(name):
            found.append(Output(default, Path(text)))
        elif name not in known:
            raise UsageError(f"--output knows no format {name!r}.", _TAKES)
        elif not file:
            raise UsageError(f"--output {text} has no file.", _TAKES)
        else:
            found.append(Output(known[name], Path(file)))
    return tuple(found)


def render(document: Document, form: Format, verbosity: int = 0, width: int | None = None) -> str:
    """The whole report as text; a format for reading is ``width`` columns wide, or unwrapped."""
    if form is Format.JSON:
        from esper_audit.data.storage import dumps

        return dumps(document).decode()
    if form in (Format.RICH, Format.PLAIN):
        return _for_readers(document, form, verbosity, width)
    return _for_machines(document, form)


def _for_readers(document: Document, form: Format, verbosity: int, width: int | None) -> str:
    from esper_audit.report.build import page
    from esper_audit.report.text.plain import plain
    from esper_audit.report.text.terminal import drawn

    made = page(document, verbosity)
    if form is Format.PLAIN and width is None:
        return plain(made)
    return drawn(made, width, colours=form is Format.RICH)


def _for_machines(document: Document, form: Format) -> str:
    from esper_audit.report.cases import cases

    whole = cases(document)
    if form is Format.MARKDOWN:
        from esper_audit.report.markdown import markdown

        return markdown(whole)
    if form is Format.JUNIT:
        from esper_audit.report.junit import junit

        return junit(whole)
    if form is Format.SARIF:
        from esper_audit.report.sarif import sarif

        return sarif(whole)
    from esper_audit.report.github import github

    return github(whole)


def print_document(document: Document, console: Console, verbosity: int = 0) -> None:
    """Print a report of any kind."""
    from esper_audit.report.build import page
    from esper_audit.report.text.terminal import print_page

    print_page(page(document, verbosity), console)
