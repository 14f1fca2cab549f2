"""Where words go: the report to stdout, words about the run to stderr."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

from rich.console import Console
from rich.text import Text

from esper_audit.cli.exit_codes import code_of
from esper_audit.cli.options import Words
from esper_audit.cli.stdout import stdout_that_may_end
from esper_audit.data.audits import ProgramReport
from esper_audit.data.clean import clean
from esper_audit.data.storage import Document, check_writable, write_atomically
from esper_audit.errors import IncompleteError, UsageError
from esper_audit.report.formats import Format, Output, print_document, render
from esper_audit.report.words.commands import NOTHING_TYPED, Typed


class _Console(Console):
    def on_broken_pipe(self) -> None:
        """Rich would end the process with exit code 1, which means findings here."""
        raise BrokenPipeError


def stdout() -> Console:
    """For reports. Paths and numbers are not recoloured: colour means a verdict."""
    return _Console(highlight=False)


def stderr() -> Console:
    """For words about the run."""
    return _Console(stderr=True, highlight=False)


def shown(text: str, style: str = "") -> Text:
    """Words of a program or of torch for rich: nothing in them is markup or steers a terminal."""
    return Text(clean(text), style=style)


def write_report(
    document: Document, form: Format, verbosity: int, outputs: Sequence[Output] = ()
) -> None:
    """Print a report on stdout; nowhere, where stdout is closed: the verdict stands.

    ``outputs`` are the files that it is written to as well.
    """
    if sys.stdout is None:
        return
    with stdout_that_may_end():
        _print(document, form, verbosity, stdout(), _typed(outputs))


def _typed(outputs: Sequence[Output]) -> Typed:
    files = [output.path for output in outputs if output.format is Format.JSON]
    regular = [str(path) for path in files if path.is_file() or not path.exists()]
    return Typed(tuple(sys.argv[1:]), next(iter(regular), ""))


def _print(
    document: Document,
    form: Format,
    verbosity: int,
    console: Console,
    typed: Typed = NOTHING_TYPED,
) -> None:
    """On a terminal as wide as that is; anywhere else for other tools, unwrapped."""
    if form is Format.RICH and console.is_terminal:
        print_document(document, console, verbosity, typed)
    else:
        form = Format.PLAIN if form is Format.RICH else form
        width = console.width if console.is_terminal else None
        console.file.write(render(document, form, verbosity, width, typed))


def write_files(document: Document, outputs: Sequence[Output], verbosity: int) -> None:
    """Write a report into files: each whole or not at all, and one that fails spares the others.

    Raises the first UsageError, after all have been tried.
    """
    troubles = []
    for output in outputs:
        try:
            write_atomically(output.path, render(document, output.format, verbosity).encode())
        except UsageError as error:
            troubles.append(error)
    if troubles:
        raise IncompleteError(
            f"The report can't be written: {troubles[0]}",
            "Its other files are written." if len(troubles) < len(outputs) else "",
        )


def check_places(outputs: Sequence[Output], taken: Sequence[Path] = ()) -> None:
    """Raise UsageError before a long run, where a file can't be written, or would be twice.

    ``taken`` are files that the command reads or writes itself.
    """
    seen = {os.path.realpath(path) for path in taken}
    for output in outputs:
        check_writable(output.path)
        place = os.path.realpath(output.path)
        is_device = Path(place).exists() and not Path(place).is_file()
        if place in seen and not is_device:
            raise UsageError(
                f"{output.path} is named twice.",
                "Give each output, and the baseline, a file of its own.",
            )
        seen.add(place)


def print_program(report: ProgramReport, form: Format, verbosity: int) -> None:
    """Print the report on a program on stderr, as stdout is the program's."""
    if sys.stderr is None:
        return
    with suppress(OSError, ValueError):  # stderr is closed or full; the exit code stands
        _print(report, form, verbosity, stderr())
        sys.stderr.flush()


def finish(document: Document, words: Words, outputs: Sequence[Output]) -> NoReturn:
    """Print the report, write its files, and end with the exit code of its verdict."""
    try:
        write_report(document, words.format, words.verbosity, outputs)
    finally:
        write_files(document, outputs, words.verbosity)
    sys.exit(code_of(document))
