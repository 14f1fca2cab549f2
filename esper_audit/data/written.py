"""What of a finished audit could be written, and what could not: told once, at the end."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from esper_audit.errors import AuditError, IncompleteError

T = TypeVar("T")


class Written:
    """Tries each output of a command: one that fails spares the others."""

    def __init__(self) -> None:
        self._names: list[str] = []
        self._errors: list[Exception] = []

    def attempt(self, name: str, write: Callable[[], T]) -> T | None:
        """Write something now; None where that failed.

        ``name`` is what a reader calls it; empty for what the report itself tells.
        """
        try:
            result = write()
        except Exception as error:  # a defect of ours in one format costs no other either
            self._errors.append(error)
            return None
        self._names += [name] if name else []
        return result

    def has(self, name: str) -> bool:
        """Whether this was written."""
        return name in self._names

    def check(self) -> None:
        """Raise IncompleteError, with what was not written and what was; or a defect as it is."""
        told = "".join(f"\n  {error}" for error in self._errors if isinstance(error, AuditError))
        written = f"\n  Written: {', '.join(self._names)}." if self._names else ""
        for error in self._errors:
            if not isinstance(error, AuditError):
                error.add_note(f"Not written:{told}{written}" if told else written.strip())
                raise error
        if self._errors:
            raise IncompleteError(
                f"Not everything could be written:{told}{written}",
                "Free some space, or give other paths.",
            )
