"""What a ticket says of a saved audit: each point decided, the code as it is today, the harm."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from esper_audit.data.audits import Audit, ClaimResult, Report
from esper_audit.data.clean import clean
from esper_audit.data.diagnoses import Diagnosis
from esper_audit.data.findings import Finding
from esper_audit.data.places import Location
from esper_audit.data.remedies import Fix, FixReport
from esper_audit.data.tickets import Point, Points, Review
from esper_audit.data.verdicts import AuditVerdict
from esper_audit.diagnosis import EAGER, is_control, matches
from esper_audit.diagnosis.kinds import AT_A_LIMIT
from esper_audit.diagnosis.points import Decided, Facts, decide
from esper_audit.diagnosis.severity import Harm, Rule, Severity, harm_of, rule_of, severity_of
from esper_audit.errors import UsageError
from esper_audit.report.shared_causes import Cause, causes
from esper_audit.report.words.paths import relative
from esper_audit.source.attributes import sites_in
from esper_audit.source.cached import Cached, cached, uses_of_self
from esper_audit.source.classes import classes_of
from esper_audit.source.definitions import Class, Function
from esper_audit.source.invalidation import (
    Invalidation,
    beside,
    invalidations,
    project_around,
)
from esper_audit.source.project import Project, python_files

_BOX = "verification"
"""What the source of a claim names where the claim is a check of a ticket."""


@dataclass(frozen=True, kw_only=True)
class Ticket:
    """A ticket as it is written. ``state`` is None where no attribute was found to be the cause.

    ``guarded`` is the line that made the guard when the audit ran; ``function`` is the one that
    makes the attribute, or holds that line, as it is today. ``claims`` are those of the ticket,
    ``also`` those of the audit beside them. ``others`` are causes of the same audits that the
    ticket is not about.
    """

    points: Points
    report: Report
    root: str
    audits: tuple[Audit, ...]
    state: Cached | None
    function: Function | None
    guarded: Location | None
    lines: tuple[Invalidation, ...]
    harm: Harm
    claims: tuple[Decided, ...]
    also: tuple[Decided, ...]
    boxes: tuple[Decided, ...]
    reviews: tuple[tuple[Review, tuple[Decided, ...]], ...]
    meant: tuple[Cause, ...]
    others: tuple[Cause, ...]
    eager: dict[tuple[Diagnosis, str], tuple[str, ...]]
    fixes: tuple[Fix, ...] | None
    date: str = ""

    @property
    def rule(self) -> Rule:
        """The rule that decides the severity."""
        return rule_of(self.harm)

    @property
    def severity(self) -> Severity:
        """By what was measured."""
        return severity_of(self.harm)

    @property
    def is_acceptable(self) -> bool:
        """Whether nothing was measured that needs a change."""
        return self.severity in (Severity.P4, Severity.NONE)


def ticket_of(
    report: Report, points: Points, root: str, fixes: FixReport | None = None, date: str = ""
) -> Ticket:
    """The ticket of an audit; ``root`` is the project's folder as it is today."""
    audits = _about(report, points)
    failed = [audit for audit in audits if audit.verdict is AuditVerdict.FAILED]
    found = sorted(causes(failed), key=_order)
    project, state, function = _subject(points, found, report, root)
    meant = partial(_is_meant, state, found[0].finding if found and state is None else None)
    harm = harm_of(audits, meant)
    facts = Facts(
        audits=report.audits,
        about=_parameters(report, points),
        claims=report.claims,
        severity=severity_of(harm),
        beside=partial(beside, project, state) if state is not None else None,
    )
    lines = invalidations(project, state) if state is not None else ()
    if points.subject.attribute and state is not None and not lines:
        raise _unknown_subject(f"nothing writes {_named(points)}", root)
    claims, boxes = _claimed(points, report.claims)
    named = {point.claim for point in (*claims, *boxes)}
    rest = [result.claim for result in report.claims if result.claim.id not in named]
    also = {claim.id: Point(said=claim.text, claim=claim.id) for claim in rest}
    guarded = next((cause.finding.user_line for cause in found if meant(cause.finding)), None)
    return Ticket(
        points=points,
        report=report,
        root=root,
        audits=audits,
        state=state,
        function=function,
        guarded=guarded,
        lines=lines,
        harm=harm,
        claims=tuple(decide(point, facts) for point in claims),
        also=tuple(decide(point, facts) for point in also.values()),
        boxes=tuple(decide(point, facts) for point in boxes),
        reviews=tuple(
            (review, tuple(decide(point, facts) for point in review.points))
            for review in points.reviews
        ),
        meant=tuple(cause for cause in found if meant(cause.finding)),
        others=tuple(cause for cause in found if not meant(cause.finding)),
        eager=_eager(failed),
        fixes=_fixes_about(fixes, facts.about) if fixes is not None else None,
        date=date,
    )


def _order(cause: Cause) -> tuple[int, str, str]:
    """Those with most recompiles first: seconds differ from run to run."""
    return -cause.compiles, cause.finding.source, cause.finding.frame.key


