"""A report as a picture, a page or a text file."""

from __future__ import annotations

import gzip
import io
from pathlib import Path, PurePath

from rich.console import Console
from rich.text import Text

from esper_audit.data.clean import clean_lines
from esper_audit.data.storage import Document
from esper_audit.errors import UsageError
from esper_audit.report.formats import Format, check_drawable, print_document, render
from esper_audit.report.made_by import command_of
from esper_audit.report.text.terminal import WIDTH

_TIMELINE = ".trace.json"
_EXPORTS = (".svg", ".html", ".txt", _TIMELINE)
_MERGED = (".json", ".json.gz")


def export_beside(report: Document, profile: Path, name: str) -> bytes:
    """A trace of torch.profiler with the compiles of the report in it, for a file of this name."""
    from esper_audit.report.timeline.beside import beside

    if not name.lower().endswith(_MERGED):
        raise UsageError(
            f"A trace can't be exported as {name!r}.",
            f"Give a file that ends in {' or '.join(_MERGED)}.",
        )
    data = beside(report, profile).encode()
    return gzip.compress(data, mtime=0) if name.lower().endswith(".gz") else data


def export_report(report: Document, name: str, width: int, verbosity: int = 0) -> str:
    """The report as the text of an .svg, .html, .txt or .trace.json file of this name.

    ``width`` is that of pictures and texts in columns; a page of HTML is as wide as its window.
    """
    suffix = next((known for known in _EXPORTS if name.endswith(known)), "")
    if not suffix:
        unknown = PurePath(name).suffix
        said = repr(unknown) if unknown else "a file without suffix"
        raise UsageError(
            f"A report can't be exported as {said}.",
            f"Give a file that ends in {', '.join(_EXPORTS)}.",
        )
    if suffix == _TIMELINE:
        check_drawable(report, [Format.CHROME_TRACE])
        return render(report, Format.CHROME_TRACE)
    if suffix == ".html":
        return render(report, Format.HTML, verbosity)
    console = _recording_console(width)
    print_document(report, console, verbosity)
    if suffix == ".svg":
        return console.export_svg(title=f"esper-audit {command_of(report)}")
    return console.export_text()


_FRAGMENT = (
    "<pre style=\"font-family:Menlo,'DejaVu Sans Mono',consolas,'Courier New',monospace;"
    'line-height:1.25;overflow-x:auto;white-space:pre">{code}</pre>'
)


def html_fragment(report: Document | str, width: int = WIDTH) -> str:
    """The report, or a text, as HTML to put into a page: it has its own styles and no scripts."""
    console = _recording_console(width)
    if isinstance(report, str):
        console.print(Text(clean_lines(report)))
    else:
        print_document(report, console)
    return console.export_html(inline_styles=True, code_format=_FRAGMENT)


def _recording_console(width: int) -> Console:
    """A console that keeps what is printed; in a notebook rich would show each line as well."""
    return Console(
        record=True, width=width, file=io.StringIO(), highlight=False, force_jupyter=False
    )
