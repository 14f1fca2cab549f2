"""``esper-audit show``: a saved file again, in any format, without torch."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from esper_audit.cli.command import command
from esper_audit.cli.options import Words
from esper_audit.errors import UsageError


def show(
    *,
    file: Annotated[
        Path | None,
        typer.Argument(
            metavar="FILE",
            show_default=False,
            help="A file that --save or --output has written, or a folder with the recording of"
            " each rank. Without it: the last audit of this project.",
        ),
    ] = None,
    export: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Write the report to this .svg, .html, .txt or .trace.json file instead of"
            " printing it.",
        ),
    ] = None,
    beside: Annotated[
        Path | None,
        typer.Option(
            metavar="PROFILE",
            help="With --export: write PROFILE, a trace that torch.profiler exported in the"
            " recorded process, with the compiles of the audit in it, to a .json or .json.gz"
            " file.",
        ),
    ] = None,
    width: Annotated[
        int,
        typer.Option(
            min=40,
            max=10_000,
            metavar="N",
            help="Make an exported report N columns wide. The default is 100.",
        ),
    ] = 100,
    words: Words,
) -> None:
    """Print the last audit, or a saved file, again, in any format.

    It needs no torch, and ends with the exit code of the saved verdict.
    """
    from esper_audit.cli.exit_codes import code_of
    from esper_audit.cli.last import kept_files, last
    from esper_audit.cli.output import finish, write_files
    from esper_audit.cli.places import check_places, with_recordings
    from esper_audit.data.storage import write_atomically
    from esper_audit.data.written import Written
    from esper_audit.program.saved import load_report
    from esper_audit.report.export import export_beside, export_report
    from esper_audit.report.formats import Format, Output, check_drawable, parse_outputs

    outputs = parse_outputs(words.output or ())
    pictures = [Output(Format.PLAIN, export)] if export is not None else []
    if beside is not None and export is None:
        raise UsageError("--beside needs --export.", "Add --export FILE.json.")
    read = kept_files() if file is None else with_recordings([file])
    check_places([*outputs, *pictures], [*read, *([beside] if beside is not None else [])])
    report = load_report(file) if file is not None else last()
    check_drawable(report, (words.format, *(output.format for output in outputs)))
    if export is None:
        finish(report, words, outputs)
    if beside is not None:
        data = export_beside(report, beside, export.name)
    else:
        data = export_report(report, export.name, width, words.verbosity).encode()
    written = Written()
    written.attempt(str(export), partial(write_atomically, export, data))
    write_files(report, outputs, words.verbosity, written)
    written.check()
    sys.exit(code_of(report))


COMMAND = command(show, Words)
