"""``esper-audit show``: a saved file again, in any format, without torch."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from esper_audit.cli.command import command
from esper_audit.cli.options import Words


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
            help="Write the report to this .svg, .html or .txt file instead of printing it.",
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
    from esper_audit.report.export import export_report
    from esper_audit.report.formats import Format, Output, parse_outputs

    outputs = parse_outputs(words.output or ())
    pictures = [Output(Format.PLAIN, export)] if export is not None else []
    read = kept_files() if file is None else with_recordings([file])
    check_places([*outputs, *pictures], read)
    report = load_report(file) if file is not None else last()
    if export is None:
        finish(report, words, outputs)
    text = export_report(report, export.suffix, width, words.verbosity)
    written = Written()
    written.attempt(str(export), partial(write_atomically, export, text.encode()))
    write_files(report, outputs, words.verbosity, written)
    written.check()
    sys.exit(code_of(report))


COMMAND = command(show, Words)
