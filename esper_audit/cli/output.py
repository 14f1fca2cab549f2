"""Where words go: the report to stdout, words about the run to stderr."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

from rich.console import Console

from esper_audit.errors import ExitCode, IncompleteError
from esper_audit.findings import AuditVerdict, Report
from esper_audit.report.terminal import print_report
from esper_audit.storage import dumps

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
    return Console(stderr=True, highlight=False)


def write_report(report: Report, as_json: bool, verbosity: int) -> None:
    """Print a report on stdout."""
    with stdout_that_may_end():
        if as_json:
            sys.stdout.write(dumps(report).decode())
        else:
            print_report(report, stdout(), verbosity)


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


def leave(report: Report) -> NoReturn:
    """End the process with the exit code of the report's verdict."""
    sys.exit(_EXIT_CODES[report.verdict])