def _eager(audits: Sequence[Audit]) -> dict[tuple[Diagnosis, str], tuple[str, ...]]:
    """Other reasons of eager execution, by diagnosis and frame, with the scenarios."""
    found: dict[tuple[Diagnosis, str], dict[str, None]] = {}
    for audit in audits:
        for one in audit.findings:
            if one.pattern is None and one.id in EAGER and one.id not in AT_A_LIMIT:
                found.setdefault((one.id, one.frame.name), {})[audit.scenario] = None
    return {key: tuple(names) for key, names in found.items()}


def _about(report: Report, points: Points) -> tuple[Audit, ...]:
    """The audits with the ticket's parameters, else with the question's; no negative control."""
    about = _parameters(report, points)
    subjects = [audit for audit in report.audits if not is_control(audit, report.control)]
    return tuple(audit for audit in subjects if matches(audit.parameters, about))


def _parameters(report: Report, points: Points) -> dict[str, str]:
    return points.about or report.question.about


def _claimed(
    points: Points, results: Sequence[ClaimResult]
) -> tuple[tuple[Point, ...], tuple[Point, ...]]:
    """The claims and the checks: of the points, else those that the scenarios declare."""
    if points.claims or points.boxes:
        return points.claims, points.boxes
    claims: list[Point] = []
    boxes: list[Point] = []
    for claim in {result.claim.id: result.claim for result in results}.values():
        point = Point(said=claim.text, claim=claim.id, untested=claim.untestable)
        (boxes if _BOX in claim.source.lower() else claims).append(point)
    return tuple(claims), tuple(boxes)


def _is_meant(state: Cached | None, main: Finding | None, finding: Finding) -> bool:
    """Whether a finding is of the attribute, or of what it is made from, in its own file."""
    if state is None:
        return main is not None and finding.subject == main.subject and finding.id is main.id
    attribute = finding.source.rpartition(".")[2]
    line = finding.user_line
    here = line is None or line.file.endswith(state.made.file.path.rpartition("/")[2])
    return here and attribute in (state.attribute, *state.sources)


# --- the source as it is today ---


def _subject(
    points: Points, found: Sequence[Cause], report: Report, root: str
) -> tuple[Project, Cached | None, Function | None]:
    """The project around the attribute, the attribute, and the function that is shown."""
    scenarios = {today(audit.file, report, root) for audit in report.audits}
    if points.subject.name:
        whole = Project(root, list(python_files(root)))
        made = classes_of(whole).named(points.subject.name)
        if not made:
            raise _unknown_subject(f"there is no class {clean(points.subject.name)}", root)
        file, name, attribute = made[0].file.path, *_pair(points)
    else:
        file, name, attribute = _of_cause(found, report, root)
    if not file:
        return Project(root, []), None, None
    project = project_around(root, file, scenarios - {file})
    here = classes_of(project).in_file(project.file(file))
    owner = next((one for one in here if name in (one.name, one.qualname)), None)
    line = next((cause.finding.user_line for cause in found if cause.finding.user_line), None)
    function = _function_at(project, file, line, report, root)
    if owner is None or not attribute:
        return project, None, function
    state = cached(project, owner, attribute)
    return project, state, state.function or function


def _unknown_subject(said: str, root: str) -> UsageError:
    """Without it everything would look harmless: another attribute has no recompiles."""
    return UsageError(
        f"The subject of the points is not in the source at {clean(root)}: {said}.",
        "Correct [subject], or run this where the source is.",
    )


def _named(points: Points) -> str:
    return clean(".".join(_pair(points)))


def _pair(points: Points) -> tuple[str, str]:
    return points.subject.name, points.subject.attribute


def _of_cause(found: Sequence[Cause], report: Report, root: str) -> tuple[str, str, str]:
    """File, class and attribute of the costliest cause that lies in a class of the project."""
    for cause in found:
        line = cause.finding.user_line
        file = today(line.file, report, root) if line is not None else ""
        if line is None or not file.startswith(root):
            continue
        project = Project(root, [file])
        function = _function_at(project, file, line, report, root)
        attribute = cause.finding.source.rpartition(".")[2]
        if function is not None and function.owner is not None and attribute.isidentifier():
            owner = function.owner
            return file, owner.qualname, _cache_of(project, owner, function, attribute)
    return "", "", ""


def _cache_of(project: Project, owner: Class, function: Function, attribute: str) -> str:
    """The attribute that the function makes from this one; itself where it makes none."""
    for site in sites_in(owner.file, classes_of(project)):
        if site.function is not function or site.receiver != "self" or site.value is None:
            continue
        if attribute in uses_of_self(site.value, function):
            return site.attribute
    return attribute


def _function_at(
    project: Project, file: str, line: Location | None, report: Report, root: str
) -> Function | None:
    """The innermost function around a line of the audit, if it still bears its name."""
    if line is None or today(line.file, report, root) != file:
        return None
    around = [
        function
        for function in classes_of(project).functions_in(project.file(file))
        if function.node.lineno <= line.line <= (function.node.end_lineno or 0)
    ]
    last = line.function.rpartition(".")[2]
    named = [function for function in around if function.name == last]
    return named[-1] if named else None


def today(file: str, report: Report, root: str) -> str:
    """The path that a file of the audit has in the project as it is today."""
    inside = relative(file, report.root)
    return file if inside == file else f"{root}/{inside}"


def _fixes_about(fixes: FixReport, about: Mapping[str, str]) -> tuple[Fix, ...]:
    return tuple(fix for fix in fixes.fixes if matches(fix.parameters, about))
