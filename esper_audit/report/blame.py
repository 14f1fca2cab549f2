"""Blame by line: what each line that wrote guarded state has cost, as a section."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from esper_audit.data.audits import ProgramReport, Report
from esper_audit.data.reasons import Why
from esper_audit.data.verdicts import AuditVerdict
from esper_audit.diagnosis import is_control
from esper_audit.diagnosis.blame import Blame, Blames, blames
from esper_audit.report.ranks import short_names
from esper_audit.report.sections import Line, Part, Section, Style, Table, line
from esper_audit.report.words.guards import shortened
from esper_audit.report.words.numbers import several
from esper_audit.report.words.paths import writer
from esper_audit.report.words.reasons import in_words

MOST_LINES = 30
_SHOWN = 3
_HEADS = ("wrote", "frames")


def of_run(report: Report) -> Section | None:
    """Of the failed audits, after warm-up; None where no line is known."""
    failed = (
        audit
        for audit in report.audits
        if audit.verdict is AuditVerdict.FAILED and not is_control(audit, report.control)
    )
    found = blames(
        ((audit.scenario, audit.recording.compiles) for audit in failed), after_warm_up_only=True
    )
    return _section(found, report.root, _Words("scenarios", _counted, _NOT_WATCHED))


def of_program(report: ProgramReport) -> Section | None:
    """Of all ranks; None where no line is known."""
    named = zip(short_names(report), report.audits, strict=True)
    found = blames((name, audit.recording.compiles) for name, audit in named)
    note = alike(report)
    head = "ranks" if note or len(report.audits) > 1 else ""
    return _section(found, report.root, _Words(head, ", ".join, note=note))


def alike(report: ProgramReport) -> str:
    """That an audit stands for several ranks, and counts once; empty where none does."""
    return _OF_ONE if any(part.size > 1 for _, part in report.parts) else ""


_OF_ONE = "ranks that did the same count as one of them"


@dataclass(frozen=True, slots=True)
class _Words:
    """``where`` heads the column of recordings, which ``told`` words; empty for no column.

    ``unknown`` is what to say where nobody looked for the writer.
    """

    where: str
    told: Callable[[Sequence[str]], str]
    unknown: str = ""
    note: str = ""


def _counted(names: Sequence[str]) -> str:
    return str(len(set(names)))


_NOT_WATCHED = "not looked for after the first recompiles of a cause"
"""A watched replay ends where it has seen enough of each cause."""


def _section(found: Blames, root: str, said: _Words) -> Section | None:
    if not found.knows_a_line:
        return None
    head = (said.where,) if said.where else ()
    tried = (_NOT_MADE,) if found.attempts else ()
    heads = ("line", "recompiles", *tried, "seconds", *_HEADS, *head)
    shown = found.lines[:MOST_LINES]
    rows = (*(_row(blame, root, said, bool(tried)) for blame in shown), _total(found, len(head)))
    notes = [line(said.note)] if said.note else []
    notes += [line(_SHARED)] if found.is_shared else []
    left = len(found.lines) - MOST_LINES
    notes += [line(f"{several(left, 'more line')} left out")] if left > 0 else []
    numbers = frozenset(range(1, 3 + len(tried)))
    return Section(
        _TITLE, (Table(rows, heads, numbers, breaks=True),), tuple(notes), anchor=Part.WRITERS
    )


_TITLE = "Lines that wrote guarded state, and what that cost"
_NOT_MADE = "limit or refused"
_SHARED = (
    "a recompile that several lines led to counts in each of them, and once in the last row;"
    " its seconds, too"
)


def _row(blame: Blame, root: str, said: _Words, has_tried: bool) -> tuple[Line, ...]:
    frames = [frame.name for frame in blame.frames]
    texts = [*_numbers(blame, has_tried), _some(blame.sources), _some(frames)]
    texts += [said.told(blame.recordings)] if said.where else []
    return (_who(blame, root, said.unknown), *map(line, texts))


def _who(blame: Blame, root: str, unwatched: str) -> Line:
    if blame.location is None:
        told = (
            unwatched if unwatched and reason.why is Why.NOT_RECORDED else in_words(reason)
            for reason in blame.reasons[:_SHOWN]
        )
        why = "; ".join(filter(None, told))
        return line(f"unknown{f': {why}' if why else ''}", style=Style.MUTED)
    return line(f"{'passed by ' if blame.passed else ''}{writer(blame.location, root)}")


def _total(found: Blames, heads: int) -> tuple[Line, ...]:
    numbers = _numbers(found, bool(found.attempts))
    told = (line(text, style=Style.STRONG) for text in ("all", *numbers))
    return (*told, *(line(),) * (len(_HEADS) + heads))


def _numbers(found: Blame | Blames, has_tried: bool) -> tuple[str, ...]:
    """Recompiles, attempts that made no cache entry, seconds."""
    tried = (f"{found.attempts:,}",) if has_tried else ()
    return (f"{found.recompiles:,}", *tried, f"{found.seconds:.1f}")


def _some(texts: Sequence[str]) -> str:
    found = list(dict.fromkeys(map(shortened, texts)))
    more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
    return f"{', '.join(found[:_SHOWN])}{more}"
