"""The last audit: kept after each run, and found again by ``show``. It never costs an audit."""

from __future__ import annotations

import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from esper_audit.data.clean import clean
from esper_audit.data.last_audit import Kept, Shelf, shelf_of
from esper_audit.errors import UsageError
from esper_audit.report.words.commands import shell

if TYPE_CHECKING:
    from esper_audit.data.storage import Document

_UNITS = ((86400, "day"), (3600, "hour"), (60, "minute"), (1, "second"))


def shelf_here() -> Shelf | None:
    """That of the project of the current folder, for the command that is running.

    None where the folder has gone.
    """
    try:
        return shelf_of(Path.cwd(), tuple(sys.argv[1:]))
    except OSError:
        return None


def keep(document: Document, shelf: Shelf | None) -> bool:
    """Whether the audit is kept; a reader at a terminal is told why not."""
    try:
        return shelf is not None and shelf.keep(document)
    except (UsageError, OSError, RuntimeError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        _mutter(f"not kept for `esper-audit show`: {why}")
        return False


def kept_files() -> list[Path]:
    """The file that :func:`last` reads."""
    shelf = shelf_here()
    return [shelf.file] if shelf is not None and shelf.file is not None else []


def last() -> Document:
    """The last audit of this project; says on stderr which one it is.

    Raises UsageError where there is none.
    """
    shelf = shelf_here()
    if shelf is None:
        raise UsageError("The current folder has gone.", "Go to another, or give a file to show.")
    kept = shelf.last()
    if sys.stderr is not None:
        with suppress(OSError, ValueError):  # stderr is full or closed
            print(f"esper-audit: {_told(kept)}", file=sys.stderr, flush=True)
    return kept.document


def _told(kept: Kept) -> str:
    return f"the last audit ({_ago(kept.age)}): {shell(('esper-audit', *kept.words))}"


def _ago(seconds: float) -> str:
    """``5 minutes ago``."""
    for length, unit in _UNITS:
        count = int(seconds // length)
        if count:
            return f"{count} {unit}{'s' * (count != 1)} ago"
    return "just now"


def _mutter(text: str) -> None:
    from rich.text import Text

    from esper_audit.cli.output import stderr

    with suppress(AttributeError, OSError, ValueError):  # stderr is closed
        if sys.stderr.isatty():
            stderr().print(Text(clean(f"esper-audit: {text}"), style="dim"), soft_wrap=True)
