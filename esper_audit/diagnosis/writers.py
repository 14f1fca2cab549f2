"""Who wrote the guarded state that a cause is about: each line, and how many recompiles it made."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from esper_audit.data.compiles import Compile, GuardFailure, Outcome, Write
from esper_audit.data.findings import Writer
from esper_audit.data.places import Location
from esper_audit.data.reasons import Reason, Why

Case = tuple[Compile, GuardFailure]

_NO_CHANGE = Write("", unknown=Reason(why=Why.NO_STATE_CHANGE))
_NOT_RECORDED = Write("", unknown=Reason(why=Why.NOT_RECORDED))


def first_write(group: Sequence[Case]) -> Write:
    """The writer of the first case whose writer is known; else why there is none."""
    if group[0][1].kind == "CONCURRENT":
        return _NO_CHANGE
    found = [write for _, write in _writes(group)]
    known = next((write for write in found if write.location is not None), None)
    return known or (found[0] if found else _NOT_RECORDED)


def writers_of(group: Sequence[Case]) -> tuple[Writer, ...]:
    """Each line that is known to have written, the first first, with the caller it had first."""
    callers: dict[Location, Location | None] = {}
    recompiles: dict[Location, int] = {}
    for compile_, write in _writes(group):
        if write.location is not None:
            callers.setdefault(write.location, write.called_from)
            made = compile_.count if compile_.outcome is Outcome.RECOMPILED else 0
            recompiles[write.location] = recompiles.get(write.location, 0) + made
    return tuple(Writer(line, callers[line], made) for line, made in recompiles.items())


def callers_of(group: Sequence[Case]) -> tuple[Writer, ...]:
    """The user's lines whose calls recompiled, the first first."""
    recompiles: dict[Location, int] = {}
    for compile_, _ in group:
        if compile_.stack:
            made = compile_.count if compile_.outcome is Outcome.RECOMPILED else 0
            line = compile_.stack[-1]
            recompiles[line] = recompiles.get(line, 0) + made
    return tuple(Writer(line, None, made) for line, made in recompiles.items())


def assigned_at(group: Sequence[Case]) -> Location | None:
    """The line that assigned the variable which was passed, where it is one line each time."""
    lines = {write.bound for _, write in _writes(group)}
    return lines.pop() if len(lines) == 1 else None


def _writes(group: Sequence[Case]) -> Iterator[tuple[Compile, Write]]:
    for compile_, failure in group:
        for write in compile_.writes:
            if write.source == failure.written:
                yield compile_, write
