"""Programs, as a reader calls them; the whole command line is in the recording."""

from __future__ import annotations

from pathlib import PurePath

from esper_audit.data.recording import Program


def program_name(program: Program | None) -> str:
    """``train.py``, ``-m package.module (rank 1)``; of a recording without one, a general word."""
    if program is None:
        return "recording"
    rank = f" (rank {program.rank})" if program.rank is not None else ""
    return f"{_script(program.argv)}{rank}"


def _script(argv: tuple[str, ...]) -> str:
    if argv[:1] == ("-m",):
        return " ".join(argv[:2])
    return PurePath(argv[0]).name if argv else "program"


def first_line(text: str) -> str:
    """The first line of what may be many."""
    return next(iter(text.strip().splitlines()), "")
