"""Claims are decided by audits that declare or observe them; one refutation refutes."""

from __future__ import annotations

from builders import audit

from esper_audit.data.expectations import Claim
from esper_audit.data.steps import Observation
from esper_audit.data.verdicts import AuditVerdict, ClaimStatus
from esper_audit.diagnosis import decide_claims
from esper_audit.report.words.reasons import in_words

CLAIM = Claim("safe", "It is safe", about={"alpha": "lazy"})
LAZY = {"alpha": "lazy"}


def decide(*audits, claim=CLAIM):
    return decide_claims([claim], audits)[0]


def test_a_pass_confirms_and_a_failure_refutes():
    assert decide(audit(parameters=LAZY, claims=("safe",))).status is ClaimStatus.CONFIRMED
    failed = audit(AuditVerdict.FAILED, parameters=LAZY, claims=("safe",))
    assert decide(failed).status is ClaimStatus.REFUTED


def test_one_refutation_outweighs_confirmations():
    good = audit(parameters=LAZY, claims=("safe",), scenario="good")
    bad = audit(AuditVerdict.FAILED, parameters=LAZY, claims=("safe",), scenario="bad")
    result = decide(good, bad)
    assert (result.status, result.refuted_by) == (ClaimStatus.REFUTED, ("bad",))
    assert result.confirmed_by == ("good",)


def test_skips_and_errors_decide_nothing():
    skipped = audit(AuditVerdict.SKIPPED, parameters=LAZY, claims=("safe",))
    broken = audit(AuditVerdict.ERROR, parameters=LAZY, claims=("safe",))
    assert decide(skipped, broken).status is ClaimStatus.NOT_TESTED


def test_audits_of_other_parameters_decide_nothing():
    other = audit(AuditVerdict.FAILED, parameters={"alpha": "buffer"}, claims=("safe",))
    assert decide(other).status is ClaimStatus.NOT_TESTED


def test_an_observation_outweighs_the_verdict_of_its_audit():
    seen = Observation("safe", True, "seen with my own eyes")
    failed = audit(AuditVerdict.FAILED, parameters=LAZY, claims=("safe",), observations=(seen,))
    result = decide(failed)
    assert (result.status, in_words(result.because)) == (
        ClaimStatus.CONFIRMED,
        "seen with my own eyes",
    )


def test_a_claim_that_no_run_can_decide_says_why():
    result = decide(claim=Claim("c", "A comment says so", untestable="a comment can't be run"))
    assert (result.status, in_words(result.because)) == (
        ClaimStatus.NOT_TESTED,
        "a comment can't be run",
    )


def test_each_backend_decides_for_itself():
    eager = audit(parameters=LAZY, claims=("safe",), backend="eager")
    aot = audit(AuditVerdict.FAILED, parameters=LAZY, claims=("safe",), backend="aot_eager")
    results = decide_claims([CLAIM], [eager, aot])
    assert [(result.backend, result.status.value) for result in results] == [
        ("eager", "confirmed"),
        ("aot_eager", "refuted"),
    ]


def test_a_file_that_could_not_be_loaded_is_no_backend_of_its_own():
    broken = audit(AuditVerdict.ERROR, scenario="broken.py", backend="")
    results = decide_claims([CLAIM], [audit(parameters=LAZY, claims=("safe",)), broken])
    assert [result.status for result in results] == [ClaimStatus.CONFIRMED]
