"""Programs, as a reader calls them; the whole command line is in the recording."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import PurePath

from esper_audit.data.places import Frame, Location
from esper_audit.data.recording import Program
from esper_audit.report.words.paths import short_line


def program_name(program: Program | None, *, with_rank: bool = True) -> str:
    """``train.py``, ``-m package.module (rank 1)``; of a recording without one, a general word."""
    if program is None:
        return "recording"
    is_told = with_rank and program.rank is not None
    rank = f" (rank {program.rank})" if is_told else ""
    return f"{program.name or _script(program.argv)}{rank}"


def _script(argv: tuple[str, ...]) -> str:
    if argv[:1] == ("-m",):
        return " ".join(argv[:2])
    return PurePath(argv[0]).name if argv else "program"


def frame_names(frames: Sequence[Frame]) -> dict[Frame, str]:
    """Each frame's name; of several with one name also the function and where it is defined."""
    keys: dict[str, set[str]] = defaultdict(set)
    for frame in frames:
        keys[frame.name].add(frame.key)
    return {
        frame: frame.name if len(keys[frame.name]) == 1 else f"{frame.name} ({_defined(frame)})"
        for frame in frames
    }


def _defined(frame: Frame) -> str:
    """``wrapper at optimizer.py:512``."""
    function = frame.raw_name.rpartition(".")[2]
    return f"{function} at {short_line(Location(frame.file, frame.line))}"


def first_line(text: str) -> str:
    """The first line of what may be many."""
    return next(iter(text.strip().splitlines()), "")
