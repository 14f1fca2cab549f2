"""Any report as cases with problems: what the formats that a CI reads are made of."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from esper_audit.data.audits import Audit, ProgramReport, Report
from esper_audit.data.changes import (
    UNSURE,
    Change,
    ChangeKind,
    ComparedAudit,
    ComparisonReport,
    GateReport,
)
from esper_audit.data.diagnoses import MEANINGS, Diagnosis
from esper_audit.data.findings import Finding
from esper_audit.data.jobs import was_run
from esper_audit.data.places import Location
from esper_audit.data.storage import Document
from esper_audit.data.verdicts import AuditVerdict
from esper_audit.diagnosis import caught
from esper_audit.report.answer import answer
from esper_audit.report.blocks import details, head
from esper_audit.report.comparison import comparison_answer
from esper_audit.report.gate import cause, gate_answer
from esper_audit.report.program import summary
from esper_audit.report.words.paths import is_own
from esper_audit.report.words.programs import program_name

OVER_BUDGET, NOT_JUDGED = "over-budget", "not-judged"
RULES = {
    OVER_BUDGET: "a scenario costs more than its budget allows",
    NOT_JUDGED: "the audit could not be completed, so nothing is proven",
    ChangeKind.WORSE.value: "a count is worse than the baseline accepts",
    ChangeKind.NEW.value: "the baseline has no entry for it",
    ChangeKind.IMPROVED.value: "it is better than the baseline accepts",
    ChangeKind.UNMATCHED.value: "no audit matches this entry of the baseline",
    ChangeKind.NOT_COMPARABLE.value: "the baseline has no entries for this environment",
    ChangeKind.NOT_DETERMINISTIC.value: "counts differ from run to run",
}
"""Rules beside the diagnoses, and what each says."""


class Status(StrEnum):
    """What became of a case."""

    PASSED = "passed"
    FAILED = "failed"
    ERROR = "error"
    SKIPPED = "skipped"


_STATUS = {
    AuditVerdict.PASSED: Status.PASSED,
    AuditVerdict.FAILED: Status.FAILED,
    AuditVerdict.SKIPPED: Status.SKIPPED,
    AuditVerdict.ERROR: Status.ERROR,
}


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing to look at. ``rule`` is a diagnosis or a key of RULES.

    ``location`` is the line to change: it wrote the guarded state, or made the guard. ``key``
    names the problem without line numbers.
    """

    rule: str
    message: str
    fails: bool
    details: tuple[str, ...] = ()
    location: Location | None = None
    key: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Case:
    """One audit, program or comparison."""

    name: str
    group: str
    status: Status
    reason: str = ""
    problems: tuple[Problem, ...] = ()
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Cases:
    """A whole report: its first sentence, its cases, and the command that accepts them."""

    answer: str
    cases: tuple[Case, ...]
    root: str = ""
    accept: str = ""
    seconds: float = 0.0

    @property
    def completed(self) -> bool:
        """Whether everything could be judged."""
        return not any(case.status is Status.ERROR for case in self.cases)

    @property
    def problems(self) -> tuple[Problem, ...]:
        """Those of all cases, each once; what fails in one of them fails."""
        found: dict[object, Problem] = {}
        for each in (problem for case in self.cases for problem in case.problems):
            key = (each.rule, each.message, each.location)
            if key not in found or each.fails:
                found[key] = each
        return tuple(found.values())


def cases(document: Document) -> Cases:
    """The cases of a report of any kind."""
    if isinstance(document, Report):
        made = tuple(_of_audit(each, document) for each in document.audits)
        if document.interrupted or document.control_missed:
            made += (_doubted(answer(document)),)
        return Cases(answer(document), made, document.root, seconds=document.wall_seconds)
    if isinstance(document, ProgramReport):
        whole = "; ".join(summary(each) for each in document.audits)
        return Cases(whole, tuple(_of_program(document)), document.root)
    if isinstance(document, GateReport):
        made = tuple(_of_result(each, document) for each in document.results)
        if document.doubt or not made:
            made += (_doubted(gate_answer(document)),)
        accept = document.accept if document.verdict is AuditVerdict.FAILED else ""
        return Cases(gate_answer(document), made, document.root, accept, document.wall_seconds)
    assert isinstance(document, ComparisonReport)
    made = tuple(_of_result(each, document) for each in document.results)
    if document.doubt:
        made += (_doubted(comparison_answer(document)),)
    return Cases(comparison_answer(document), made, document.root)


def _doubted(why: str) -> Case:
    """The audit as a whole, where it proves nothing whatever its parts say."""
    problem = Problem(NOT_JUDGED, why, True, key=(NOT_JUDGED,))
    return Case("the audit as a whole", "esper-audit", Status.ERROR, why, (problem,))


def line_of(finding: Finding, root: str) -> Location | None:
    """The line to change: of the writer, of the call that passed an argument, or of the guard.

    Lines of the project go before those of libraries.
    """
    is_argument = finding.written_by_unknown.startswith("it is an argument")
    known = [
        finding.written_by,
        finding.called_from if is_argument else None,
        finding.user_line,
        finding.called_from,
        Location(finding.frame.file, finding.frame.line, finding.frame.name),
    ]
    # Code that was made at run time is in no file: ``<string>``, ``<eval_with_key>``.
    places = [each for each in known if each and each.file and not each.file.startswith("<")]
    return next((each for each in places if is_own(each.file, root)), next(iter(places), None))


