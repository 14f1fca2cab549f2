"""``fix --exec``: which programs it refuses, what it asks of the others, and what they leave."""

from __future__ import annotations

from dataclasses import replace

import pytest
from builders import compiled, failure, recording

from esper_audit.data.calls import Calls, CompiledCall, Digest
from esper_audit.data.compiles import Outcome
from esper_audit.data.expectations import ProgramBudget
from esper_audit.data.reasons import Why
from esper_audit.data.recording import Program
from esper_audit.data.remedies import (
    Ground,
    Lever,
    LeverKind,
    Reach,
    Remedy,
    RemedyState,
)
from esper_audit.data.steps import Phase
from esper_audit.errors import IncompleteError, UsageError
from esper_audit.program import fix
from esper_audit.program.launch import NotFoundError, Target
from esper_audit.program.tries import TriedRun
from esper_audit.remedies.candidates import Candidates

PROGRAM = Program(argv=("train.py",), ended="exit 0")
DYNAMIC = Lever(kind=LeverKind.COMPILE, name="dynamic", value="True")


def ran(*values, recompiles=0, seconds=0.001, **fields):
    """A run with a call for each value, so many of which recompiled."""
    again = [
        compiled(
            None, Outcome.RECOMPILED, phase=Phase.WARM_UP, guard_failures=(failure(),), graph_runs=1
        )
        for _ in range(recompiles)
    ]
    first = compiled(None, phase=Phase.WARM_UP, graph_runs=len(values))
    rows = tuple(
        CompiledCall(
            number=0,
            output=Digest(("float32[]",), ((value, value, abs(value)),)),
            hits=int(place > recompiles),
            graphs=int(place <= recompiles),
            seconds=seconds,
        )
        for place, value in enumerate(values)
    )
    kept = recording((), [first, *again], program=fields.pop("program", PROGRAM))
    calls = Calls(rows=rows, overridden=fields.pop("overridden", ()))
    return TriedRun(recording=kept, calls=calls, code=0, seconds=1.0, **fields)


class Runs:
    """Answers for the program: of a variant, what the test says."""

    def __init__(self, as_is, eager, with_lever):
        self.as_is, self.eager, self.with_lever = as_is, list(eager), with_lever

    def __call__(self, *_):
        return self

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def run(self, variants, _limit=None):
        return [
            self.eager.pop(0) if one.eager else self.with_lever if one.levers else self.as_is
            for one in variants
        ]


@pytest.fixture
def fixed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "train.py").write_text("")

    def make(_root, _levers):
        remedy = Remedy(id="dynamic", covers=(), reach=Reach.CALLABLE, levers=(DYNAMIC,))
        return lambda *_: Candidates(remedies=(remedy,))

    monkeypatch.setattr(fix, "maker", make)

    def run(as_is, eager, with_lever=None, **asked):
        monkeypatch.setattr(fix, "Tries", Runs(as_is, eager, with_lever))
        return fix.run_program_fix(Target("train.py"), **asked)

    return run


RIGHT = (1.0, 2.0, 3.0, 4.0)


def state(report):
    (found,) = report.fixes
    (trial,) = found.trials
    return trial.state, trial.because.ground if trial.because is not None else None


def test_a_remedy_after_which_a_program_equals_itself_and_recompiles_nothing_is_proven(fixed):
    report = fixed(ran(*RIGHT, recompiles=2), [ran(*RIGHT)] * 2, ran(*RIGHT))
    assert state(report) == (RemedyState.PROVEN, None)
    assert report.fixes[0].compiles == 2


def test_a_remedy_with_another_result_hides(fixed):
    report = fixed(ran(*RIGHT, recompiles=2), [ran(*RIGHT)] * 2, ran(1.0, 2.0, 2.0, 2.0))
    assert state(report) == (RemedyState.HIDES, Ground.STALE)


