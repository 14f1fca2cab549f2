"""The page of a program with its figures: frames by cost, what was compiled when, causes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from esper_audit.data.audits import ProgramAudit, ProgramReport
from esper_audit.data.findings import Finding, FrameSummary
from esper_audit.diagnosis.kinds import EAGER
from esper_audit.diagnosis.ranks import is_readable
from esper_audit.report.blame import alike
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
from esper_audit.report.pictures.clock import of_program
from esper_audit.report.pictures.costs import costs
from esper_audit.report.pictures.environment import environment
from esper_audit.report.pictures.guard_tables import frames_with_guards
from esper_audit.report.pictures.tlparse import pages_of_causes
from esper_audit.report.program import distinct_findings, frame_rows, shown_frames
from esper_audit.report.ranks import MOST_CLASSES, short_names
from esper_audit.report.sections import Page, Part, Section, Table
from esper_audit.report.words.programs import frame_names


def program_pictures(report: ProgramReport, page: Page) -> Page:
    """The sections of a program, with their figures, and those of a page alone."""
    found = [finding for finding in distinct_findings(report.audits) if finding.pattern is not None]
    eager = _eager(report)
    names = short_names(report) if len(report.parts) > 1 else [""]
    compiles = list(zip(names, (audit.recording.compiles for audit in report.audits), strict=True))
    anchors = Anchors(
        frames=frames_with_guards(compiles),
        causes=numbered("cause", map(cause_key, (*found, *eager))),
    )
    sections = [_drawn(section, report, (found, eager), anchors) for section in page.sections]
    frames = [place for place, section in enumerate(sections) if section.anchor == Part.FRAMES]
    after = max(frames, default=-1) + 1
    sections[after:after] = _clock(report, anchors)
    sections += guard_section(compiles)
    sections += _costs(report, anchors)
    sections += about_section(finding.id for finding in (*found, *eager))
    first = next(filter(is_readable, report.audits), report.audits[0])
    recordings = [audit.recording for audit in report.audits]
    sections.append(environment(first.recording.environment, recordings, report.root))
    return replace(page, sections=in_order(sections))


def _eager(report: ProgramReport) -> list[Finding]:
    """What runs eagerly or failed to compile: causes that no guard tells."""
    return [
        finding
        for finding in distinct_findings(report.audits)
        if finding.pattern is None and (finding.id in EAGER or finding.attempts)
    ]


def _drawn(
    section: Section,
    report: ProgramReport,
    found: tuple[Sequence[Finding], Sequence[Finding]],
    anchors: Anchors,
) -> Section:
    """The section, with its figures."""
    begins = began(audit.recording.began_at for audit in report.audits)
    maker = CardMaker(report.root, anchors, begins, pages_of_causes(report))
    causes, eager = found
    if section.anchor == Part.FRAMES:
        return _frames(section, report, anchors)
    told = {str(Part.CAUSES): causes, str(Part.EAGER): eager}.get(section.anchor, ())
    cards = [maker.of_finding(finding) for finding in told[:MOST_CARDS]]
    return with_cards(section, cards) if cards else section


def _frames(section: Section, report: ProgramReport, anchors: Anchors) -> Section:
    """Of one process the frames against what they cost, of several against the ranks."""
    if len(report.audits) > 1:
        by_class = [_by_key(audit) for audit in report.audits[:MOST_CLASSES]]
        tables = [block for block in section.body if isinstance(block, Table)]
        return with_figure(section, heat.of_ranks(tables[0], by_class)) if tables else section
    frames = _costliest(report.audits[0])
    names = frame_names([frame.frame for frame in frames])
    return with_figure(section, heat.of_frames(frames, frame_rows(frames, names), anchors))


def _by_key(audit: ProgramAudit) -> dict[str, FrameSummary]:
    return {frame.frame.key: frame for frame in shown_frames(audit.frames)}


def _costliest(audit: ProgramAudit) -> list[FrameSummary]:
    return sorted(shown_frames(audit.frames), key=lambda frame: -frame.seconds)


def _clock(report: ProgramReport, anchors: Anchors) -> Iterator[Section]:
    drawn = of_program(report, anchors)
    if drawn is not None:
        yield Section("What was compiled when", (), figures=(drawn,))


def _costs(report: ProgramReport, anchors: Anchors) -> Iterator[Section]:
    """Seconds of causes are those of all ranks; a share of the time is told of one process."""
    recordings = [audit.recording for audit in report.audits]
    seconds: dict[tuple[str, ...], tuple[Finding, float]] = {}
    for finding in (finding for audit in report.audits for finding in audit.findings):
        if finding.pattern is not None:
            first, told = seconds.get(cause_key(finding), (finding, 0.0))
            seconds[cause_key(finding)] = (first, told + finding.seconds)
    ordered = sorted(seconds.values(), key=lambda told: -told[1])
    whole = recordings[0].seconds if len(recordings) == 1 else None
    made = costs(recordings, ordered, anchors, whole, alike(report))
    if made is not None:
        yield made
