"""The pages of a gate and of a comparison: both sides of each audit, hotter where more compiled."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from esper_audit.data.changes import (
    ChangeKind,
    ComparedAudit,
    ComparisonReport,
    Entry,
    GateReport,
)
from esper_audit.data.diagnoses import Diagnosis
from esper_audit.report.comparison import side
from esper_audit.report.figures import HeatCell, HeatMap
from esper_audit.report.gate import kind_words
from esper_audit.report.pictures.assembling import about_section, with_figure
from esper_audit.report.sections import Line, Page, Part, Section, Style, line, words
from esper_audit.report.words.numbers import agree, several

MOST_ROWS = 200
_STYLES = {
    ChangeKind.WORSE: Style.BAD,
    ChangeKind.NEW: Style.NEW,
    ChangeKind.IMPROVED: Style.GOOD,
    ChangeKind.SAME: Style.MUTED,
}


def comparison_pictures(report: ComparisonReport, page: Page) -> Page:
    """The two audits side by side as a heat map, in place of their table."""
    told = f"A: {report.first}; B: {report.second}. "
    drawn = _heat(report.results, ("A", "B"), _side_words, told)
    sections = [
        with_figure(section, drawn) if section.anchor == Part.COMPARED else section
        for section in page.sections
    ]
    return replace(page, sections=(*sections, *about_section(_diagnoses(report.results))))


def gate_pictures(report: GateReport, page: Page) -> Page:
    """What is accepted beside what was found, before the changes in words."""
    known = report.results if report.has_baseline else ()
    drawn = _heat(known, ("accepted", "found"), kind_words)
    first = () if drawn is None else (Section("Accepted and found", (), figures=(drawn,)),)
    about = about_section(_diagnoses(report.results))
    return replace(page, sections=(*first, *page.sections, *about))


def _side_words(kind: ChangeKind) -> str:
    """Of two audits neither is a baseline: what only one of them has is told by its side."""
    return _SIDES.get(kind) or kind_words(kind)


_SIDES = {ChangeKind.NEW: "only in B", ChangeKind.UNMATCHED: "only in A"}


def _heat(
    results: Sequence[ComparedAudit],
    heads: tuple[str, str],
    worded: Callable[[ChangeKind], str],
    sides_told: str = "",
) -> HeatMap | None:
    """What differs first; None where there is nothing to compare."""
    if not results:
        return None
    ordered = sorted(results, key=lambda result: result.kind is ChangeKind.SAME)
    sides = [entry for result in results for entry in (result.before, result.after)]
    most = max((entry.after_warm_up for entry in sides if entry is not None), default=0)
    rows = tuple(_row(result, most, worded) for result in ordered[:MOST_ROWS])
    summary = line(f"{sides_told}{_told(results, most)}")
    return HeatMap(summary, "audit", (*heads, "change"), rows)


def _row(
    result: ComparedAudit, most: int, worded: Callable[[ChangeKind], str]
) -> tuple[Line, tuple[HeatCell, ...]]:
    style = _STYLES.get(result.kind, Style.DOUBTFUL)
    change = HeatCell(line(words(worded(result.kind), style)), style)
    name = f"{result.subject.title} {result.subject.way}".strip()
    return line(name), (_cell(result.before, most), _cell(result.after, most), change)


def _cell(entry: Entry | None, most: int) -> HeatCell:
    said = side(entry)
    style = said.spans[0].style if said.spans else Style.PLAIN
    heat = entry.after_warm_up / most if entry is not None and most else 0.0
    return HeatCell(said, style, heat)


def _told(results: Sequence[ComparedAudit], most: int) -> str:
    differ = sum(result.kind is not ChangeKind.SAME for result in results)
    said = f"{differ:,} of {len(results):,} audits {agree(differ, 'differs', 'differ')}."
    if most:
        said += f" The darker a cell, the more compiles after warm-up; the darkest had {most:,}."
    left = len(results) - MOST_ROWS
    return f"{said} {several(left, 'more row')} left out." if left > 0 else said


def _diagnoses(results: Sequence[ComparedAudit]) -> list[Diagnosis]:
    changes = [change for result in results for change in result.changes]
    return [change.finding.id for change in changes if change.finding is not None]
