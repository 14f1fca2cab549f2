"""How grave a finding is: a rule over what was measured, from P0 to nothing at all.

Seconds don't decide: a replay's steps are small, so compiling is most of the time of any of them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from esper_audit.data.audits import Audit, JudgedStep
from esper_audit.data.diagnoses import Diagnosis
from esper_audit.data.findings import Finding
from esper_audit.data.steps import Phase
from esper_audit.data.verdicts import AuditVerdict, StepVerdict

MOST_EAGER = 0.5
"""The share of steady steps of one audit above which it runs eagerly for the most part."""


class Severity(StrEnum):
    """From the gravest to none. ``unknown``: no audit could be judged."""

    P0 = "P0"
    P1 = "P1"
    P2 = "P2"
    P3 = "P3"
    P4 = "P4"
    NONE = "none"
    UNKNOWN = "unknown"


class Rule(StrEnum):
    """What decides the severity: the first of these that holds."""

    NOT_JUDGED = "not-judged"
    WRONG_OUTPUT = "wrong-output"
    ERROR = "error"
    MOSTLY_EAGER = "mostly-eager"
    LIMIT = "limit"
    RECOMPILES = "recompiles"
    WITHIN_BUDGET = "within-budget"
    NOTHING = "nothing"


SEVERITIES = {
    Rule.NOT_JUDGED: Severity.UNKNOWN,
    Rule.WRONG_OUTPUT: Severity.P0,
    Rule.ERROR: Severity.P1,
    Rule.MOSTLY_EAGER: Severity.P1,
    Rule.LIMIT: Severity.P2,
    Rule.RECOMPILES: Severity.P3,
    Rule.WITHIN_BUDGET: Severity.P4,
    Rule.NOTHING: Severity.NONE,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Harm:
    """What a finding cost in the audits that are about it.

    ``judged`` of ``audits`` passed or failed; ``harmed`` had the finding. Of all judged ones:
    ``wrong`` steps and ``raised``, attempts to compile whose error reached the caller. Of the
    harmed ones: ``recompiles`` by this cause, ``failed``, ``limits`` hit by it, and of ``steps``
    after warm-up the ``eager`` ones after the limit; ``worst`` is the largest share of them in one
    audit, from 0 to 1.
    """

    audits: int = 0
    judged: int = 0
    harmed: int = 0
    failed: int = 0
    wrong: int = 0
    raised: int = 0
    recompiles: int = 0
    limits: int = 0
    steps: int = 0
    eager: int = 0
    worst: float = 0.0


def rule_of(harm: Harm) -> Rule:
    """The first rule that holds."""
    holds = {
        Rule.NOT_JUDGED: harm.judged == 0,
        Rule.WRONG_OUTPUT: harm.wrong > 0,
        Rule.ERROR: harm.raised > 0,
        Rule.MOSTLY_EAGER: harm.worst > MOST_EAGER,
        Rule.LIMIT: harm.limits > 0,
        Rule.RECOMPILES: harm.failed > 0,
        Rule.WITHIN_BUDGET: harm.harmed > 0,
    }
    return next((rule for rule, held in holds.items() if held), Rule.NOTHING)


def severity_of(harm: Harm) -> Severity:
    """The severity of what was measured."""
    return SEVERITIES[rule_of(harm)]


def harm_of(audits: Sequence[Audit], is_meant: Callable[[Finding], bool]) -> Harm:
    """What the findings that are meant cost in these audits."""
    judged = [a for a in audits if a.verdict in (AuditVerdict.PASSED, AuditVerdict.FAILED)]
    harmed = [audit for audit in judged if any(map(is_meant, audit.findings))]
    found = [finding for audit in harmed for finding in audit.findings if is_meant(finding)]
    limited = [a for a in harmed if any(is_meant(f) and f.limit_hit for f in a.findings)]
    eager = {id(audit): len(list(filter(_is_limited, _steady(audit)))) for audit in limited}
    return Harm(
        audits=len(audits),
        judged=len(judged),
        harmed=len(harmed),
        failed=sum(audit.verdict is AuditVerdict.FAILED for audit in harmed),
        wrong=sum(step.verdict is StepVerdict.STALE for audit in judged for step in audit.steps),
        raised=sum(f.attempts for audit in judged for f in audit.findings if f.raised),
        recompiles=sum(finding.compiles for finding in found),
        limits=len(limited),
        steps=sum(len(_steady(audit)) for audit in harmed),
        eager=sum(eager.values()),
        worst=max((eager[id(a)] / (len(_steady(a)) or 1) for a in limited), default=0.0),
    )


def _steady(audit: Audit) -> list[JudgedStep]:
    return [step for step in audit.steps if step.phase is Phase.STEADY]


def _is_limited(step: JudgedStep) -> bool:
    return step.verdict is StepVerdict.EAGER and step.eager is Diagnosis.EAGER_AFTER_LIMIT
