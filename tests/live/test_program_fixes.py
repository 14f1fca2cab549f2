"""``fix --exec``: a program runs again with remedies, and must equal itself without torch.compile."""

from __future__ import annotations

import os
import shutil
import threading
from functools import partial
from pathlib import Path

import pytest
from warm import run_warm

from esper_audit.data.expectations import ProgramBudget
from esper_audit.data.reasons import Why
from esper_audit.data.remedies import (
    AppliedState,
    Ground,
    Lever,
    LeverKind,
    Reach,
    Remedy,
    RemedyState,
)
from esper_audit.data.verdicts import AuditVerdict
from esper_audit.program import tries
from esper_audit.program.fix import run_program_fix
from esper_audit.program.launch import Target
from esper_audit.program.recorded import recorded
from esper_audit.program.variant import ProgramVariant
from esper_audit.remedies.applying import apply
from esper_audit.remedies.candidates import Candidates, causes_of
from esper_audit.remedies.search import Search, Tried

PROGRAMS = Path(__file__).parent / "programs" / "remedies"
SMALL = """
import torch

class Scaled(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.scale = 1.0
    def forward(self, x):
        return torch.add(x, x, alpha=self.scale)

module = Scaled()
compiled = torch.compile(module, backend="aot_eager"OPTIONS)
for scale in (1.0, 2.0, 3.0):
    module.scale = scale
    compiled(MADE)
"""


@pytest.fixture(autouse=True)
def warm_runs(monkeypatch):
    """Runs are forked from a process that has torch imported; one at a time."""
    lock = threading.Lock()

    def run_again(command, folder, _kept, _is_over, variables):
        with lock:
            return run_warm(command[2:], Path(folder), os.environ | variables).returncode

    monkeypatch.setattr(tries, "run_again", run_again)


def small(folder, made="torch.ones(3)", options=""):
    path = folder / "small.py"
    path.write_text(SMALL.replace("MADE", made).replace("OPTIONS", options))
    return Target(str(path))


def tried_on(target, *levers):
    """What trying these levers on a program shows, by the audit of the program as it is."""
    with tries.Tries(target, str(Path.cwd())) as runs:
        program = recorded(runs, target, ProgramBudget())
        (run,) = runs.run([ProgramVariant(levers=levers)])
        covers = causes_of(program.audit)
        remedy = Remedy(id="one", covers=covers, reach=Reach.SOURCE, levers=levers)
        tried = Tried(remedy, frozenset())
        Search(program.audit, lambda *_: Candidates()).learn(tried, program.judged(run))
        return program.audit, tried


def test_a_program_gets_a_patch_that_is_proven_applied_and_proven_again(tmp_path, monkeypatch):
    monkeypatch.chdir(shutil.copytree(PROGRAMS, tmp_path / "programs"))
    put = partial(apply, force=True)  # no git keeps them
    report = run_program_fix(Target("kv_cache.py"), minimal=True, apply=put)
    (fix,) = report.fixes
    assert (fix.compiles, fix.best is not None) == (7, True)
    best = fix.trials[fix.best or 0]
    assert (best.state, best.compiles, best.files) == (RemedyState.PROVEN, 0, ("kv_cache.py",))
    assert report.cure.proven
    assert report.applied.state is AppliedState.KEPT
    assert "register_buffer" in Path("kv_cache.py").read_text()


def test_a_dropped_guard_makes_a_program_wrong_and_is_said_to_hide(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    drop = Lever(kind=LeverKind.DROP_GUARD, value=repr("L['self'].scale"))
    before, tried = tried_on(small(tmp_path), drop)
    assert before.verdict is AuditVerdict.FAILED
    assert (tried.state, tried.shown.because.ground) == (RemedyState.HIDES, Ground.STALE)


def test_what_a_program_passes_to_torch_compile_itself_wins(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    target = small(tmp_path, options=", dynamic=False")
    dynamic = Lever(kind=LeverKind.COMPILE, name="dynamic", value="True")
    with tries.Tries(target, str(tmp_path)) as runs:
        (run,) = runs.run([ProgramVariant(levers=(dynamic,))])
    assert run.calls.overridden == ("dynamic",)


def test_a_program_that_varies_from_run_to_run_proves_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    made = "torch.tensor([int.from_bytes(__import__('os').urandom(2), 'big') + 0.5])"
    raised = Lever(
        kind=LeverKind.CONFIG, name="torch._dynamo.config.allow_empty_graphs", value="True"
    )
    before, tried = tried_on(small(tmp_path, made), raised)
    assert before.verdict is AuditVerdict.FAILED
    assert tried.after.steps[1].because.why is Why.CALLS_VARY
