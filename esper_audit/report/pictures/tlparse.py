"""Links to the pages of compiles that tlparse has written beside an imported trace log."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePath

from esper_audit.data.audits import ProgramAudit, ProgramReport
from esper_audit.data.compiles import Compile
from esper_audit.data.recording import Recording
from esper_audit.diagnosis.causes import findings_of
from esper_audit.report.pictures.anchors import cause_key
from esper_audit.report.sections import Item, Span, Style, item, line

MOST_PAGES = 8
"""Pages of one cause that are linked."""

PagesOfCauses = dict[tuple[str, ...], dict[str, str]]


def page_of(recording: Recording, attempt: Compile) -> str:
    """The address of tlparse's page of an attempt, which is a file; empty where there is none."""
    log = recording.trace_log
    page = log.pages.get(attempt.id, "") if log is not None else ""
    path = PurePath(page)
    if path.is_absolute():
        return path.as_uri()
    return "" if ":" in page else page


def pages_of_causes(report: ProgramReport) -> PagesOfCauses:
    """By the key of each cause, the address of each of its attempts' pages, by compile id."""
    found: PagesOfCauses = {}
    for audit in report.audits:
        for key, attempt in _attempts(audit):
            address = page_of(audit.recording, attempt)
            if address:
                found.setdefault(key, {}).setdefault(attempt.id, address)
    return found


def _attempts(audit: ProgramAudit) -> Sequence[tuple[tuple[str, ...], Compile]]:
    log = audit.recording.trace_log
    if log is None or not log.pages:
        return ()
    causes = findings_of(audit.recording.compiles, audit.findings)
    return [
        (cause_key(finding), attempt)
        for attempt in audit.recording.compiles
        for finding in causes.get(attempt.sequence, ())
    ]


def pages_item(pages: dict[str, str]) -> Item:
    """``tlparse's pages: 0/1, 0/2``, each a link."""
    spans: list[str | Span] = ["tlparse's pages: "]
    for number, (name, address) in enumerate(list(pages.items())[:MOST_PAGES]):
        spans += [", "] if number else []
        spans.append(Span(name, Style.PLAIN, address))
    spans += [f" and {len(pages) - MOST_PAGES} more"] if len(pages) > MOST_PAGES else []
    return item(line(*spans))
