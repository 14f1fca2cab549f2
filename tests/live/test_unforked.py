"""Where no process can be forked, the copy in the same process proves itself, or nothing."""

from __future__ import annotations

import pytest
from states import KINDS, compiles_of, five_steps, forget, targets
from support import audits_of, esper_audit, replay_here, replay_job, why
from torch import nn

from esper_audit.data.verdicts import AuditVerdict
from esper_audit.diagnosis import judge
from esper_audit.diagnosis.disturbance import needs_proof, proof_job, settled
from esper_audit.replay import twin


@pytest.fixture
def unforked(monkeypatch):
    monkeypatch.setattr(twin, "can_fork", lambda: False)


def proven(scenario, again):
    """The audit of a replay on copies, settled by a second one, as a run does."""
    result = first = replay_job(scenario)
    if needs_proof(first):
        again()
        result = settled(first, replay_job(scenario, **vars_of(proof_job(first.job))))
    return judge(result, result.recording.environment)


def vars_of(job):
    return {"compare": job.compare, "checksums": job.variant.checksums}


@pytest.mark.parametrize("kind", KINDS)
def test_a_copy_that_shares_state_is_unknown_or_right(kind, library, unforked):
    forget(library)
    alone = replay_here(five_steps(targets(library)[kind]), compare=False)
    forget(library)
    target = targets(library)

    def again():
        forget(library)
        target.update(targets(library))

    audit = proven(lambda replay: five_steps(target[kind])(replay), again)
    verdicts = {step.verdict.value for step in audit.steps}
    assert len(audit.steps) == 5, audit.reasons
    assert compiles_of(audit) == compiles_of(alone)
    assert verdicts == {"unknown"} or audit.verdict is alone.verdict
    assert "stale" not in verdicts


def test_a_copy_that_shares_nothing_proves_itself(unforked):
    linear = nn.Linear(4, 4)
    audit = proven(five_steps(linear), lambda: None)
    assert audit.verdict is AuditVerdict.PASSED
    assert [step.verdict.value for step in audit.steps] == ["compiled", *["reused"] * 4]


def test_a_run_proves_or_refuses_what_it_could_not_fork_for(tmp_path):
    (tmp_path / "checks.py").write_text(UNFORKED)
    result = esper_audit("run", "--format", "json", "checks.py", cwd=tmp_path)
    found = audits_of(result.stdout)
    assert found["plain",]["verdict"] == "passed"
    assert found["counting",]["verdict"] == "error"
    assert "can't be compared without a fork" in why(found["counting",])


UNFORKED = """
import torch
from esper_audit import scenario
from esper_audit.replay import twin

twin.can_fork = lambda: False
SEEN = []

def counted(x):
    SEEN.append(1.0)
    return x + torch.tensor(SEEN).sum()

def five(replay, target):
    step = replay.compile(target)
    with replay.warm_up():
        step(torch.ones(2, 4))
    for _ in range(4):
        step(torch.ones(2, 4))

@scenario
def plain(replay):
    five(replay, torch.nn.functional.relu)

@scenario(budget=__import__("esper_audit").Budget(compiles_after_warm_up=9))
def counting(replay):
    five(replay, counted)
"""
