"""``esper-audit fix``: what it asks for, what it prints, and the code that it ends with."""

from __future__ import annotations

import json
import os
import signal
import time
from contextlib import nullcontext
from dataclasses import replace
from typing import Any

import pytest
from builders import audit
from desk import Desk
from fix_builders import AFTER, BEFORE, HOPELESS, LEVERS, fix, fix_report, patched
from report_builders import report

from esper_audit import auditing, fixing
from esper_audit.cli.replaying import Replaying
from esper_audit.data.remedies import Applied, AppliedState
from esper_audit.data.verdicts import AuditVerdict
from esper_audit.program import fix as program_fix
from esper_audit.remedies import applying

SCENARIO = "from esper_audit import scenario\n\n\n@scenario\ndef rollout(replay):\n    pass\n"


class FixDesk(Desk):
    """``asked`` is what the command asked for, ``found`` what it gets."""

    def __init__(self, *args):
        super().__init__(*args)
        self.asked: list[Any] = []
        self.found = fix_report()


@pytest.fixture
def desk(tmp_path, monkeypatch, capsys):
    """A folder with a scenario."""
    desk = FixDesk(tmp_path, monkeypatch, capsys)
    (tmp_path / "checks.py").write_text(SCENARIO)
    desk.found = fix_report(fix(), root=str(tmp_path))

    def run_fix(request, _pool, _progress):
        desk.asked.append(request)
        return desk.found

    monkeypatch.setattr(fixing, "run_fix", run_fix)
    monkeypatch.setattr(Replaying, "pool", lambda _: nullcontext())
    return desk


@pytest.mark.parametrize(
    ("report", "code"),
    [
        (fix_report(), 0),
        (fix_report(fix()), 1),
        (fix_report(HOPELESS), 1),
        (fix_report(fix(), interrupted=True), 3),
        (fix_report(fix(verdict=AuditVerdict.ERROR), passed=()), 3),
    ],
)
def test_it_ends_with_the_code_of_what_is_left(desk, report, code):
    desk.found = report
    assert desk.run("fix", "checks.py")[0] == code


def test_options_of_a_replay_reach_the_audit(desk):
    desk.run("fix", "checks.py", "-k", "roll", "--backend", "eager", "--all", "--minimal")
    [request] = desk.asked
    assert (request.all_, request.minimal) == (True, True)
    assert request.audit.paths == ("checks.py",)
    assert request.audit.options.keyword == "roll" and request.audit.options.backends == ("eager",)
    desk.run("fix", "checks.py")
    assert (desk.asked[1].all_, desk.asked[1].minimal) == (False, False)


def test_a_saved_report_and_the_last_one_are_shown_again(desk, monkeypatch):
    monkeypatch.setenv("ESPER_AUDIT_CACHE_DIR", str(desk.folder / "cache"))
    code, out, _ = desk.run("fix", "checks.py", "--save", "f.json", "-o", "f.md", "-o", "f.sarif")
    assert code == 1 and "+++ b/host.py" in out
    assert json.loads((desk.folder / "f.json").read_text())["kind"] == "fix"
    assert "```diff" in (desk.folder / "f.md").read_text()
    assert json.loads((desk.folder / "f.sarif").read_text())["runs"][0]["results"][0]["fixes"]
    for words in (("show",), ("show", "f.json")):
        code, shown, _ = desk.run(*words)
        assert code == 1
        assert shown.split("Failed:")[0] == out.split("Failed:")[0]


def test_apply_is_done_with_what_was_found(desk, monkeypatch):
    kept = Applied(state=AppliedState.KEPT, files=("host.py",), verdict=AuditVerdict.PASSED)
    forced = []

    def apply(report, _audit, *, force):
        forced.append(force)
        return replace(report, applied=kept)

    monkeypatch.setattr(applying, "apply", apply)
    code, out, _ = desk.run("fix", "checks.py", "--apply")
    assert code == 0 and out.startswith("Applied and kept: host.py; every audit passes now.")
    desk.run("fix", "checks.py", "--apply", "--force")
    assert forced == [False, True]
    desk.found = replace(desk.found, interrupted=True)
    assert desk.run("fix", "checks.py", "--apply")[0] == 3
    assert len(forced) == 2, "what was interrupted applies nothing"


