"""Any report as cases with problems: what the formats that a CI reads are made of."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from esper_audit.data.audits import Audit, ProgramReport, Report
from esper_audit.data.changes import (
    UNSURE,
    Change,
    ChangeKind,
    ComparedAudit,
    ComparisonReport,
    GateReport,
)
from esper_audit.data.findings import Finding
from esper_audit.data.jobs import was_run
from esper_audit.data.places import Location
from esper_audit.data.remedies import FixReport
from esper_audit.data.scans import ScanReport
from esper_audit.data.storage import Document
from esper_audit.data.verdicts import AuditVerdict
from esper_audit.diagnosis import caught
from esper_audit.report.answer import answer
from esper_audit.report.blocks import details, head
from esper_audit.report.briefs import brief as brief_of
from esper_audit.report.ci.places import line_of, related_to
from esper_audit.report.ci.problems import (
    DIFFERS,
    NOT_JUDGED,
    OVER_BUDGET,
    Case,
    Cases,
    Problem,
    Status,
)
from esper_audit.report.ci.remedies import fix_cases
from esper_audit.report.ci.scans import scan_cases
from esper_audit.report.comparison import comparison_answer
from esper_audit.report.fix import fix_answer
from esper_audit.report.gate import cause, gate_answer
from esper_audit.report.program import summary
from esper_audit.report.ranks import MOST_CLASSES, part_names
from esper_audit.report.scan import scan_answer
from esper_audit.report.words.numbers import several
from esper_audit.report.words.reasons import all_in_words, in_words

_STATUS = {
    AuditVerdict.PASSED: Status.PASSED,
    AuditVerdict.FAILED: Status.FAILED,
    AuditVerdict.SKIPPED: Status.SKIPPED,
    AuditVerdict.ERROR: Status.ERROR,
}


def cases(document: Document) -> Cases:
    """The cases of a report of any kind."""
    if isinstance(document, Report):
        made = tuple(_of_audit(audit, document) for audit in document.audits)
        if document.interrupted or document.control_missed:
            made += (_doubted(answer(document)),)
        return Cases(answer(document), made, document.root, seconds=document.wall_seconds)
    if isinstance(document, ProgramReport):
        return Cases(_of_all(document), tuple(_of_program(document)), document.root)
    if isinstance(document, GateReport):
        made = tuple(_of_result(result, document) for result in document.results)
        if document.doubt is not None or not made:
            made += (_doubted(gate_answer(document)),)
        accept = document.accept if document.verdict is AuditVerdict.FAILED else ""
        return Cases(gate_answer(document), made, document.root, accept, document.wall_seconds)
    if isinstance(document, ScanReport):
        made = tuple(scan_cases(document))
        if document.verdict is AuditVerdict.ERROR:
            made += (_doubted(scan_answer(document)),)
        seconds = document.wall_seconds
        return Cases(scan_answer(document), made, document.root, seconds=seconds)
    if isinstance(document, FixReport):
        made = tuple(fix_cases(document))
        if document.interrupted or not made:
            made += (_doubted(fix_answer(document)),)
        seconds = document.wall_seconds
        return Cases(fix_answer(document), made, document.root, seconds=seconds)
    assert isinstance(document, ComparisonReport)
    made = tuple(_of_result(result, document) for result in document.results)
    if document.doubt is not None:
        made += (_doubted(comparison_answer(document)),)
    return Cases(comparison_answer(document), made, document.root)


def _doubted(why: str) -> Case:
    """The audit as a whole, where it proves nothing whatever its parts say."""
    problem = Problem(NOT_JUDGED, why, True, key=(NOT_JUDGED,))
    return Case("the audit as a whole", "esper-audit", Status.ERROR, why, (problem,))


def _of_finding(finding: Finding, root: str, fails: bool, note: str = "", *more: str) -> Problem:
    location = line_of(finding, root)
    return Problem(
        rule=finding.id.value,
        message=f"{head(finding, root)}{f' ({note})' if note else ''}",
        fails=fails,
        details=(*more, *details(finding, root)),
        location=location,
        key=(finding.frame.key, finding.id.value, *finding.subject),
        related=related_to(finding, location),
        brief=brief_of(finding, note),
    )


def _of_audit(audit: Audit, report: Report) -> Case:
    expected = audit in caught([audit], report.control) and audit.verdict is AuditVerdict.FAILED
    status = Status.PASSED if expected else _STATUS[audit.verdict]
    # Of what was not run there is one problem, that of the audit as a whole.
    has_problems = status is not Status.PASSED and was_run(audit)
    said = all_in_words(audit.reasons)
    return Case(
        name=audit.title,
        group=f"esper-audit.{audit.backend or 'none'}",
        status=status,
        reason=f"negative control: {said}" if expected else said,
        problems=tuple(_problems(audit, report.root)) if has_problems else (),
        seconds=audit.wall_seconds,
    )


def _problems(audit: Audit, root: str) -> Iterator[Problem]:
    if audit.verdict is AuditVerdict.FAILED:
        yield from (_of_finding(finding, root, fails=True) for finding in audit.findings)
    if audit.verdict is AuditVerdict.ERROR or (
        audit.verdict is AuditVerdict.FAILED and not audit.findings
    ):
        rule = NOT_JUDGED if audit.verdict is AuditVerdict.ERROR else OVER_BUDGET
        location = Location(audit.file, 1) if audit.file else None
        message = f"{audit.title}: {all_in_words(audit.reasons)}"
        yield Problem(rule, message, True, location=location, key=(audit.title, audit.backend))


def _of_all(report: ProgramReport) -> str:
    """What each class of ranks did, of many the largest."""
    told = list(map(summary, report.audits, part_names(report)))
    more = len(told) - MOST_CLASSES
    left = [f"and {several(more, 'more class')} of ranks"] if more > 0 else []
    return "; ".join([*told[:MOST_CLASSES], *left])


def _of_program(report: ProgramReport) -> Iterator[Case]:
    for audit, name in zip(report.audits, part_names(report), strict=True):
        status = _STATUS[audit.verdict] if audit.verdict is not None else Status.PASSED
        failing = audit.verdict is AuditVerdict.FAILED
        yield Case(
            name=name,
            group="esper-audit.exec",
            status=status,
            reason=all_in_words(audit.reasons),
            problems=tuple(
                _of_finding(finding, report.root, failing) for finding in audit.findings
            ),
            seconds=audit.recording.seconds,
        )
    if report.differences:
        found = tuple(_of_finding(finding, report.root, True) for finding in report.differences)
        yield Case("ranks", "esper-audit.exec", Status.FAILED, "ranks differ", found)


def _of_result(result: ComparedAudit, report: GateReport | ComparisonReport) -> Case:
    status = Status.PASSED
    if result.fails or _is_worse_side(result, report):
        status = Status.FAILED
    elif result.kind in UNSURE:
        status = Status.ERROR
    elif result.verdict is AuditVerdict.SKIPPED:
        status = Status.SKIPPED
    said = all_in_words(change.reason for change in result.changes if change.finding is None)
    return Case(
        name=result.subject.title,
        group=f"esper-audit.{result.subject.way or 'exec'}",
        status=status,
        reason=said or all_in_words(result.reasons),
        problems=tuple(_changes(result, report)),
        seconds=result.seconds,
    )


def _is_worse_side(result: ComparedAudit, report: GateReport | ComparisonReport) -> bool:
    """In a comparison no change fails; what shows tests must not show a pass beside it."""
    got_worse = result.kind is ChangeKind.WORSE or result.verdict is AuditVerdict.FAILED
    differs = result.kind is not ChangeKind.SAME
    return isinstance(report, ComparisonReport) and differs and got_worse


def _changes(result: ComparedAudit, report: GateReport | ComparisonReport) -> Iterator[Problem]:
    way = f", {result.subject.way}" if result.subject.way else ""
    where = f"in {result.subject.title}{way}"
    found = [change for change in result.changes if change.finding is not None]
    for change in found:
        assert change.finding is not None
        note = f"{change.kind.value}: {in_words(change.reason)}"
        yield _of_finding(change.finding, report.root, change.fails, note, where)
    counts = [change for change in result.changes if change.finding is None]
    if counts and not any(change.fails for change in found):
        yield _of_counts(counts, result, report)


def _of_counts(
    own: Sequence[Change], result: ComparedAudit, report: GateReport | ComparisonReport
) -> Problem:
    """Counts alone: there is no line to point at but that of the scenario or of the baseline."""
    kind = min((change.kind for change in own), key=list(ChangeKind).index)
    rule = DIFFERS if isinstance(report, ComparisonReport) else kind.value
    rule = NOT_JUDGED if kind is ChangeKind.ERROR else rule
    if kind is ChangeKind.NOT_COMPARABLE:
        brief = message = f"{result.subject.environment} has no entries in the baseline"
    else:
        brief = f"{result.subject.title}: {'; '.join(cause(change) for change in own)}"
        message = f"{rule}: {brief}"
    baseline = getattr(report, "baseline", "")
    of_file = kind in (ChangeKind.NOT_COMPARABLE, ChangeKind.UNMATCHED, ChangeKind.IMPROVED)
    file = baseline if of_file or not result.file.endswith(".py") else result.file
    fails = kind in UNSURE or any(change.fails for change in own)
    location = Location(file, 1) if file else None
    key = (*result.subject.key[2:], rule)
    return Problem(rule, message, fails, location=location, key=key, brief=brief)