def test_a_program_that_varies_has_no_proven_remedy(fixed):
    eager = [ran(*RIGHT), ran(1.0, 2.0, 3.0, 5.0)]
    report = fixed(ran(*RIGHT, recompiles=2), eager, ran(*RIGHT))
    assert state(report) == (RemedyState.UNPROVEN, Ground.NOT_COMPARED)


def test_a_remedy_that_raises_breaks(fixed):
    raised = replace(PROGRAM, ended="RuntimeError: no", exit_code=1)
    report = fixed(ran(*RIGHT, recompiles=2), [ran(*RIGHT)] * 2, ran(*RIGHT[:2], program=raised))
    assert state(report)[0] is RemedyState.BREAKS


def test_a_remedy_whose_run_is_lost_breaks_or_is_not_proven(fixed):
    report = fixed(ran(*RIGHT, recompiles=2), [ran(*RIGHT)] * 2, TriedRun(code=-9))
    assert state(report)[0] in (RemedyState.BREAKS, RemedyState.UNPROVEN)


def test_calls_that_take_longer_in_both_runs_are_slower(fixed):
    report = fixed(
        ran(*RIGHT, 5.0, 6.0, recompiles=2),
        [ran(*RIGHT, 5.0, 6.0)] * 2,
        ran(*RIGHT, 5.0, 6.0, seconds=0.01),
    )
    assert state(report) == (RemedyState.SLOWER, Ground.SLOWER)


def test_a_lever_that_the_program_sets_itself_says_so(fixed):
    with_lever = ran(*RIGHT, recompiles=2, overridden=("dynamic",))
    report = fixed(ran(*RIGHT, recompiles=2), [ran(*RIGHT)] * 2, with_lever)
    assert state(report)[1] is Ground.SET_BY_USER


def test_a_program_without_recompiles_needs_no_remedy(fixed):
    report = fixed(ran(*RIGHT), [ran(*RIGHT)] * 2)
    assert (report.fixes, report.passed) == ((), ("train.py",))


def test_a_program_that_is_wrong_as_it_is_can_not_be_judged(fixed):
    report = fixed(ran(1.0, 2.0, 2.0, 2.0), [ran(*RIGHT)] * 2)
    (found,) = report.fixes
    assert (found.because.ground, found.because.reason.why) == (
        Ground.NOT_COMPARED,
        Why.CALLS_DIFFER,
    )


def test_the_smallest_cure_of_a_program_is_its_proven_remedy(fixed):
    runs = (ran(*RIGHT, recompiles=2), [ran(*RIGHT)] * 2)
    assert fixed(*runs, ran(*RIGHT), minimal=True).cure.proven
    uncured = fixed(runs[0], [ran(*RIGHT)] * 2, ran(*RIGHT, recompiles=2), minimal=True).cure
    assert (uncured.proven, uncured.uncured) == (False, ("train.py",))


def test_what_is_applied_is_held_against_the_program_as_it_was(fixed):
    told = []

    def put(report, again):
        told.append(again().verdict)
        return report

    fixed(ran(*RIGHT, recompiles=2), [ran(*RIGHT)] * 2, ran(*RIGHT), apply=put)
    assert told == ["failed"]  # nothing was changed


def test_a_rank_and_a_program_that_is_not_there_are_refused(fixed, monkeypatch):
    with pytest.raises(NotFoundError, match=r"There is no script gone\.py"):
        fix.run_program_fix(Target("gone.py"))
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(UsageError, match="WORLD_SIZE is 2"):
        fix.run_program_fix(Target("train.py"))


def test_a_program_that_leaves_no_recording_is_told(fixed):
    with pytest.raises(IncompleteError, match="its process ended with 2"):
        fixed(TriedRun(code=2), [ran(*RIGHT)] * 2)


def test_a_budget_of_the_users_own_decides(fixed):
    report = fixed(ran(*RIGHT, recompiles=2), [ran(*RIGHT)] * 2, budget=ProgramBudget(recompiles=2))
    assert report.passed == ("train.py",)