def _of_finding(finding: Finding, root: str, fails: bool, said: str = "", *more: str) -> Problem:
    return Problem(
        rule=finding.id.value,
        message=f"{head(finding, root)}{said}",
        fails=fails,
        details=(*more, *details(finding, root)),
        location=line_of(finding, root),
        key=(finding.frame.key, finding.id.value, finding.source),
    )


def _of_audit(audit: Audit, report: Report) -> Case:
    expected = audit in caught([audit], report.control) and audit.verdict is AuditVerdict.FAILED
    status = Status.PASSED if expected else _STATUS[audit.verdict]
    # Of what was not run there is one problem, that of the audit as a whole.
    has_problems = status is not Status.PASSED and was_run(audit)
    return Case(
        name=audit.title,
        group=f"esper-audit.{audit.backend or 'none'}",
        status=status,
        reason=f"negative control: {audit.reason}" if expected else audit.reason,
        problems=tuple(_problems(audit, report.root)) if has_problems else (),
        seconds=audit.wall_seconds,
    )


def _problems(audit: Audit, root: str) -> Iterator[Problem]:
    if audit.verdict is AuditVerdict.FAILED:
        yield from (_of_finding(each, root, fails=True) for each in audit.findings)
    if audit.verdict is AuditVerdict.ERROR or (
        audit.verdict is AuditVerdict.FAILED and not audit.findings
    ):
        rule = NOT_JUDGED if audit.verdict is AuditVerdict.ERROR else OVER_BUDGET
        location = Location(audit.file, 1) if audit.file else None
        message = f"{audit.title}: {audit.reason}"
        yield Problem(rule, message, True, location=location, key=(audit.title, audit.backend))


def _of_program(report: ProgramReport) -> Iterator[Case]:
    for audit in report.audits:
        status = _STATUS[audit.verdict] if audit.verdict is not None else Status.PASSED
        failing = audit.verdict is AuditVerdict.FAILED
        yield Case(
            name=program_name(audit.recording.program),
            group="esper-audit.exec",
            status=status,
            reason="; ".join(audit.reasons),
            problems=tuple(_of_finding(each, report.root, failing) for each in audit.findings),
            seconds=audit.recording.seconds,
        )
    if report.differences:
        found = tuple(_of_finding(each, report.root, True) for each in report.differences)
        yield Case("ranks", "esper-audit.exec", Status.FAILED, "ranks differ", found)


def _of_result(result: ComparedAudit, report: GateReport | ComparisonReport) -> Case:
    status = Status.PASSED
    if result.fails:
        status = Status.FAILED
    elif result.kind in UNSURE:
        status = Status.ERROR
    elif result.verdict is AuditVerdict.SKIPPED:
        status = Status.SKIPPED
    said = "; ".join(each.text for each in result.changes if each.finding is None)
    return Case(
        name=result.subject.title,
        group=f"esper-audit.{result.subject.way or 'exec'}",
        status=status,
        reason=said or result.reason,
        problems=tuple(_changes(result, report)),
        seconds=result.seconds,
    )


def _changes(result: ComparedAudit, report: GateReport | ComparisonReport) -> Iterator[Problem]:
    way = f", {result.subject.way}" if result.subject.way else ""
    where = f"in {result.subject.title}{way}"
    found = [each for each in result.changes if each.finding is not None]
    for change in found:
        assert change.finding is not None
        said = f" ({change.kind.value}: {change.text})"
        yield _of_finding(change.finding, report.root, change.fails, said, where)
    counts = [each for each in result.changes if each.finding is None]
    if counts and not any(change.fails for change in found):
        yield _of_counts(counts, result, report)


def _of_counts(
    own: Sequence[Change], result: ComparedAudit, report: GateReport | ComparisonReport
) -> Problem:
    """Counts alone: there is no line to point at but that of the scenario or of the baseline."""
    kind = min((each.kind for each in own), key=list(ChangeKind).index)
    rule = NOT_JUDGED if kind is ChangeKind.ERROR else kind.value
    if kind is ChangeKind.NOT_COMPARABLE:
        message = f"{result.subject.environment} has no entries in the baseline"
    else:
        message = f"{kind.value}: {result.subject.title}: {'; '.join(cause(each) for each in own)}"
    baseline = getattr(report, "baseline", "")
    of_file = kind in (ChangeKind.NOT_COMPARABLE, ChangeKind.UNMATCHED, ChangeKind.IMPROVED)
    file = baseline if of_file or not result.file.endswith(".py") else result.file
    fails = kind in UNSURE or any(each.fails for each in own)
    location = Location(file, 1) if file else None
    return Problem(rule, message, fails, location=location, key=(*result.subject.key[2:], rule))


def rule_text(rule: str) -> tuple[str, str]:
    """What a rule says, and what to do about it."""
    if rule in RULES:
        return RULES[rule], "see the message; `esper-audit gate --update-baseline` accepts it"
    meaning = MEANINGS[Diagnosis(rule)]
    return meaning.what, meaning.remedy
