"""The report of a scan, as sections: what the source shows before anything ran."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from esper_audit.data.places import Location
from esper_audit.data.scans import ScanFinding, ScanReport
from esper_audit.data.verdicts import AuditVerdict
from esper_audit.report.sections import Closing, Item, Page, Section, Style, bullets, item, line
from esper_audit.report.words.commands import explained
from esper_audit.report.words.marks import answer_style
from esper_audit.report.words.numbers import several
from esper_audit.report.words.paths import short_file, source_line
from esper_audit.report.words.scans import details_of, head_of, note_words

PROVE = "A scan runs nothing, so it proves nothing. To try remedies on what your scenarios show:"


def scan_answer(report: ScanReport) -> str:
    """One sentence: how many patterns were found in how much source."""
    unread = f"; {several(len(report.unread), 'file')} could not be read" if report.unread else ""
    read = f"{several(report.lines, 'line')} in {several(report.files, 'file')} read{unread}."
    if report.verdict is AuditVerdict.ERROR:
        return "Not completed: no Python file could be read."
    if not report.findings:
        if not report.files:
            return "Passed: the configuration leaves out all files, so nothing was read."
        return f"Passed: found nothing that is known to recompile or run eagerly; {read}"
    files = len({finding.location.file for finding in report.findings})
    found = several(len(report.findings), "line")
    return f"Failed: {found} in {several(files, 'file')} may recompile or run eagerly; {read}"


def scan_page(report: ScanReport, verbosity: int = 0) -> Page:
    """It all; ``verbosity`` -1 leaves the answer."""
    headline = (item(line(scan_answer(report), style=answer_style(report.verdict))),)
    if verbosity < 0:
        return Page(headline)
    return Page(headline, tuple(_sections(report)), _closing(report))


def _sections(report: ScanReport) -> Iterator[Section]:
    by_file: dict[str, list[ScanFinding]] = {}
    for finding in report.findings:
        by_file.setdefault(finding.location.file, []).append(finding)
    for file, found in by_file.items():
        title = short_file(file, report.root)
        yield Section(title, tuple(_item(finding, report.root) for finding in found))
    if report.unread:
        said = (f"{_where(one.location, report.root)}: {one.said}" for one in report.unread)
        yield Section("Files that could not be read", bullets(*said))
    notes = [*(note_words(note, report.root) for note in report.notes), *_counted(report)]
    if notes:
        yield Section("Notes", bullets(*notes))


def _where(location: Location, root: str) -> str:
    """The line, where Python knows one."""
    known = location.line > 0
    return source_line(location, root) if known else short_file(location.file, root)


def _item(finding: ScanFinding, root: str) -> Item:
    lines = (item(line(text, style=Style.MUTED)) for text in details_of(finding, root))
    return item(line(head_of(finding, root), style=Style.BAD), *lines)


def _counted(report: ScanReport) -> Iterator[str]:
    if report.suppressed:
        comments = "by a comment or the configuration"
        yield f"{several(report.suppressed, 'finding')} suppressed {comments}."
    if report.left_out:
        yield f"{several(report.left_out, 'file')} left out by the configuration."


def _closing(report: ScanReport) -> Closing:
    counts = Counter(finding.id for finding in report.findings)
    told = ", ".join(f"{number} {name}" for name, number in counts.most_common())
    seconds = f" in {report.wall_seconds:.1f} s"
    read = f"{several(report.files, 'file')}, {several(report.lines, 'line')}{seconds}"
    facts = line(f"{read}: {told}" if told else read)
    if not report.findings:
        return Closing(facts)
    about = line(f"About a diagnosis: {explained(report.findings[0].id)}")
    verdict = line(scan_answer(report), style=answer_style(report.verdict))
    return Closing(facts, about, verdict, PROVE, "esper-audit fix")
