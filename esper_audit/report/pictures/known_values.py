"""What a guarded value is known to have been, and at which compile.

A guard that fails tells both sides: the value that its cache entry was compiled for, and the one
that came. Between two compiles nobody looked, so nothing is told of the time between.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from esper_audit.data.compiles import Compile, GuardFailure
from esper_audit.data.findings import Finding
from esper_audit.diagnosis.causes import is_about
from esper_audit.diagnosis.sharing import shared_frame
from esper_audit.report.words.guards import came, wanted
from esper_audit.torch_text.guard_kinds import Reading, reading_of

_EXACT = (Reading.VALUE, Reading.SWITCH, Reading.LENGTH)
"""Readings whose expected value is one value, and no condition that many meet."""

Known = tuple[Compile, str]


Code = tuple[str, int, str]


def code_of(attempt: Compile) -> Code:
    """The code object, to which cache entries belong."""
    frame = attempt.frame
    return frame.file, frame.line, frame.raw_name


def entries(compiles: Sequence[Compile]) -> Iterator[tuple[Compile, Mapping[str, Compile]]]:
    """Each attempt on a frame, with the compiles that made the cache entries before it, by id.

    A frame's ids start over where torch is reset: then its entries are gone. Callables behind one
    wrapper share its entries.
    """
    known: dict[Code, dict[str, Compile]] = {}
    for attempt in compiles:
        before = known.setdefault(code_of(attempt), {})
        if not attempt.cache_entries_before:
            before.clear()
        yield attempt, before
        if attempt.succeeded:
            before[attempt.id] = attempt


def known_values(finding: Finding, compiles: Sequence[Compile]) -> list[Known]:
    """The known values of what a cause is about, in order: one for each compile of its frame."""
    found: dict[int, Known] = {}
    for attempt, before in entries(compiles):
        if finding.frame.key not in (attempt.frame.key, shared_frame(attempt.frame).key):
            continue
        for failure in _of(finding, attempt):
            found[attempt.sequence] = (attempt, came(failure))
            entry = before.get(failure.cache_entry)
            if entry is not None and is_exact(failure):
                found.setdefault(entry.sequence, (entry, wanted(failure)))
    return [found[sequence] for sequence in sorted(found)]


def is_exact(failure: GuardFailure) -> bool:
    """Whether the cache entry's guard accepts one value alone, which it was compiled with."""
    is_bound = failure.expected.startswith((">", "<"))
    return reading_of(failure.kind) in _EXACT and not is_bound


def _of(finding: Finding, attempt: Compile) -> Iterator[GuardFailure]:
    return (failure for failure in attempt.guard_failures if is_about(finding, failure))
