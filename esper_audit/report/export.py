"""A report as a picture, a page or a text file."""

from __future__ import annotations

import io

from rich.console import Console
from rich.text import Text

from esper_audit.data.audits import ProgramReport, Report
from esper_audit.data.changes import ComparisonReport, GateReport
from esper_audit.data.clean import clean_lines
from esper_audit.data.remedies import FixReport
from esper_audit.data.scans import ScanReport
from esper_audit.data.storage import Document
from esper_audit.errors import UsageError
from esper_audit.report.formats import Format, print_document, render
from esper_audit.report.text.terminal import WIDTH

_COMMANDS: dict[type[Document], str] = {
    Report: "run",
    ProgramReport: "exec",
    GateReport: "gate",
    ComparisonReport: "compare",
    FixReport: "fix",
    ScanReport: "scan",
}
_EXPORTS = (".svg", ".html", ".txt")


def export_report(report: Document, suffix: str, width: int, verbosity: int = 0) -> str:
    """The report as the text of an .svg, .html or .txt file.

    ``width`` is that of pictures and texts in columns; a page of HTML is as wide as its window.
    """
    if suffix not in _EXPORTS:
        raise UsageError(
            f"A report can't be exported as {repr(suffix) if suffix else 'a file without suffix'}.",
            f"Give a file that ends in {', '.join(_EXPORTS)}.",
        )
    if suffix == ".html":
        return render(report, Format.HTML, verbosity)
    console = Console(record=True, width=width, file=io.StringIO(), highlight=False)
    print_document(report, console, verbosity)
    if suffix == ".svg":
        return console.export_svg(title=f"esper-audit {_COMMANDS[type(report)]}")
    return console.export_text()


_FRAGMENT = (
    "<pre style=\"font-family:Menlo,'DejaVu Sans Mono',consolas,'Courier New',monospace;"
    'line-height:1.25;overflow-x:auto;white-space:pre">{code}</pre>'
)


def html_fragment(report: Document | str, width: int = WIDTH) -> str:
    """The report, or a text, as HTML to put into a page: it has its own styles and no scripts."""
    console = Console(record=True, width=width, file=io.StringIO(), highlight=False)
    if isinstance(report, str):
        console.print(Text(clean_lines(report)))
    else:
        print_document(report, console)
    return console.export_html(inline_styles=True, code_format=_FRAGMENT)
