"""``esper-audit gate`` on saved audits: message, exit code and file of each path."""

from __future__ import annotations

import json
import os
import pty
import shlex
import subprocess
import sys
from dataclasses import replace

import pytest
from builders import ENVIRONMENT, audit, but, told
from desk import BASELINE
from report_builders import BUFFER, failing

from esper_audit.data.verdicts import AuditVerdict

PASSING = audit(scenario="rollout", parameters=BUFFER)
OTHER = audit(scenario="steady", parameters=BUFFER)
FAILING = failing(scenario="rollout", count=3, parameters=BUFFER)


def last_line(text):
    return text.rstrip("\n").splitlines()[-1]


def test_without_a_baseline_it_fails_and_its_last_line_makes_one(desk):
    name = desk.saved(PASSING)
    code, out, err = desk.gate(name)
    assert code == 1
    assert "Failed: 1 audit not compared: there is no baseline esper-audit-baseline.json." in out
    assert err == ""
    assert not desk.baseline.exists()
    command = last_line(out)
    assert command == "esper-audit gate --update-baseline a.json"
    assert desk.run(*shlex.split(command)[1:])[0] == 0
    assert desk.gate(name)[0] == 0


def test_the_accepted_state_passes(desk):
    desk.accept(PASSING, OTHER)
    code, out, _ = desk.gate(desk.saved(PASSING, OTHER))
    assert code == 0
    assert out.startswith(f"Passed: 2 audits checked against {BASELINE}.")


def test_worse_fails_and_its_last_line_accepts_it(desk):
    desk.accept(PASSING)
    code, out, _ = desk.gate(desk.saved(FAILING), "--output", "junit=j.xml", "-v")
    assert code == 1
    assert out.startswith(f"Failed: 1 audit checked against {BASELINE}; 1 got worse.")
    assert "compiles after warm-up: 0 -> 3" in out
    assert last_line(out) == "esper-audit gate --update-baseline a.json"
    assert (desk.folder / "j.xml").exists()


def test_worse_offers_to_try_remedies_on_what_got_worse(desk):
    desk.accept(PASSING)
    _, out, _ = desk.gate(desk.saved(replace(FAILING, file="checks.py")))
    assert "\nesper-audit fix checks.py -k rollout --param alpha=buffer\n" in out


def test_better_fails_too_and_says_accept_it_unless_allowed(desk):
    desk.accept(FAILING)
    name = desk.saved(PASSING)
    code, out, _ = desk.gate(name)
    assert code == 1
    assert "Improved: update the baseline, or a later regression" in out
    code, out, _ = desk.gate(name, "--allow-improvement")
    assert code == 0
    assert "1 improved, which is allowed" in out


def test_an_entry_that_nothing_matches_is_reported_as_unmatched(desk):
    desk.accept(PASSING, OTHER)
    declared = {"rollout": {"alpha": ("buffer",)}}
    code, out, _ = desk.gate(desk.saved(PASSING, declared=declared))
    assert code == 1
    assert desk.gate("a.json", "--allow-improvement")[0] == 1, "lost coverage is no improvement"
    assert out.startswith(f"Failed: 1 audit checked against {BASELINE}; 1 unmatched entry.")
    assert "Unmatched entries of the baseline: no audit matches them" in out
    assert "steady [buffer], aot_eager" in out
    assert desk.gate("a.json", "--update-baseline")[0] == 0
    assert '"steady"' not in desk.baseline.read_text()


def test_another_environment_is_not_comparable_and_can_be_added(desk):
    desk.accept(PASSING)
    other = but(PASSING, environment=replace(ENVIRONMENT, torch="2.14.1"))
    code, out, _ = desk.gate(desk.saved(other))
    assert code == 1
    assert "its entries are for torch 2.13.0, cpu" in " ".join(out.split())
    assert desk.gate("a.json", "--update-baseline")[0] == 0
    assert desk.gate("a.json")[0] == 0
    assert desk.gate(desk.saved(PASSING, name="b.json"))[0] == 0, "the first one is still there"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[{", "is not JSON"),
        ('[{"kind": "baseline", "schema_version": 9}]', "uses format 9"),
        ('[{"kind": "baseline", "schema_version": 0}]', "uses format 0"),
        ("<<<<<<< HEAD\n", "contains merge conflict markers"),
    ],
)
@pytest.mark.parametrize("update", [(), ("--update-baseline",)])
def test_a_baseline_that_cannot_be_read_is_refused_and_left_alone(desk, text, message, update):
    desk.baseline.write_text(text)
    code, out, err = desk.gate(desk.saved(PASSING), *update)
    assert (code, out) == (2, "")
    assert message in err
    assert str(desk.baseline) in err
    assert desk.baseline.read_text() == text


