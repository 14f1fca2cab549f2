"""``esper-audit show`` and ``esper-audit schema``: saved files, without torch."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import msgspec
from rich.console import Console

from esper_audit.cli.output import leave, write_report
from esper_audit.errors import UsageError
from esper_audit.findings import Report
from esper_audit.report.terminal import print_report
from esper_audit.storage import json_schema, load, write_atomically

_EXPORTS = (".svg", ".html", ".txt")


def show_command(
    file: Path, as_json: bool, export: Path | None, width: int, verbosity: int
) -> None:
    """Print a saved report, or export it as a picture; ends with the verdict's exit code."""
    report = load(file, Report)
    if export is None:
        write_report(report, as_json, verbosity)
    else:
        write_atomically(export, export_report(report, export.suffix, width, verbosity).encode())
    leave(report)


def export_report(report: Report, suffix: str, width: int, verbosity: int = 0) -> str:
    """The report as the text of an .svg, .html or .txt file, ``width`` columns wide."""
    if suffix not in _EXPORTS:
        raise UsageError(
            f"A report can't be exported as {suffix or 'a file without suffix'!r}.",
            f"Give a file that ends in {', '.join(_EXPORTS)}.",
        )
    console = Console(record=True, width=width, file=io.StringIO(), highlight=False)
    print_report(report, console, verbosity)
    if suffix == ".svg":
        return console.export_svg(title="esper-audit run")
    return console.export_html() if suffix == ".html" else console.export_text()


def schema_command() -> None:
    """Print the JSON Schema of a saved report."""
    text = msgspec.json.format(msgspec.json.encode(json_schema())).decode()
    sys.stdout.write(text + "\n")
