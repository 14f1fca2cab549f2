"""The page of a run with its figures: heat map, cause cards, guards, a timeline for each audit."""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Set
from dataclasses import replace

from esper_audit.data.audits import Audit, Report
from esper_audit.data.verdicts import AuditVerdict
from esper_audit.diagnosis import is_control
from esper_audit.report.cells import cell
from esper_audit.report.figures import Timeline
from esper_audit.report.pictures import heat
from esper_audit.report.pictures.anchors import Anchors, cause_key, numbered
from esper_audit.report.pictures.assembling import (
    about_section,
    guard_section,
    in_order,
    with_cards,
    with_figure,
)
from esper_audit.report.pictures.cards import MOST_CARDS, CardMaker, began
from esper_audit.report.pictures.costs import costs
from esper_audit.report.pictures.environment import environment
from esper_audit.report.pictures.guard_tables import frames_with_guards
from esper_audit.report.pictures.steps import of_replay
from esper_audit.report.run import audit_title, is_telling
from esper_audit.report.sections import Line, Page, Part, Section, Span, Table, line, words
from esper_audit.report.shared_causes import Cause, causes
from esper_audit.report.words.numbers import several
from esper_audit.report.words.reasons import all_in_words

MOST_TIMELINES = 80


def run_pictures(report: Report, page: Page) -> Page:
    """The sections of a run, those that are drawn with their figures, and those of a page alone."""
    failed = [audit for audit in report.audits if is_telling(audit, report)]
    found = causes(failed)
    shown = _shown(report, failed)
    several_backends = len({audit.backend for audit in failed}) > 1
    titles = [audit_title(audit, several_backends) for audit in failed]
    compiles = list(zip(titles, (audit.recording.compiles for audit in failed), strict=True))
    anchors = Anchors(
        audits={id(audit): f"audit-{number}" for number, audit in enumerate(shown, 1)},
        frames=frames_with_guards(compiles),
        causes=numbered("cause", (cause_key(cause.finding) for cause in found)),
    )
    sections = [_drawn(section, report, found, anchors) for section in page.sections]
    sections += guard_section(compiles)
    expected = {id(audit) for audit in shown if _is_as_expected(audit, report)}
    passed, other = _parted(shown)
    left = _left_out(len(shown), len(report.audits))
    sections += _timelines("Steps on a timeline", other, left, anchors, expected)
    sections += _costs(report, found, anchors)
    sections += _timelines(_PASSED, passed, () if other else left, anchors, expected)
    sections += about_section(cause.finding.id for cause in found)
    recordings = [audit.recording for audit in report.audits]
    sections.append(environment(report.environment, recordings, report.root))
    return replace(page, sections=in_order(sections))


def _shown(report: Report, failed: Sequence[Audit]) -> list[Audit]:
    """Those that failed first, as far as there is room; in the order of the report."""
    telling = {id(audit) for audit in failed}
    ordered = sorted(report.audits, key=lambda audit: id(audit) not in telling)
    kept = {id(audit) for audit in [audit for audit in ordered if audit.steps][:MOST_TIMELINES]}
    return [audit for audit in report.audits if id(audit) in kept]


def _drawn(section: Section, report: Report, found: Sequence[Cause], anchors: Anchors) -> Section:
    if section.anchor == Part.SCENARIOS:
        return with_figure(section, heat.of_audits(report, anchors))
    if section.anchor == Part.CAUSES:
        begins = began(audit.recording.began_at for audit in report.audits)
        maker = CardMaker(report.root, anchors, begins)
        return with_cards(section, [maker.of_cause(cause) for cause in found[:MOST_CARDS]])
    if section.anchor == Part.STEPS:
        return _steps(section, report.audits, anchors)
    return section


def _steps(section: Section, audits: Sequence[Audit], anchors: Anchors) -> Section:
    """A mark for each step; the title leads to the timeline, which tells the evidence of each."""
    tables = [block for block in section.body if isinstance(block, Table)]
    rows = [row for table in tables for row in table.rows]
    if len(rows) == len(audits):
        pairs = zip(rows, audits, strict=True)
        rows = [(_led(row[0], anchors.of_audit(audit)), *row[1:]) for row, audit in pairs]
    return replace(section, body=(Table(tuple(rows)),))


def _led(name: Line, anchor: str) -> Line:
    return Line(tuple(replace(span, to=anchor) for span in name.spans))


_PASSED = "Steps of what passed, on a timeline"


def _parted(audits: Sequence[Audit]) -> tuple[list[Audit], list[Audit]]:
    """Those that passed, and all others."""
    passed = [audit for audit in audits if audit.verdict is AuditVerdict.PASSED]
    return passed, [audit for audit in audits if audit.verdict is not AuditVerdict.PASSED]


def _is_as_expected(audit: Audit, report: Report) -> bool:
    """Whether it passed, or is a negative control that failed as it must."""
    if audit.verdict is AuditVerdict.FAILED:
        return is_control(audit, report.control)
    return audit.verdict is AuditVerdict.PASSED


def _timelines(
    title: str,
    audits: Sequence[Audit],
    notes: tuple[Line, ...],
    anchors: Anchors,
    expected: Set[int],
) -> Iterator[Section]:
    """A timeline for each audit; folded where nothing is to be looked for."""
    several_backends = len({audit.backend for audit in audits}) > 1
    drawn = ((audit, _timeline(audit, several_backends, anchors)) for audit in audits)
    figures = tuple(
        replace(figure, folded=id(audit) in expected)
        for audit, figure in drawn
        if figure is not None
    )
    if figures:
        yield Section(title, (), notes, figures)


def _left_out(shown: int, total: int) -> tuple[Line, ...]:
    left = total - shown
    return (line(f"steps of {several(left, 'more audit')} left out"),) if left else ()


def _timeline(audit: Audit, with_backend: bool, anchors: Anchors) -> Timeline | None:
    found = of_replay(audit, anchors)
    if found is None:
        return None
    said = cell(audit)
    why = all_in_words(audit.reasons) if audit.verdict is not AuditVerdict.PASSED else ""
    head: list[str | Span] = [
        words(audit_title(audit, with_backend)),
        ": ",
        words(said.text, said.style),
        f" ({why}). " if why else ". ",
    ]
    summary = line(*head, *found.summary.spans)
    return replace(found, summary=summary, anchor=anchors.of_audit(audit))


def _costs(report: Report, found: Sequence[Cause], anchors: Anchors) -> list[Section]:
    told = [(cause.finding, cause.seconds) for cause in found]
    whole = sum(audit.wall_seconds for audit in report.audits)
    made = costs([audit.recording for audit in report.audits], told, anchors, whole)
    return [made] if made is not None else []
