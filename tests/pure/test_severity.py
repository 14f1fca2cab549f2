"""The severity of a ticket follows from what was measured, by one rule."""

from __future__ import annotations

from dataclasses import replace

import pytest
from builders import audit, judged
from report_builders import failing, stale

from esper_audit.data.diagnoses import Diagnosis
from esper_audit.data.verdicts import AuditVerdict, StepVerdict
from esper_audit.diagnosis.severity import (
    SEVERITIES,
    Harm,
    Rule,
    Severity,
    harm_of,
    rule_of,
    severity_of,
)
from esper_audit.report.words.tickets import RULES

CLEAN = Harm(audits=2, judged=2)
HARMED = replace(CLEAN, harmed=1, recompiles=3, steps=10)


@pytest.mark.parametrize(
    ("harm", "rule", "severity"),
    [
        (Harm(), Rule.NOT_JUDGED, Severity.UNKNOWN),
        (Harm(audits=3), Rule.NOT_JUDGED, Severity.UNKNOWN),
        (CLEAN, Rule.NOTHING, Severity.NONE),
        (HARMED, Rule.WITHIN_BUDGET, Severity.P4),
        (replace(HARMED, failed=1), Rule.RECOMPILES, Severity.P3),
        (replace(HARMED, failed=1, limits=1, eager=5, worst=0.5), Rule.LIMIT, Severity.P2),
        (replace(HARMED, failed=1, limits=1, eager=6, worst=0.6), Rule.MOSTLY_EAGER, Severity.P1),
        (replace(HARMED, raised=1), Rule.ERROR, Severity.P1),
        (replace(CLEAN, wrong=1), Rule.WRONG_OUTPUT, Severity.P0),
        (replace(HARMED, wrong=1, raised=1, limits=1, worst=1.0), Rule.WRONG_OUTPUT, Severity.P0),
    ],
)
def test_the_first_rule_that_holds_decides(harm, rule, severity):
    assert rule_of(harm) is rule
    assert severity_of(harm) is severity


def test_every_rule_has_a_severity_and_words():
    assert set(SEVERITIES) == set(RULES) == set(Rule)


def is_float(finding):
    return finding.id is Diagnosis.FLOAT_SPECIALIZED


def limited(count=1):
    one = failing()
    eager = [
        replace(judged(20 + n, StepVerdict.EAGER), eager=Diagnosis.EAGER_AFTER_LIMIT)
        for n in range(count)
    ]
    return replace(one, steps=(*one.steps[:-1], *eager))


def test_harm_counts_the_steps_of_audits_with_the_cause():
    harm = harm_of([limited(), audit(), audit(AuditVerdict.ERROR)], is_float)
    assert (harm.audits, harm.judged, harm.harmed, harm.failed) == (3, 2, 1, 1)
    assert (harm.recompiles, harm.limits, harm.steps, harm.eager) == (6, 1, 7, 1)
    assert harm.worst == pytest.approx(1 / 7)


def test_most_eager_steps_after_the_limit_are_graver_than_the_limit():
    assert severity_of(harm_of([limited(1)], is_float)) is Severity.P2
    assert severity_of(harm_of([limited(9)], is_float)) is Severity.P1


def test_wrong_output_counts_whatever_its_cause():
    assert severity_of(harm_of([stale()], is_float)) is Severity.P0


def test_a_cause_of_something_else_is_no_harm():
    assert severity_of(harm_of([failing()], lambda _: False)) is Severity.NONE