def test_what_could_not_be_judged_ends_with_3_and_is_not_accepted(desk):
    desk.accept(PASSING)
    before = desk.baseline.read_bytes()
    broken = replace(PASSING, verdict=AuditVerdict.ERROR, reasons=(told("it crashed"),))
    name = desk.saved(broken)
    code, out, _ = desk.gate(name)
    assert code == 3
    assert "it could not be judged: it crashed" in out
    assert desk.gate(name, "--update-baseline")[0] == 3
    assert desk.baseline.read_bytes() == before


def test_several_audits_of_the_same_are_repetitions_and_must_not_differ(desk):
    desk.accept(PASSING)
    names = desk.saved(PASSING), desk.saved(FAILING, name="b.json")
    code, out, _ = desk.gate(*names)
    assert code == 1
    assert "Not deterministic: counts differ from run to run" in out
    assert "compiles after warm-up: 0, 3 over 2 runs" in out
    assert "If this is meant" not in out, "it can't be accepted"
    before = desk.baseline.read_bytes()
    assert desk.gate(*names, "--update-baseline")[0] == 1, "chance is not accepted"
    assert desk.gate(*names, "--update-baseline", "--fail-on", "improved")[0] == 3
    assert desk.baseline.read_bytes() == before


def test_fail_on_selects_what_fails(desk):
    desk.accept(PASSING)
    name = desk.saved(FAILING)
    assert desk.gate(name, "--fail-on", "size-changed,improved")[0] == 0
    assert desk.gate(name, "--fail-on", "float-specialized")[0] == 1
    assert desk.gate(name, "--fail-on", "improved", "--allow-improvement")[0] == 0
    code, _, err = desk.gate(name, "--fail-on", "odd")
    assert code == 2
    assert "--fail-on: unknown kind 'odd'" in err
    assert "not-deterministic" in err


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"interrupted": True}, "it was interrupted"),
        ({"control_missed": True}, "no negative control was caught"),
    ],
)
def test_an_audit_that_proves_nothing_ends_with_3_unaccepted(desk, fields, why):
    desk.accept(PASSING)
    before = desk.baseline.read_bytes()
    name = desk.saved(FAILING, **fields)
    for update in ((), ("--update-baseline",)):
        code, out, _ = desk.gate(name, *update)
        assert code == 3, "whatever else failed"
        assert out.startswith(f"Not completed: {why}")
        assert "If this is meant" not in out
    assert desk.baseline.read_bytes() == before


def test_paths_of_a_saved_audit_are_those_of_its_own_project(desk):
    desk.accept(PASSING)
    name = desk.saved(FAILING, root="/p")
    code, out, _ = desk.gate(name, "--format", "github")
    assert code == 1
    assert "file=slot.py" in out


def test_a_typo_in_the_name_of_the_baseline_never_passes(desk):
    desk.accept(PASSING)
    code, out, _ = desk.gate(desk.saved(PASSING), "--baseline", "typo.json", "--fail-on", "worse")
    assert code == 3
    assert out.startswith("Not completed: 1 audit checked against typo.json; 1 not comparable.")


def test_the_command_that_accepts_drops_what_only_reports(desk):
    desk.accept(PASSING)
    name = desk.saved(FAILING)
    _, out, _ = desk.gate(name, "-oj.xml", "--save=kept.json", "-q", "-o", "g.md", "--yes")
    assert last_line(out) == "esper-audit gate --update-baseline a.json"


