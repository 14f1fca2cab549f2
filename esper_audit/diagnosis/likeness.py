"""What two ranks must have in common to have done the same, and where they part.

The same frames, the same compiles of each in order, with the same guards that failed, the same
graph breaks and endings. Seconds may differ, and so may values: each rank has data of its own.
"""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from collections.abc import Iterator

from esper_audit.data.compiles import Compile
from esper_audit.data.recording import Recording
from esper_audit.diagnosis.proof import ran_after_warm_up, ran_compiled

_VARIES = re.compile(r"0x[0-9a-f]+|\d+")
Print = tuple[object, ...]
"""What is compared of one compile."""


def likeness(recording: Recording) -> str:
    """One short text for all recordings of programs that did the same."""
    program = recording.program if recording.trace_log is None else None
    whole = (
        (program.argv, program.name, program.exit_code) if program is not None else None,
        (recording.environment.torch, recording.environment.device, recording.complete),
        (ran_compiled(recording), ran_after_warm_up(recording)),
        sorted((error.hook, error.gist) for error in recording.hook_errors),
        sorted((lost.key, lost.name) for lost in recording.lost),
        sorted((key, tuple(prints)) for key, prints in _by_frame(recording).items()),
    )
    return hashlib.sha256(repr(whole).encode("utf-8", "backslashreplace")).hexdigest()


def parting(own: Recording, other: Recording) -> str:
    """The key of the first frame in which two recordings differ; empty if they differ in none."""
    mine, theirs = _by_frame(own), _by_frame(other)
    apart = {key for key in mine.keys() | theirs.keys() if mine.get(key) != theirs.get(key)}
    return next((key for key in _in_order_of_parting(own, other) if key in apart), "")


def _in_order_of_parting(own: Recording, other: Recording) -> Iterator[str]:
    """Keys of frames, the earliest first whose next event is not the same in both."""
    mine, theirs = list(_events(own)), list(_events(other))
    for first, second in zip(mine, theirs, strict=False):
        if first != second:
            yield from (first[0], second[0])
    longer = mine if len(mine) > len(theirs) else theirs
    yield from (key for key, _ in longer[min(len(mine), len(theirs)) :])


def _by_frame(recording: Recording) -> dict[str, list[Print]]:
    found: dict[str, list[Print]] = defaultdict(list)
    for key, event in _events(recording):
        found[key].append(event)
    return found


def _events(recording: Recording) -> Iterator[tuple[str, Print]]:
    """What happened to which frame: compiles, and frames that torch gave up untried."""
    for attempt in recording.compiles:
        yield attempt.frame.key, _print(attempt)
    for skip in recording.skips:
        yield skip.frame.key, ("skip", skip.for_good, _steady(skip.reason))


def _print(attempt: Compile) -> Print:
    causes = {(guard.kind, guard.torch_source or guard.source) for guard in attempt.guard_failures}
    breaks = {
        (broken.kind, _steady(broken.location.file), broken.location.line)
        if broken.location is not None
        else (broken.kind, _steady(broken.reason), 0)
        for broken in attempt.graph_breaks
    }
    return (
        attempt.outcome.value,
        attempt.phase.value,
        attempt.count if attempt.succeeded else 0,
        attempt.limit,
        attempt.runs_after.value,
        _steady(attempt.reason),
        tuple(sorted(causes)),
        tuple(sorted(breaks)),
    )


def _steady(text: str) -> str:
    """Without addresses and numbers, which each process has of its own."""
    return _VARIES.sub("#", text.partition("\n")[0])
