"""A scan as cases: each file with what was found in it."""

from __future__ import annotations

from collections.abc import Iterator

from esper_audit.data.places import Location
from esper_audit.data.scans import ScanFinding, ScanReport, UnreadFile
from esper_audit.report.ci.places import Related
from esper_audit.report.ci.problems import NOT_JUDGED, Case, Problem, Status
from esper_audit.report.words.paths import short_file
from esper_audit.report.words.scans import details_of, head_of, what_of

_GROUP = "esper-audit.scan"


def scan_cases(report: ScanReport) -> Iterator[Case]:
    """One case for each file with findings, and for each that could not be read."""
    by_file: dict[str, list[ScanFinding]] = {}
    for finding in report.findings:
        by_file.setdefault(finding.location.file, []).append(finding)
    for file, found in by_file.items():
        problems = tuple(_problem(finding, report.root) for finding in found)
        name = short_file(file, report.root)
        yield Case(name, _GROUP, Status.FAILED, f"{len(found)} found", problems)
    for unread in report.unread:
        yield _unread(unread, report.root)
    if not report.findings and report.files:
        yield Case("all files", _GROUP, Status.PASSED, seconds=report.wall_seconds)


def _problem(finding: ScanFinding, root: str) -> Problem:
    place = finding.location
    what, *more = details_of(finding, root)
    return Problem(
        rule=finding.id.value,
        message=head_of(finding, root),
        fails=True,
        details=(what, *more),
        location=place,
        key=(short_file(place.file, root), finding.id.value, place.function, finding.subject),
        related=tuple(_related(finding)),
        brief=what_of(finding),
    )


def _related(finding: ScanFinding) -> Iterator[Related]:
    for writer in finding.writers:
        yield Related(writer.location, "writes it")
    for called in finding.way:
        yield Related(called, "calls what leads there")


def _unread(unread: UnreadFile, root: str) -> Case:
    name = short_file(unread.location.file, root)
    place = Location(unread.location.file, max(unread.location.line, 1))
    said = f"{name} could not be read: {unread.said}"
    problem = Problem(NOT_JUDGED, said, False, location=place, key=(NOT_JUDGED, name), brief=said)
    return Case(name, _GROUP, Status.SKIPPED, said, (problem,))