def test_reasons_are_kept_and_shown_when_their_entry_changes(desk):
    name = desk.saved(FAILING)
    assert desk.gate(name, "--update-baseline", "--reason", "until #12")[0] == 0
    assert '"reason": "until #12"' in desk.baseline.read_text()
    worse = desk.saved(failing("rollout", 5, parameters=BUFFER), name="b.json")
    assert "accepted before: until #12" in desk.gate(worse)[1]
    assert desk.gate(worse, "--update-baseline")[0] == 0
    assert '"reason": "until #12"' in desk.baseline.read_text()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["a.json", "scenarios"], "gate takes scenarios or saved audits, not both at once."),
        (["a.json", "--repeat", "2"], "--repeat replays scenarios"),
        (["missing.json"], "missing.json can't be read"),
        (["a.json", "--output", "serif=x"], "--output: unknown format 'serif'"),
        (["a.json", "--output", "sarif="], "has no file"),
        (["a.json", "--output", "gate.yaml"], "does not tell the format"),
        (["a.json", "--output", "json=gate.md"], "the suffix .md means markdown"),
        (["--fail-on", "stale"], "--fail-on: unknown kind 'stale' (did you mean"),
        (["a.json", "--output", "sarif=no/such/x"], "can't be written"),
        (["a.json", "--baseline", "no/such/b.json", "--update-baseline"], "can't be written"),
        ([], "There is nothing to run"),
    ],
)
def test_wrong_usage_ends_with_2_before_anything_is_written(desk, arguments, message):
    desk.saved(PASSING)
    code, out, err = desk.gate(*arguments)
    assert (code, out) == (2, "")
    assert message in err
    assert not desk.baseline.exists()


def test_a_gate_can_be_saved_and_shown_but_is_no_audit(desk):
    desk.accept(PASSING)
    desk.gate(desk.saved(FAILING), "-o", "g.json")
    code, out, _ = desk.run("show", "g.json")
    assert code == 1
    assert out.startswith("Failed: 1 audit checked against")
    code, _, err = desk.gate("g.json")
    assert code == 2
    assert "g.json holds no audit." in err


def test_several_outputs_in_one_run(desk):
    desk.accept(PASSING)
    wanted = {"rich": "r", "plain": "p", "json": "j", "markdown": "m", "junit": "x", "sarif": "s"}
    outputs = [part for form, file in wanted.items() for part in ("--output", f"{form}={file}")]
    code, out, _ = desk.gate(desk.saved(FAILING), *outputs, "--format", "github")
    assert code == 1
    assert out.startswith("::error ")
    assert all((desk.folder / file).stat().st_size for file in wanted.values())


def test_json_pipes_clean(desk):
    desk.accept(PASSING)
    _, out, err = desk.gate(desk.saved(FAILING), "--format", "json")
    assert json.loads(out)["verdict"] == "failed"
    assert err == ""


def test_the_audit_itself_can_be_saved(desk):
    desk.accept(PASSING)
    desk.gate(desk.saved(FAILING), "--save", "kept.json")
    assert desk.gate("kept.json")[0] == 1


def on_a_terminal(desk, answer, *arguments):
    """Exit code and all output of the gate, with an answer typed on a terminal."""
    main_end, own = pty.openpty()
    command = [sys.executable, "-m", "esper_audit", "gate", "--update-baseline", *arguments]
    process = subprocess.Popen(command, cwd=desk.folder, stdin=own, stdout=own, stderr=own)
    os.close(own)
    os.write(main_end, f"{answer}\n".encode())
    said = b""
    try:
        while chunk := os.read(main_end, 4096):
            said += chunk
    except OSError:  # Linux says so when the other end is closed
        pass
    os.close(main_end)
    return process.wait(), said.decode()


def test_on_a_terminal_an_update_shows_what_it_accepts_and_asks(desk):
    desk.accept(PASSING)
    before = desk.baseline.read_bytes()
    code, said = on_a_terminal(desk, "n", desk.saved(FAILING))
    assert code == 1
    assert "compiles after warm-up: 0 -> 3" in said
    assert "[y/N]" in said
    assert desk.baseline.read_bytes() == before
    assert on_a_terminal(desk, "y", "a.json")[0] == 0
    assert desk.baseline.read_bytes() != before


def test_with_yes_nobody_is_asked(desk):
    code, said = on_a_terminal(desk, "n", desk.saved(FAILING), "--yes")
    assert code == 0
    assert "[y/N]" not in said


def test_options_of_a_replay_are_refused_with_saved_audits(desk):
    desk.accept(PASSING)
    code, _, err = desk.gate(desk.saved(PASSING), "--max-compiles", "0", "-k", "nothing")
    assert code == 2
    assert "-k, --max-compiles can't be given here: saved audits are what they are." in err
