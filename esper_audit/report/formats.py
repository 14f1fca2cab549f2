"""The formats of a report, and where one goes: chosen by name, imported when it is needed."""

from __future__ import annotations

import io
import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from esper_audit.errors import UsageError, did_you_mean

if TYPE_CHECKING:
    from rich.console import Console

    from esper_audit.data.storage import Document

WIDTH = 100
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


SUFFIXES = {
    ".json": Format.JSON,
    ".md": Format.MARKDOWN,
    ".xml": Format.JUNIT,
    ".sarif": Format.SARIF,
    ".sarif.json": Format.SARIF,
    ".txt": Format.PLAIN,
}
"""What a file's name says of its format; the longest suffix counts."""

_ALSO = {(Format.SARIF, Format.JSON)}
"""A format that a suffix of another one may hold, too: SARIF is JSON."""


@dataclass(frozen=True)
class Output:
    """A file that a report is written to."""

    format: Format
    path: Path


def saved(path: Path | None) -> tuple[Output, ...]:
    """The file of ``--save``, where one is given: JSON, whatever its name."""
    return (Output(Format.JSON, path),) if path is not None else ()


def parse_outputs(texts: Iterable[str]) -> tuple[Output, ...]:
    """``FORMAT=FILE``, or a ``FILE`` whose suffix says the format.

    Raises UsageError for an unknown format, and for a suffix that is unknown or of another one.
    """
    return tuple(map(_parse_output, texts))


def _parse_output(text: str) -> Output:
    name, equals, file = text.partition("=")
    if not equals or not _NAME.fullmatch(name):
        return Output(_format_of(text), Path(text))
    if name not in list(Format):
        raise UsageError(
            f"--output: unknown format {name!r}{did_you_mean(name, list(Format))}.",
            f"Formats: {', '.join(Format)}.",
        )
    if not file:
        raise UsageError(f"--output {text} has no file.", "Give it as FORMAT=FILE.")
    form = Format(name)
    _check_suffix(form, file)
    return Output(form, Path(file))


def suffix_of(file: str) -> str:
    """The known suffix that a file's name ends in; empty where it ends in none."""
    known = [suffix for suffix in SUFFIXES if file.lower().endswith(suffix)]
    return max(known, key=len, default="")


def _format_of(file: str) -> Format:
    suffix = suffix_of(file)
    if suffix:
        return SUFFIXES[suffix]
    told = ", ".join(f"{suffix} ({form})" for suffix, form in SUFFIXES.items())
    raise UsageError(
        f"--output: the name {file!r} does not tell the format of the report.",
        f"Use a known suffix: {told}; or write --output FORMAT=FILE with {', '.join(Format)}.",
    )


def _check_suffix(form: Format, file: str) -> None:
    suffix = suffix_of(file)
    meant = SUFFIXES.get(suffix, form)
    if meant is not form and (form, meant) not in _ALSO:
        raise UsageError(
            f"--output: {file!r} would hold {form}, but the suffix {suffix} means {meant}.",
            f"Write {meant}={file}, or give the file another suffix.",
        )


def render(document: Document, form: Format, verbosity: int = 0, width: int = WIDTH) -> str:
    """The whole report as text; ``width`` columns wide where the format is for reading."""
    if form is Format.JSON:
        from esper_audit.data.storage import dumps

        return dumps(document).decode()
    if form in (Format.RICH, Format.PLAIN):
        return _printed(document, form, verbosity, width)
    return _for_machines(document, form)


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


def _printed(document: Document, form: Format, verbosity: int, width: int) -> str:
    from rich.console import Console

    colours = form is Format.RICH
    stream = io.StringIO()
    console = Console(
        file=stream,
        width=width,
        highlight=False,
        force_terminal=colours,
        no_color=not colours,
        color_system="truecolor" if colours else None,
    )
    print_document(document, console, verbosity)
    return stream.getvalue()


def print_document(document: Document, console: Console, verbosity: int = 0) -> None:
    """Print a report of any kind."""
    from esper_audit.data.audits import ProgramReport, Report
    from esper_audit.data.changes import ComparisonReport, GateReport
    from esper_audit.report.gate import print_comparison, print_gate
    from esper_audit.report.program import print_program
    from esper_audit.report.terminal import print_report

    match document:
        case Report():
            print_report(document, console, verbosity)
        case ProgramReport():
            print_program(document, console, verbosity)
        case GateReport():
            print_gate(document, console, verbosity)
        case ComparisonReport():
            print_comparison(document, console, verbosity)
