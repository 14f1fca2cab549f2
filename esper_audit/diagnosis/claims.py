"""What the audits of a run say of each claim, backend by backend."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from esper_audit.data.audits import Audit, ClaimResult, backends_of
from esper_audit.data.expectations import Claim
from esper_audit.data.reasons import Reason, Why
from esper_audit.data.verdicts import AuditVerdict, ClaimStatus

_BY_VERDICT = {AuditVerdict.PASSED: True, AuditVerdict.FAILED: False}


def matches(parameters: Mapping[str, str], wanted: Mapping[str, str]) -> bool:
    """Whether an audit's parameters are those wanted; one that it lacks matches any value."""
    return all(parameters.get(name, value) == value for name, value in wanted.items())


def decide_claims(claims: Iterable[Claim], audits: Sequence[Audit]) -> tuple[ClaimResult, ...]:
    """One result for each claim and backend.

    An audit that observed the claim decides it by the observations, any other that declares it
    by its verdict: passed confirms, failed refutes, skipped and error say nothing. One refutation
    refutes.
    """
    backends = backends_of(audits) or [""]
    return tuple(
        _decide(claim, backend, [audit for audit in audits if audit.backend == backend])
        for claim in claims
        for backend in backends
    )


def testable(claims: Iterable[Claim], audits: Sequence[Audit]) -> tuple[Claim, ...]:
    """The claims that these audits could have tested: a part of the suite tells no others."""
    return tuple(claim for claim in claims if any(_is_about(claim, audit) for audit in audits))


def _is_about(claim: Claim, audit: Audit) -> bool:
    observed = any(seen.claim == claim.id for seen in audit.recording.observations)
    return (observed or claim.id in audit.claims) and matches(audit.parameters, claim.about)


def _decide(claim: Claim, backend: str, audits: Sequence[Audit]) -> ClaimResult:
    confirmed: dict[str, Reason | None] = {}
    refuted: dict[str, Reason | None] = {}
    for audit in audits:
        if not matches(audit.parameters, claim.about):
            continue
        for holds, because in _evidence(claim, audit):
            (confirmed if holds else refuted).setdefault(audit.scenario, because)
    status, because = _status(claim, confirmed, refuted)
    return ClaimResult(claim, backend, status, tuple(confirmed), tuple(refuted), because)


def _evidence(claim: Claim, audit: Audit) -> list[tuple[bool, Reason | None]]:
    observed = [seen for seen in audit.recording.observations if seen.claim == claim.id]
    if observed:
        return [(seen.holds, Reason(why=Why.OBSERVED, text=seen.because)) for seen in observed]
    if claim.id in audit.claims and audit.verdict in _BY_VERDICT:
        return [(_BY_VERDICT[audit.verdict], next(iter(audit.reasons), None))]
    return []


def _status(
    claim: Claim, confirmed: Mapping[str, Reason | None], refuted: Mapping[str, Reason | None]
) -> tuple[ClaimStatus, Reason | None]:
    if refuted:
        return ClaimStatus.REFUTED, next(iter(refuted.values()))
    if confirmed:
        return ClaimStatus.CONFIRMED, next(iter(confirmed.values()))
    why = Why.UNTESTABLE if claim.untestable else Why.NOT_DECIDED
    return ClaimStatus.NOT_TESTED, Reason(why=why, text=claim.untestable)
