"""Every error that esper-audit raises on purpose, each with the exit code it stands for."""

from __future__ import annotations

from collections.abc import Collection
from enum import IntEnum


class ExitCode(IntEnum):
    """What the process of a command ends with."""

    CLEAN = 0
    FINDINGS = 1
    USAGE = 2
    INCOMPLETE = 3


class AuditError(Exception):
    """Base of all errors of this tool.

    The message says what happened and where; ``hint`` says what to do about it.
    """

    exit_code = ExitCode.INCOMPLETE

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class UsageError(AuditError):
    """The command line, the configuration or an input file is wrong."""

    exit_code = ExitCode.USAGE


class MissingPackageError(UsageError, ImportError):
    """An optional package is not installed; the hint names the extra that brings it."""

    def __init__(self, package: str, extra: str = "") -> None:
        hint = f"pip install '{f'esper-audit[{extra}]' if extra else package}'"
        super().__init__(f"{package} is not installed.", hint)
        self.add_note(hint)  # for a traceback, where Python code called us


class IncompleteError(AuditError):
    """The audit started but could not be brought to an end."""


class TorchError(IncompleteError):
    """Torch is missing, too old or broken: neither our fault, nor that of the user's code."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message, hint)
        self.add_note(hint)  # for a traceback, where Python code called us


UNCAUGHT = KeyboardInterrupt()
"""Of a program that Ctrl-C has ended: not for us to catch."""


def did_you_mean(word: str, known: Collection[str]) -> str:
    """`` (did you mean 'x'?)`` for a misspelt word; empty where no known one is close to it."""
    from difflib import get_close_matches

    begun = [name for name in known if word and name.startswith(word)]
    close = get_close_matches(word, known, n=1) or begun
    return f" (did you mean {str(close[0])!r}?)" if close else ""
