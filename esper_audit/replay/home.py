"""Only the process that was given a job answers it, and not a child that it has forked."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

_LEAVE = os._exit  # as it was before any program could replace it


@contextmanager
def leave_unless_home() -> Iterator[None]:
    """A process that was forked inside, and comes back out of it, ends here.

    However it comes: it returns, raises or exits. It ends by ``os._exit``, so that it runs no
    cleanup and sends nothing, with the exit code that it would have under python.
    """
    home = os.getpid()
    try:
        yield
    except BaseException as error:
        if os.getpid() != home:
            _leave(error)
        raise
    if os.getpid() != home:
        _LEAVE(0)


def _leave(error: BaseException) -> NoReturn:
    code = 1
    try:
        if isinstance(error, SystemExit) and isinstance(error.code, int | None):
            code = (error.code or 0) & 0xFF
        elif isinstance(error, SystemExit):
            print(error.code, file=sys.stderr)
        else:
            traceback.print_exception(error)
    finally:
        _LEAVE(code)
