"""Text on stdout, which may be closed, full, or read by one who has gone. Loads next to nothing."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from esper_audit.errors import IncompleteError

_SAVE_IT = "Save it with --output json=FILE, and print it with `esper-audit show`."


@contextmanager
def stdout_that_may_end(what: str = "The report", hint: str = _SAVE_IT) -> Iterator[None]:
    """A reader that has gone (``| head``) is no error to tell; a full disk is.

    Raises IncompleteError for the latter, which says ``what`` can't be written.
    """
    if sys.stdout is None:  # closed: nobody reads, and nothing is lost
        with suppress(AttributeError):
            yield
        return
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # marks that a code page lacks cost no verdict
    try:
        yield
        sys.stdout.flush()
    except OSError as error:
        # Python flushes stdout once more as it ends, and would complain a second time.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if isinstance(error, BrokenPipeError):
            return  # the verdict stands, and with it the exit code
        raise IncompleteError(f"{what} can't be written: {error.strerror}.", hint) from None


def write_text(text: str, what: str) -> None:
    """Write what is no report on stdout; raises IncompleteError where a disk is full."""
    with stdout_that_may_end(what, "Write it to a place with free space."):
        sys.stdout.write(f"{text}\n")
