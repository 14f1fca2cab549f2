"""The text of a graph break as the trace log has it: where it broke, why, and the traced stack.

``_log_graph_break`` of torch/_dynamo/exc.py and symbolic_convert.py (2.6 to 2.14) writes it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from esper_audit.data.places import Location

_PLACE = re.compile(
    r"^Graph break (?:in user code )?at (?P<file>.+):(?P<line>\d{1,9})\s*$", re.MULTILINE
)
_REASON = re.compile(r"^(?:Graph Break )?Reason: ", re.MULTILINE)
_ATTEMPT = "Encountered graph break when attempting to trace"
_TRACEBACK = re.compile(r"^User code traceback:\s*$", re.MULTILINE)
_SECOND = re.compile(r"^Traceback \(most recent call last\)", re.MULTILINE)
_LINE = re.compile(
    r'^\s*File "(?P<file>[^"\n]+)", line (?P<line>\d{1,9}), in (?P<function>.+)$', re.MULTILINE
)


@dataclass(frozen=True, slots=True)
class BreakArtifact:
    """``stack`` is the traced code from the outermost call in, ``reason`` torch's whole text."""

    reason: str
    place: Location | None = None
    stack: tuple[Location, ...] = ()


def read_artifact(text: str) -> BreakArtifact:
    """The parts of one artifact; of a text in another form the whole is the reason."""
    place = _PLACE.search(text)
    start = _REASON.search(text)
    said = text[start.end() :] if start is not None else text
    end = _TRACEBACK.search(said)
    reason, rest = (said[: end.start()], said[end.end() :]) if end is not None else (said, "")
    if reason.startswith(_ATTEMPT):
        reason = reason.partition("\n\n")[2] or reason
    more = _SECOND.search(rest)
    lines = _LINE.finditer(rest[: more.start()] if more is not None else rest)
    stack = tuple(Location(at["file"], int(at["line"]), at["function"]) for at in lines)
    where = Location(place["file"], int(place["line"]), _function(place, stack)) if place else None
    return BreakArtifact(reason.strip(), where, stack)


def _function(place: re.Match[str], stack: tuple[Location, ...]) -> str:
    """The function of the line that broke: the traced stack names it."""
    wanted = place["file"], int(place["line"])
    known = (at.function for at in reversed(stack) if (at.file, at.line) == wanted)
    return next(known, "")