def test_apply_without_a_patch_says_so(desk):
    desk.found = fix_report(LEVERS, root=str(desk.folder))
    code, out, _ = desk.run("fix", "checks.py", "--apply")
    assert code == 1 and out.startswith("Not applied: no proven remedy changes a file.")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_in_the_middle_of_apply_gives_the_files_their_bytes_back(
    desk, monkeypatch, number
):
    host = desk.folder / "host.py"
    host.write_text(BEFORE)
    seen = []

    def run_audit(*_):
        seen.append(host.read_text())
        os.kill(os.getpid(), number)
        time.sleep(5)

    monkeypatch.setattr(auditing, "run_audit", run_audit)
    code, out, _ = desk.run("fix", "checks.py", "--apply", "--force")
    assert seen == [AFTER] and host.read_text() == BEFORE
    assert code == 3
    assert out.startswith("Applied and taken back: host.py; it was interrupted.")


def test_apply_audits_the_files_as_they_are_and_says_what_passes_now(desk, monkeypatch):
    host = desk.folder / "host.py"
    host.write_text(BEFORE)
    asked = []

    def run_audit(request, *_):
        asked.append(request)
        now = audit(scenario="rollout", parameters={"alpha": "lazy"})
        return report(now, root=str(desk.folder), control=None)

    monkeypatch.setattr(auditing, "run_audit", run_audit)
    code, out, _ = desk.run("fix", "checks.py", "-k", "roll", "--apply", "--force")
    assert (code, host.read_text()) == (0, AFTER), out
    assert out.startswith("Applied and kept: host.py; every audit passes now.")
    assert asked[0].options.keyword == "roll" and not asked[0].provenance


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("checks.py --force", "--force is for --apply, which is not given."),
        ("program.py", "program.py declares no scenarios."),
        ("checks.py --exec program.py", "checks.py can't be given here: --exec takes a program."),
        ("-k a --exec program.py", "-k can't be given here: a program is run"),
        ("--exec", "There is nothing to run: no script given."),
        ("--exec -m", "-m takes the name of a module."),
    ],
)
def test_what_makes_no_sense_is_refused_before_anything_runs(desk, words, said):
    (desk.folder / "program.py").write_text("x = 1\n")
    code, _, err = desk.run("fix", *words.split())
    assert code == 2 and said in err
    assert desk.asked == []


def test_a_program_is_told_how_it_is_fixed(desk):
    (desk.folder / "program.py").write_text("x = 1\n")
    assert "Type: esper-audit fix --exec program.py" in desk.run("fix", "program.py")[2]


@pytest.mark.parametrize(
    ("words", "argv"),
    [
        ("program.py --epochs 3 --save x", ("program.py", "--epochs", "3", "--save", "x")),
        ("-m train.main -v", ("-m", "train.main", "-v")),
        ("-mtrain --exec", ("-m", "train", "--exec")),
    ],
)
def test_what_follows_exec_belongs_to_the_program(desk, monkeypatch, words, argv):
    (desk.folder / "program.py").write_text("x = 1\n")
    asked: dict[str, Any] = {}

    def run(target, **options):
        asked.update(options, target=target)
        return fix_report(fix(words, patched()))

    monkeypatch.setattr(program_fix, "run_program_fix", run)
    before = ("--all", "--recompile-limit", "4", "--warm-up-calls", "2")
    assert desk.run("fix", *before, "--exec", *words.split(), "")[0] == 1
    assert asked["target"].argv == (*argv, "")
    assert (asked["all_"], asked["recompile_limit"]) == (True, 4)
    assert asked["budget"].warm_up_calls == 2
