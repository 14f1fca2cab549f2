"""``esper-audit show`` and ``esper-audit schema``: saved files, without torch."""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path

import msgspec
from rich.console import Console

from esper_audit.cli.options import Words
from esper_audit.cli.output import leave, write_files, write_report
from esper_audit.data.audits import ProgramAudit, ProgramReport, Report
from esper_audit.data.changes import ComparisonReport, GateReport
from esper_audit.data.recording import Recording
from esper_audit.data.storage import (
    KINDS,
    Document,
    json_schema,
    load,
    load_any,
    read,
    write_atomically,
)
from esper_audit.diagnosis import judge_program
from esper_audit.diagnosis.ranks import merge
from esper_audit.errors import UsageError
from esper_audit.recording.journal import SUFFIX, read_journal
from esper_audit.report.formats import parse_outputs, print_document

_COMMANDS: dict[type[Document], str] = {
    Report: "run",
    ProgramReport: "exec",
    GateReport: "gate",
    ComparisonReport: "compare",
}
_EXPORTS = (".svg", ".html", ".txt")


def show_command(file: Path, words: Words, export: Path | None, width: int) -> None:
    """Print what was saved, or export it as a picture; ends with the verdict's exit code."""
    outputs = parse_outputs(words.output or ())
    report = load_report(file)
    if export is None:
        write_report(report, words.format, words.verbosity, outputs)
    else:
        text = export_report(report, export.suffix, width, words.verbosity)
        write_atomically(export, text.encode())
    write_files(report, outputs, words.verbosity)
    leave(report)


def load_report(path: Path) -> Document:
    """A saved report, or that of a saved recording, or of a folder with one for each rank.

    Raises UsageError where there is none.
    """
    if os.path.isdir(path):  # noqa: PTH112  # Path.is_dir raises where a name is too long
        return merge([_audit(each) for each in _recordings(path)], str(Path.cwd()))
    if path.suffix == SUFFIX:
        return merge([_audit(path)], str(Path.cwd()))
    document = load_any(path)
    if isinstance(document, Recording):
        return merge([judge_program(document)], str(Path.cwd()))
    return document


def _recordings(folder: Path) -> list[Path]:
    """Finished recordings, and what unfinished ones left."""
    found = sorted(folder.glob("*.json"))
    for partial in sorted(folder.glob(f"*.json{SUFFIX}")):
        finished = partial.with_suffix("")
        if finished not in found:
            found.append(partial)
        elif partial.stat().st_mtime > finished.stat().st_mtime:  # a later run has crashed
            found[found.index(finished)] = partial
    if not found:
        raise UsageError(
            f"The folder {folder} holds no recording.",
            "Save them with `esper-audit exec --save FOLDER/`.",
        )
    return found


def _audit(path: Path) -> ProgramAudit:
    if path.suffix != SUFFIX:
        return judge_program(load(path, Recording))
    try:
        return judge_program(read_journal(read(path)))
    except msgspec.MsgspecError as error:
        raise UsageError(f"{path} holds no recording: {error}.") from None


def export_report(report: Document, suffix: str, width: int, verbosity: int = 0) -> str:
    """The report as the text of an .svg, .html or .txt file, ``width`` columns wide."""
    if suffix not in _EXPORTS:
        raise UsageError(
            f"A report can't be exported as {suffix or 'a file without suffix'!r}.",
            f"Give a file that ends in {', '.join(_EXPORTS)}.",
        )
    console = Console(record=True, width=width, file=io.StringIO(), highlight=False)
    print_document(report, console, verbosity)
    if suffix == ".svg":
        name = _COMMANDS[type(report)]
        return console.export_svg(title=f"esper-audit {name}")
    return console.export_html() if suffix == ".html" else console.export_text()


def schema_command(kind: str) -> None:
    """Print the JSON Schema of a saved file of this kind."""
    text = msgspec.json.format(msgspec.json.encode(json_schema(KINDS[kind]))).decode()
    sys.stdout.write(text + "\n")
