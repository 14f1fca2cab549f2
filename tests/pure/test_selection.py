"""What a part of a suite leaves out: files that can't be imported, claims that it can't test."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from builders import ENVIRONMENT, compiled, recording, step
from report_builders import printed

from esper_audit.auditing import Request, run_audit
from esper_audit.data.config import Config
from esper_audit.data.expectations import Claim
from esper_audit.data.jobs import Collection, Replay, ReplayStatus, ScenarioInfo
from esper_audit.data.reasons import Reason, Why
from esper_audit.data.steps import Phase
from esper_audit.data.verdicts import AuditVerdict
from esper_audit.errors import UsageError
from esper_audit.gating import Baseline, gate
from esper_audit.replay.plan import Options
from esper_audit.replay.unloaded import left_out
from esper_audit.report.formats import Format, render

BROKEN = "import nowhere\n\ndef rollout(replay):\n    pass\n"
CLAIMS = (
    Claim("fast", "It is fast"),
    Claim("small", "It is small", about={"size": "2"}),
    Claim("old", "A comment says so", untestable="a comment can't be run"),
)
SCENARIOS = (
    ScenarioInfo(name="steady", file="/p/s.py", question="", claims=("fast",)),
    ScenarioInfo(
        name="grows", file="/p/g.py", question="", claims=("small",), params={"size": ("2", "4")}
    ),
)


class Pool:
    """Every replay reuses."""

    def __init__(self, collection):
        self.collection = collection

    def collect(self, *_):
        return self.collection, ENVIRONMENT

    def replay(self, jobs, *_):
        steps = (step(0, misses=1, phase=Phase.WARM_UP), step(1, hits=1))
        made = recording(steps, [compiled(0, phase=Phase.WARM_UP)])
        for job in jobs:
            yield Replay(job=job, status=ReplayStatus.COMPLETED, recording=made)


@pytest.fixture
def broken(tmp_path):
    file = tmp_path / "wreck.py"
    file.write_text(BROKEN)
    return {str(file): Reason(why=Why.NOT_IMPORTED, text="ModuleNotFoundError: no nowhere")}


def run(keyword="", *, broken=None, paths=("/p",), configured=(), scenarios=SCENARIOS, **options):
    collection = Collection(
        scenarios=scenarios, claims=CLAIMS, backends=("eager",), broken=broken or {}
    )
    config = Config(paths=configured)
    request = Request(paths, Options(keyword=keyword, backends=("eager",), **options), config)
    heard = ("planned", "running", "finished", "watching", "watched", "replayed")
    unheard: Any = SimpleNamespace(**dict.fromkeys(heard, lambda *_: None))
    return run_audit(request, Pool(collection), unheard)  # type: ignore[arg-type]


def claims(whole):
    return [result.claim.id for result in whole.claims]


def test_k_leaves_out_a_file_that_cannot_be_imported_and_says_so(broken):
    whole = run("steady", broken=broken)
    assert whole.verdict is AuditVerdict.PASSED
    assert "wreck.py can't be imported; -k leaves it out." in " ".join(printed(whole).split())


@pytest.mark.parametrize("keyword", ["", "rollout or steady", "wreck or steady", "not grows"])
def test_a_file_that_k_may_select_makes_the_run_incomplete(broken, keyword):
    whole = run(keyword, broken=broken)
    assert whole.verdict is AuditVerdict.ERROR
    assert whole.audits[-1].scenario == "wreck.py" and whole.left_out == ()


def test_a_selection_of_files_that_cannot_be_imported_alone_says_why(broken):
    with pytest.raises(UsageError, match=r"can't be imported:\n .*no nowhere"):
        run("rollout", broken=broken)


def test_where_no_file_can_be_imported_k_hides_none(broken):
    with pytest.raises(UsageError, match="can't be imported"):
        run("steady", broken=broken, scenarios=())


def test_names_are_found_in_source_that_does_not_parse(tmp_path):
    file = tmp_path / "half.py"
    file.write_bytes(b"\xff\xfe def\nasync def later(x): pass\ndef soon(replay\n")
    assert left_out([str(file)], "later") == left_out([str(file)], "soon and not x") == ()
    assert left_out([str(file)], "never") == (str(file),)
    assert left_out([str(tmp_path / "gone.py")], "never") == (str(tmp_path / "gone.py"),)


def test_a_whole_suite_lists_every_claim():
    assert claims(run()) == ["fast", "small", "old"], "the paths given are all there are"
    assert claims(run(paths=("/p",), configured=("/p",))) == ["fast", "small", "old"]


def test_a_part_of_a_suite_lists_only_claims_that_it_could_test():
    assert claims(run("steady")) == ["fast"]
    assert claims(run("grows and 4")) == [], "the claim is about another size"
    assert claims(run(params={"size": ["2"]})) == ["fast", "small"]
    assert claims(run(paths=("/p/s.py",), configured=("/p",), scenarios=SCENARIOS[:1])) == ["fast"]


def test_a_gate_says_which_file_k_left_out(broken, tmp_path):
    held = gate([run("steady", broken=broken)], Baseline(tmp_path / "b.json", ()), (), "/p").report
    assert "wreck.py can't be imported; -k leaves it out." in " ".join(
        render(held, Format.PLAIN).split()
    )
