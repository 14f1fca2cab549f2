"""Whether what a ticket or a reviewer claims was confirmed, refuted or not tested, and by what."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from esper_audit.data.audits import Audit, ClaimResult
from esper_audit.data.tickets import Done, Held, Point
from esper_audit.data.verdicts import AuditVerdict, ClaimStatus
from esper_audit.diagnosis.claims import matches
from esper_audit.diagnosis.severity import Severity
from esper_audit.source.invalidation import Invalidation

_VERDICTS = {Held.PASSED: AuditVerdict.PASSED, Held.FAILED: AuditVerdict.FAILED}


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What points are held against: audits, claims, severity, source.

    ``about`` are the parameters of the audits that the ticket is about, among ``audits``.
    ``beside`` gives the lines that write the attribute by other ways than through functions of
    these names; None where the source does not tell.
    """

    audits: tuple[Audit, ...]
    claims: tuple[ClaimResult, ...]
    severity: Severity
    about: Mapping[str, str]
    beside: Callable[[Iterable[str]], tuple[Invalidation, ...]] | None = None


@dataclass(frozen=True, kw_only=True)
class Decided:
    """A point, its status, and the evidence: of its kind, the other fields are empty.

    ``missing`` are scenarios of the point that this report does not judge. ``ticked``: of a check,
    whether it is done.
    """

    point: Point
    status: ClaimStatus
    claims: tuple[ClaimResult, ...] = ()
    audits: tuple[Audit, ...] = ()
    missing: tuple[str, ...] = ()
    lines: tuple[Invalidation, ...] = ()
    severity: Severity | None = None

    @property
    def ticked(self) -> bool:
        if self.point.done is Done.TESTED:
            return self.status is not ClaimStatus.NOT_TESTED
        return self.status is ClaimStatus.CONFIRMED


def decide(point: Point, facts: Facts) -> Decided:
    """A point, held against what it is bound to."""
    if point.claim:
        found = tuple(result for result in facts.claims if result.claim.id == point.claim)
        return Decided(point=point, status=status_of(found), claims=found)
    if point.scenarios:
        about = point.about or facts.about
        audits = [audit for audit in facts.audits if matches(audit.parameters, about)]
        return _of_audits(point, audits)
    if point.only_by and facts.beside is not None:
        lines = facts.beside(point.only_by)
        return Decided(point=point, status=_held(not lines), lines=lines)
    if point.severity and facts.severity is not Severity.UNKNOWN:
        held = point.severity == facts.severity.value
        return Decided(point=point, status=_held(held), severity=facts.severity)
    return Decided(point=point, status=ClaimStatus.NOT_TESTED)


def status_of(results: Sequence[ClaimResult]) -> ClaimStatus:
    """Over all backends: one refutation refutes, and one confirmation beside none confirms."""
    found = {result.status for result in results}
    for status in (ClaimStatus.REFUTED, ClaimStatus.CONFIRMED):
        if status in found:
            return status
    return ClaimStatus.NOT_TESTED


def _held(held: bool) -> ClaimStatus:
    return ClaimStatus.CONFIRMED if held else ClaimStatus.REFUTED


def _of_audits(point: Point, audits: Sequence[Audit]) -> Decided:
    """By the verdicts of all audits of its scenarios. One that is not judged confirms nothing."""
    named = [audit for audit in audits if audit.scenario in point.scenarios]
    judged = tuple(audit for audit in named if audit.verdict in _VERDICTS.values())
    open_ = {audit.scenario for audit in named if audit not in judged}
    open_ |= set(point.scenarios) - {audit.scenario for audit in named}
    missing = tuple(name for name in dict.fromkeys(point.scenarios) if name in open_)
    status = _held(all(audit.verdict is _VERDICTS[point.holds] for audit in judged))
    if not judged or (missing and status is ClaimStatus.CONFIRMED):
        status = ClaimStatus.NOT_TESTED
    return Decided(point=point, status=status, audits=judged, missing=missing)
