"""Any report as cases with problems: what the formats that a CI reads are made of."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from esper_audit.data.audits import Audit, ProgramReport, Report
from esper_audit.data.changes import (
    UNSURE,
    Change,
    ChangeKind,
    ComparedAudit,
    ComparisonReport,
    GateReport,
)
from esper_audit.data.clean import clean
from esper_audit.data.diagnoses import MEANINGS, Diagnosis, Meaning
from esper_audit.data.findings import Finding
from esper_audit.data.jobs import was_run
from esper_audit.data.places import Location
from esper_audit.data.storage import Document
from esper_audit.data.verdicts import AuditVerdict
from esper_audit.diagnosis import caught
from esper_audit.report.answer import answer
from esper_audit.report.blocks import details, head
from esper_audit.report.briefs import brief as brief_of
from esper_audit.report.ci.places import Related, line_of, related_to
from esper_audit.report.comparison import comparison_answer
from esper_audit.report.gate import cause, gate_answer
from esper_audit.report.program import summary
from esper_audit.report.words.programs import program_name
from esper_audit.report.words.reasons import all_in_words, in_words

OVER_BUDGET, NOT_JUDGED, DIFFERS = "over-budget", "not-judged", "differs"
_ACCEPT = "change it back, or accept it with `esper-audit gate --update-baseline`"
RULES = {
    OVER_BUDGET: Meaning(
        "a scenario costs more than its budget allows",
        "look at its causes with `esper-audit show -v`, or raise the bound that it broke",
    ),
    NOT_JUDGED: Meaning(
        "the audit could not be completed, so nothing is proven",
        "fix what the message names, and run it again",
    ),
    DIFFERS: Meaning(
        "two saved audits differ here", "look at both sides with `esper-audit compare`"
    ),
    ChangeKind.WORSE.value: Meaning("a count is worse than the baseline accepts", _ACCEPT),
    ChangeKind.NEW.value: Meaning(
        "the baseline has no entry for it", "accept it with `esper-audit gate --update-baseline`"
    ),
    ChangeKind.IMPROVED.value: Meaning("it is better than the baseline accepts", _ACCEPT),
    ChangeKind.UNMATCHED.value: Meaning(
        "no audit matches this entry of the baseline",
        "restore its scenario, or remove the entry with `esper-audit gate --update-baseline`",
    ),
    ChangeKind.NOT_COMPARABLE.value: Meaning(
        "the baseline has no entries for this environment",
        "run `esper-audit gate --update-baseline` in it once",
    ),
    ChangeKind.NOT_DETERMINISTIC.value: Meaning(
        "counts differ from run to run", "remove what depends on chance, as a seed that is not set"
    ),
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


def _clean(made: Any, *fields: str) -> None:
    """Clean the texts of what is made, so that no builder and no format can forget it."""
    for field in fields:
        object.__setattr__(made, field, _cleaned(getattr(made, field)))


def _cleaned(found: Any) -> Any:
    match found:
        case str():
            return clean(found)
        case tuple():
            return tuple(map(clean, found))
        case Location():
            return Location(clean(found.file), found.line, clean(found.function))
        case _:
            return found


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing to look at. ``rule`` is a diagnosis or a key of RULES.

    ``location`` is the line to change: it wrote the guarded state, or made the guard; ``related``
    are the others. ``key`` names the problem without line numbers. ``brief`` is the message in
    a few words, without the rule.
    """

    rule: str
    message: str
    fails: bool
    details: tuple[str, ...] = ()
    location: Location | None = None
    key: tuple[str, ...] = ()
    related: tuple[Related, ...] = ()
    brief: str = ""

    def __post_init__(self) -> None:
        _clean(self, "message", "details", "location", "key", "brief")


@dataclass(frozen=True, slots=True)
class Case:
    """One audit, program or comparison."""

    name: str
    group: str
    status: Status
    reason: str = ""
    problems: tuple[Problem, ...] = ()
    seconds: float = 0.0

    def __post_init__(self) -> None:
        _clean(self, "name", "group", "reason")


@dataclass(frozen=True, slots=True)
class Cases:
    """A whole report: its first sentence, its cases, and the command that accepts them."""

    answer: str
    cases: tuple[Case, ...]
    root: str = ""
    accept: str = ""
    seconds: float = 0.0

    def __post_init__(self) -> None:
        _clean(self, "answer", "root", "accept")

    @property
    def completed(self) -> bool:
        """Whether everything could be judged."""
        return not any(case.status is Status.ERROR for case in self.cases)

    @property
    def problems(self) -> tuple[Problem, ...]:
        """Those of all cases, each once; what fails in one of them fails."""
        found: dict[object, Problem] = {}
        for problem in (problem for case in self.cases for problem in case.problems):
            key = (problem.rule, problem.message, problem.location)
            if key not in found or problem.fails:
                found[key] = problem
        return tuple(found.values())


def cases(document: Document) -> Cases:
    """The cases of a report of any kind."""
    if isinstance(document, Report):
        made = tuple(_of_audit(audit, document) for audit in document.audits)
        if document.interrupted or document.control_missed:
            made += (_doubted(answer(document)),)
        return Cases(answer(document), made, document.root, seconds=document.wall_seconds)
    if isinstance(document, ProgramReport):
        whole = "; ".join(summary(audit) for audit in document.audits)
        return Cases(whole, tuple(_of_program(document)), document.root)
    if isinstance(document, GateReport):
        made = tuple(_of_result(result, document) for result in document.results)
        if document.doubt is not None or not made:
            made += (_doubted(gate_answer(document)),)
        accept = document.accept if document.verdict is AuditVerdict.FAILED else ""
        return Cases(gate_answer(document), made, document.root, accept, document.wall_seconds)
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


def _of_program(report: ProgramReport) -> Iterator[Case]:
    for audit in report.audits:
        status = _STATUS[audit.verdict] if audit.verdict is not None else Status.PASSED
        failing = audit.verdict is AuditVerdict.FAILED
        yield Case(
            name=program_name(audit.recording.program),
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


def meaning_of(rule: str) -> Meaning:
    """What a rule says, and what to do about it."""
    return RULES[rule] if rule in RULES else MEANINGS[Diagnosis(rule)]
