"""A whole scan: the rules over a project, less what comments and the configuration suppress."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from esper_audit.data.places import Location
from esper_audit.data.scans import ScanFinding, ScanReport, UnreadFile
from esper_audit.source.project import Project, SourceFile
from esper_audit.source.scan.context import Context
from esper_audit.source.scan.rules import RULES
from esper_audit.source.scan.suppressions import Suppressions

Ignored = Callable[[ScanFinding], bool]


def scan(project: Project, wanted: Iterable[str], ignored: Ignored | None = None) -> ScanReport:
    """Findings in the files ``wanted``, absolute paths; the rest of the project is read for them.

    ``ignored`` says of a finding whether the configuration leaves it out.
    """
    files = [project.file(path) for path in dict.fromkeys(wanted)]
    found = list(_found(Context(project, frozenset(file.path for file in files))))
    kept = [one for one in found if ignored is None or not ignored(one)]
    suppressions = Suppressions(files)
    left = [one for one in kept if not suppressions.take(one)]
    unread = [file.unread for file in files if file.unread is not None]
    return ScanReport(
        root=project.root,
        findings=tuple(sorted(left, key=_order)),
        unread=tuple(UnreadFile(location=Location(u.file, u.line), said=u.said) for u in unread),
        notes=tuple(suppressions.notes()),
        suppressed=len(found) - len(left),
        files=len(files) - len(unread),
        lines=sum(_lines(file) for file in files),
    )


def _lines(file: SourceFile) -> int:
    return len(file.lines) - (not file.lines[-1])


def _found(context: Context) -> Iterator[ScanFinding]:
    """Each line once for each diagnosis and attribute: the first rule to find it tells it."""
    seen: set[object] = set()
    for rule in RULES:
        for finding in rule(context):
            place = finding.location
            key = (place.file, place.line, finding.id, finding.subject)
            if place.file in context.wanted and key not in seen:
                seen.add(key)
                yield finding


def _order(finding: ScanFinding) -> tuple[str, int, int, str]:
    return finding.location.file, finding.location.line, finding.column, finding.id
