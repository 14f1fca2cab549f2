"""Where words go: the report to stdout, words about the run to stderr."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from typing import NoReturn

from rich.console import Console
from rich.text import Text

from esper_audit.cli.exit_codes import code_of
from esper_audit.cli.last import keep
from esper_audit.cli.options import Words
from esper_audit.cli.stdout import stdout_that_may_end
from esper_audit.data.audits import ProgramReport
from esper_audit.data.clean import clean
from esper_audit.data.files import is_file, is_there
from esper_audit.data.last_audit import Shelf
from esper_audit.data.storage import Document, write_atomically
from esper_audit.data.written import Written
from esper_audit.report.formats import (
    Format,
    Output,
    check_drawable,
    print_document,
    print_lines,
    render,
)
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
    document: Document,
    form: Format,
    verbosity: int,
    outputs: Sequence[Output] = (),
    *,
    kept: bool = False,
) -> None:
    """Print a report on stdout; nowhere, where stdout is closed: the verdict stands.

    ``outputs`` are the files that it is written to as well; ``kept``: `show` finds it.
    """
    if sys.stdout is None:
        return
    with stdout_that_may_end():
        _print(document, form, verbosity, stdout(), _typed(outputs, kept))


def _typed(outputs: Sequence[Output], kept: bool) -> Typed:
    files = [output.path for output in outputs if output.format is Format.JSON]
    regular = [str(path) for path in files if is_file(path) or not is_there(path)]
    return Typed(tuple(sys.argv[1:]), next(iter(regular), ""), kept)


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
    elif form is Format.CONCISE and console.is_terminal:
        print_lines(document, form, console)
    else:
        form = Format.PLAIN if form is Format.RICH else form
        width = console.width if console.is_terminal else None
        console.file.write(render(document, form, verbosity, width, typed))


def write_files(
    document: Document, outputs: Sequence[Output], verbosity: int, written: Written
) -> None:
    """Write a report into files, each whole or not at all."""
    for output in outputs:
        written.attempt(str(output.path), partial(_write, document, output, verbosity))


def _write(document: Document, output: Output, verbosity: int) -> None:
    write_atomically(output.path, render(document, output.format, verbosity).encode())


def print_program(
    report: ProgramReport, form: Format, verbosity: int, *, kept: bool = False
) -> None:
    """Print the report on a program on stderr, as stdout is the program's.

    ``kept``: `show` finds it.
    """
    if sys.stderr is None:
        return
    with suppress(OSError, ValueError):  # stderr is closed or full; the exit code stands
        _print(report, form, verbosity, stderr(), Typed(kept=kept))
        sys.stderr.flush()


def finish(
    document: Document,
    words: Words,
    outputs: Sequence[Output],
    written: Written | None = None,
    *,
    shelf: Shelf | None = None,
) -> NoReturn:
    """Write the report into its files, print it, and end with the exit code of its verdict.

    Files come first: who reads stdout may end or stop this process. Raises IncompleteError where
    something was not ``written``, by now or before. On ``shelf``, the report is kept for `show`:
    after its files, which may need the last space on a disk.
    """
    check_drawable(document, (words.format, *(output.format for output in outputs)))
    written = written or Written()
    write_files(document, outputs, words.verbosity, written)
    kept = keep(document, shelf)
    there = [output for output in outputs if written.has(str(output.path))]
    written.attempt(
        "the report on stdout",
        partial(write_report, document, words.format, words.verbosity, there, kept=kept),
    )
    written.check()
    sys.exit(code_of(document))
