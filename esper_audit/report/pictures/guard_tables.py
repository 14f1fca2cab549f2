"""For each frame with recompiles, its guards by its cache entries: what each wanted, what came."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from esper_audit.data.compiles import GUARDS_FAILED, Compile, GuardFailure
from esper_audit.data.places import Frame
from esper_audit.diagnosis.sharing import shared_frame
from esper_audit.report.figures import GuardRow, GuardTable
from esper_audit.report.pictures.known_values import Code, code_of, entries
from esper_audit.report.sections import Line, Style, line, words
from esper_audit.report.words.guards import came, shortened, source_words, wanted
from esper_audit.report.words.numbers import agree, several

MOST_FRAMES = 20
MOST_ENTRIES = 24
MOST_GUARDS = 30

Recorded = tuple[str, Sequence[Compile]]
"""A recording's name, empty where there is one alone, and its attempts."""

_Subject = tuple[str, ...]
_Column = int
"""The sequence of the attempt that a column is of."""


@dataclass
class _Guards:
    """What is known of one frame's guards, while its attempts are gone through.

    ``recording`` is the name of what it was recorded in; ``keys`` are those of all frames that
    share its cache entries.
    """

    frame: Frame
    recording: str = ""
    keys: dict[str, None] = field(default_factory=dict)
    columns: dict[_Column, str] = field(default_factory=dict)
    counts: list[int] = field(default_factory=list)
    rows: dict[_Subject, GuardFailure] = field(default_factory=dict)
    wanted: dict[tuple[_Subject, _Column], str] = field(default_factory=dict)
    came: dict[tuple[_Subject, _Column], str] = field(default_factory=dict)
    made: int = 0
    seconds: float = 0.0


def guard_tables(recordings: Iterable[Recorded]) -> list[GuardTable]:
    """Of each recording the frames whose guards failed, those that cost most seconds first."""
    return [
        replace(_table(guards), anchor=f"guards-{number}")
        for number, guards in enumerate(_costliest(recordings), 1)
    ]


def frames_with_guards(recordings: Iterable[Recorded]) -> dict[str, str]:
    """The anchor of the first table of each frame that has one, by frame key."""
    anchors: dict[str, str] = {}
    for number, guards in enumerate(_costliest(recordings)[:MOST_FRAMES], 1):
        for key in guards.keys:
            anchors.setdefault(key, f"guards-{number}")
    return anchors


def _costliest(recordings: Iterable[Recorded]) -> list[_Guards]:
    found = [guards for recorded in recordings for guards in _by_frame(*recorded)]
    return sorted(found, key=lambda guards: -guards.seconds)


def _by_frame(name: str, compiles: Sequence[Compile]) -> list[_Guards]:
    by_code: dict[Code, _Guards] = {}
    named: dict[str, int] = defaultdict(int)
    for attempt, before in entries(compiles):
        guards = by_code.setdefault(code_of(attempt), _Guards(shared_frame(attempt.frame), name))
        guards.keys.update(dict.fromkeys((attempt.frame.key, guards.frame.key)))
        if attempt.succeeded or attempt.guard_failures:
            named[attempt.id] += 1
            guards.columns[attempt.sequence] = _name(attempt, named[attempt.id])
        guards.made += attempt.succeeded
        if attempt.guard_count is not None:
            guards.counts.append(attempt.guard_count)
        if attempt.outcome in GUARDS_FAILED:
            guards.seconds += attempt.seconds.total
        for failure in attempt.guard_failures:
            _note(guards, attempt, failure, before.get(failure.cache_entry))
    return [guards for guards in by_code.values() if guards.rows]


def _name(attempt: Compile, number: int) -> str:
    """``0/2``; of one of several with that id, after a reset, which; of none made, that too."""
    again = f" ({number})" if number > 1 else ""
    none = " not made" if not attempt.succeeded else ""
    return f"{attempt.id}{again}{none}"


def _note(guards: _Guards, attempt: Compile, failure: GuardFailure, entry: Compile | None) -> None:
    subject = (*failure.subject, *_of_settings(failure))
    guards.rows.setdefault(subject, failure)
    guards.came[subject, attempt.sequence] = came(failure)
    if entry is not None:
        guards.wanted[subject, entry.sequence] = wanted(failure)


def _of_settings(failure: GuardFailure) -> tuple[str, ...]:
    """Two settings of torch have one source."""
    return () if failure.torch_source else (failure.kind, *failure.fields)


def _table(guards: _Guards) -> GuardTable:
    columns = list(guards.columns)[:MOST_ENTRIES]
    rows = tuple(
        _row(guards, subject, failure, columns)
        for subject, failure in list(guards.rows.items())[:MOST_GUARDS]
    )
    names = tuple(shortened(guards.columns[column]) for column in columns)
    name = ", ".join(filter(None, (guards.frame.name, shortened(guards.recording))))
    return GuardTable(line(_told(guards, len(columns), len(rows))), name, names, rows)


def _row(
    guards: _Guards, subject: _Subject, failure: GuardFailure, columns: Sequence[_Column]
) -> GuardRow:
    """A guard that failed has varied, whatever is known of its values."""
    cells = tuple(_cell(guards, subject, column) for column in columns)
    return GuardRow(line(source_words(failure)), cells, varied=True)


def _cell(guards: _Guards, subject: _Subject, column: _Column) -> Line:
    """What the entry wants; where no lookup told that, what came in the call it was made for."""
    wants = guards.wanted.get((subject, column))
    if wants is not None:
        return line(wants)
    value = guards.came.get((subject, column))
    return line(words(value, Style.MUTED)) if value is not None else line()


def _told(guards: _Guards, columns: int, rows: int) -> str:
    failed, most = len(guards.rows), max(guards.counts, default=0)
    parts = [f"{several(failed, 'guard')} failed, over {several(guards.made, 'cache entry')}."]
    if most > failed:
        rest = most - failed
        parts.append(
            f"The other {several(rest, 'guard')} of an entry {agree(rest, 'was', 'were')} not seen"
            f" to fail: {agree(rest, 'it is', 'they are')} counted and not listed."
        )
    more = len(guards.columns) - columns
    left = [several(failed - rows, "more guard")] if failed > rows else []
    left += [several(more, "more entry")] if more else []
    parts += [f"{' and '.join(left)} left out."] if left else []
    return " ".join(parts)
