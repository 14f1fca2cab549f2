"""Where words go: the report to stdout, words about the run to stderr."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NoReturn

from rich.console import Console

from esper_audit.errors import ExitCode, IncompleteError
from esper_audit.findings import AuditVerdict, ProgramReport, Report
from esper_audit.report.program import print_program
from esper_audit.report.terminal import print_report
from esper_audit.storage import dumps, write_atomically

_EXIT_CODES = {
    AuditVerdict.PASSED: ExitCode.CLEAN,
    AuditVerdict.FAILED: ExitCode.FINDINGS,
    AuditVerdict.SKIPPED: ExitCode.INCOMPLETE,
    AuditVerdict.ERROR: ExitCode.INCOMPLETE,
}


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


def write_report(report: Report | ProgramReport, as_json: bool, verbosity: int) -> None:
    """Print a report on stdout."""
    with stdout_that_may_end():
        if as_json:
            sys.stdout.write(dumps(report).decode())
        else:
            print_any(report, stdout(), verbosity)


def print_any(report: Report | ProgramReport, console: Console, verbosity: int) -> None:
    """Print a report of either kind."""
    if isinstance(report, Report):
        print_report(report, console, verbosity)
    else:
        print_program(report, console, verbosity)


def write_program(
    report: ProgramReport, as_json: bool, output: Path | None, verbosity: int
) -> None:
    """Print the report on a program: on stderr, as stdout is the program's; or into a file."""
    data = dumps(report).decode() if as_json else ""
    if output is not None:
        write_atomically(output, (data or program_text(report, verbosity)).encode())
        return
    with suppress(OSError, ValueError):  # stderr is closed or full; the exit code stands
        if as_json:
            sys.stderr.write(data)
        else:
            print_program(report, stderr(), verbosity)
        sys.stderr.flush()


def program_text(report: ProgramReport, verbosity: int, width: int = 100) -> str:
    """The report as plain text."""
    console = Console(record=True, width=width, file=io.StringIO(), highlight=False)
    print_program(report, console, verbosity)
    return console.export_text()


@contextmanager
def stdout_that_may_end() -> Iterator[None]:
    """A reader that has gone (``| head``) is no error to tell; a full disk is.

    Raises IncompleteError for the latter.
    """
    try:
        yield
        sys.stdout.flush()
    except OSError as error:
        # Python flushes stdout once more as it ends, and would complain a second time.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if isinstance(error, BrokenPipeError):
            return  # the verdict stands, and with it the exit code
        raise IncompleteError(
            f"The report can't be written: {error.strerror}.",
            "Save it with --output, and print it with `esper-audit show`.",
        ) from None


def leave(report: Report | ProgramReport) -> NoReturn:
    """End the process with the exit code of the report's verdict; 0 where no budget was set."""
    if isinstance(report, Report):
        sys.exit(_EXIT_CODES[report.verdict])
    codes = [_EXIT_CODES[audit.verdict] for audit in report.audits if audit.verdict is not None]
    worst = ExitCode.FINDINGS if ExitCode.FINDINGS in codes else max(codes, default=ExitCode.CLEAN)
    sys.exit(ExitCode.FINDINGS if report.differences else worst)
