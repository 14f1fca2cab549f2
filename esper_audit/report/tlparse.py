"""Where the pages of tlparse lie that a report leads to: one for each compile, beside its log."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from esper_audit.data.audits import ProgramAudit, ProgramReport
from esper_audit.report.ranks import MOST_CLASSES, short_names
from esper_audit.report.sections import Item, Section, Span, item, line, words
from esper_audit.report.words.programs import frame_names

_MOST = 12
"""Frames, or pages of one frame, that are told without -v."""


def tlparse_sections(report: ProgramReport, verbosity: int) -> Iterator[Section]:
    """A line for each frame, with the page of each of its compiles; -v tells the paths."""
    names = short_names(report) if len(report.audits) > 1 else [""]
    parts = list(zip(report.audits, names, strict=True))[:MOST_CLASSES]
    rows = [row for audit, name in parts for row in _rows(audit, name, verbosity)]
    if rows:
        yield Section("Pages of tlparse", tuple(rows if verbosity > 0 else rows[:_MOST]))


def _rows(audit: ProgramAudit, name: str, verbosity: int) -> Iterator[Item]:
    log = audit.recording.trace_log
    pages = log.pages if log is not None else {}
    frames = frame_names([made.frame for made in audit.recording.compiles])
    found: dict[str, dict[str, str]] = defaultdict(dict)
    for made in audit.recording.compiles:
        if made.id in pages:
            found[frames[made.frame]][made.id] = pages[made.id]
    for frame, own in found.items():
        head = f"{frame} ({name}): " if name else f"{frame}: "
        if verbosity > 0:
            under = [item(line(_page(key, path), f" {path}")) for key, path in own.items()]
            yield item(line(head.removesuffix(" ")), *under)
            continue
        spans: list[str | Span] = [head]
        for place, (key, path) in enumerate(list(own.items())[:_MOST]):
            spans += [", " if place else "", _page(key, path)]
        spans += [f" and {len(own) - _MOST} more"] if len(own) > _MOST else []
        yield item(line(*spans))


def _page(key: str, path: str) -> Span:
    span = words(f"[{key}]")
    try:
        return Span(span.text, span.style, Path(path).absolute().as_uri())
    except (OSError, ValueError):  # a name that no file can have
        return span
