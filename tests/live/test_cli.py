"""The commands: what they print, where, and how they end."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time

import jsonschema
import pytest
from support import CASES, ROOT, audits_of, esper_audit, fresh_esper_audit, why

from esper_audit.data.reasons import Why
from esper_audit.data.storage import json_schema

TROUBLES = str(CASES / "troubles.py")


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory):
    """A folder in which this repository's configuration does not hold."""
    return tmp_path_factory.mktemp("elsewhere")


@pytest.fixture(scope="module")
def troubles(elsewhere):
    """All the scenarios that go wrong, in one run."""
    return esper_audit("run", TROUBLES, "--format", "json", cwd=elsewhere)


@pytest.mark.parametrize(
    ("scenario", "verdict", "reason"),
    [
        ("fine", "passed", "compiled code was reused in 1 of 1 steps after warm-up"),
        ("raises", "error", "ValueError: no such thing (troubles.py:"),
        ("exits", "error", "the scenario called sys.exit(7)"),
        ("dies", "error", "its process ended by itself with exit code 9"),
        ("leaves_quietly", "error", "its process ended by itself with exit code 0"),
        ("is_killed", "error", "its process was killed by SIGKILL"),
        ("loops", "error", "ran longer than its time limit of 4 s"),
        ("loops_and_swallows", "error", "did not stop within 5 s of its time limit (1 s)"),
        ("skips", "skipped", "no quantum computer"),
        ("does_nothing", "error", "it never calls `replay.compile`"),
    ],
)
def test_what_goes_wrong_costs_its_own_scenario_and_says_why(troubles, scenario, verdict, reason):
    found = audits_of(troubles.stdout)[scenario,]
    assert reason in why(found)
    assert found["verdict"] == verdict


def test_what_was_recorded_before_the_time_limit_is_kept(troubles):
    steps = audits_of(troubles.stdout)["loops",]["steps"]
    assert [step["verdict"] for step in steps] == ["compiled", "reused"]


def test_the_output_of_a_scenario_goes_to_its_log_and_not_to_stdout(troubles):
    assert "words on stdout" not in troubles.stdout
    json.loads(troubles.stdout)


def test_an_audit_with_errors_ends_with_3(troubles):
    assert troubles.returncode == 3


def test_a_json_report_fits_the_schema(troubles):
    jsonschema.validate(json.loads(troubles.stdout), json_schema())


def test_a_pass_ends_with_0_and_stderr_is_silent_where_it_is_no_terminal(elsewhere):
    result = esper_audit("run", TROUBLES, "-k", "fine", "-q", cwd=elsewhere)
    assert (result.returncode, result.stderr) == (0, "")
    assert "Passed: 1 of 1 scenarios reused compiled code after warm-up." in result.stdout


def test_skipped_alone_is_not_a_pass(elsewhere):
    result = esper_audit("run", TROUBLES, "-k", "skips", cwd=elsewhere)
    assert result.returncode == 3
    assert "no quantum computer" in " ".join(result.stdout.split())


def test_findings_end_with_1_and_a_saved_audit_is_shown_again_without_torch(tmp_path):
    saved = tmp_path / "audit.json"
    args = ("-k", "ten_alpha_values and python_float", "--param", "alpha=python_float")
    result = esper_audit("run", *args, "--output", str(saved))
    assert result.returncode == 1
    code = (
        "import sys; sys.modules['torch'] = None;"
        f"sys.argv = ['esper-audit', 'show', {str(saved)!r}];"
        "from esper_audit.cli import main; main()"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert (shown.returncode, shown.stderr) == (1, "")
    *said, fixing = shown.stdout.splitlines()
    assert said == result.stdout.splitlines()[:-1]  # each ends with a command that fixes the same
    assert fixing.endswith(" -k ten_alpha_values --param alpha=python_float")
    as_json = esper_audit("show", str(saved), "--format", "json")
    assert as_json.stdout == saved.read_text()
    for suffix, start in ((".svg", "<svg"), (".html", "<!DOCTYPE html>"), (".txt", "Failed")):
        target = tmp_path / f"report{suffix}"
        assert esper_audit("show", str(saved), "--export", str(target)).returncode == 1
        assert target.read_text().lstrip().startswith(start)


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("run", "nowhere"), "There are no scenarios at nowhere"),
        (("run", str(CASES / "broken.py")), "RuntimeError: can't be imported"),
        (("run", "-k", "nothing-like-it"), "Nothing is selected"),
        (("run", "-k", "a b"), "-k has an invalid expression"),
        (("run", "--param", "alpha"), "--param takes NAME=VALUE"),
        (("run", "--param", "alpha=lzay"), "'alpha' has no value 'lzay'"),
        (("run", "--output", "/no/such/folder/a.json"), "can't be written"),
        (("run", "--time-limit", "-1"), "--time-limit"),
        (("run", "--frobnicate"), "No such option"),
        (("show", "/no/such/file.json"), "can't be read"),
        (("show", str(ROOT / "README.md")), "is not JSON"),
        (("run", "--backend", "no_such_backend"), "no_such_backend"),
        (("list", str(CASES / "broken.py")), "can't be imported"),
    ],
)
def test_wrong_usage_ends_with_2_and_says_what_is_wrong(args, message):
    result = esper_audit(*args)
    assert result.returncode == 2, result.stdout + result.stderr
    assert message in result.stderr
    assert "Traceback" not in result.stderr


def test_a_file_that_cannot_be_imported_costs_itself_alone(elsewhere):
    args = ("run", str(CASES), "-k", "fine or broken", "--format", "json")
    result = esper_audit(*args, cwd=elsewhere)
    found = audits_of(result.stdout)
    assert found["fine",]["verdict"] == "passed"
    assert "RuntimeError: can't be imported" in why(found["broken.py",])
    assert result.returncode == 3


def test_without_paths_and_configuration_it_says_what_to_do(tmp_path):
    result = esper_audit("run", cwd=tmp_path)
    assert result.returncode == 2
    assert "[tool.esper-audit]" in result.stderr


def test_list_prints_questions_and_parameters():
    result = esper_audit("list", "--format", "json")
    assert result.returncode == 0
    listed = {scenario["name"]: scenario for scenario in json.loads(result.stdout)["scenarios"]}
    assert len(listed) == 17
    assert len(listed["steady_state"]["params"]["alpha"]) == 8
    assert all(scenario["question"].endswith("?") for scenario in listed.values())


def test_doctor_finds_every_hook_working():
    result = fresh_esper_audit("doctor", "--format", "json")
    assert result.returncode == 0
    checks = json.loads(result.stdout)["checks"]
    assert len(checks) == 12
    assert all(check["passed"] or check["optional"] for check in checks)


def test_ctrl_c_stops_cleanly_and_reports_what_is_done(tmp_path):
    saved = tmp_path / "audit.json"
    command = [sys.executable, "-m", "esper_audit", "run", "-j", "1", "--output", str(saved)]
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env={**os.environ, "TMPDIR": str(tmp_path)},
    )
    try:
        deadline = time.monotonic() + 120
        while len(list(tmp_path.glob("esper-audit-*/*.log"))) < 3:  # the third replay has begun
            assert time.monotonic() < deadline
            time.sleep(0.1)
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to the whole group
        stdout, stderr = process.communicate(timeout=60)
    finally:
        process.kill()  # a run of all 72 audits must not go on beside the other tests
    assert process.returncode == 3, stderr
    assert "Traceback" not in stderr
    report = json.loads(saved.read_text())
    assert report["interrupted"] is True
    done = [audit for audit in report["audits"] if audit["reasons"][0]["why"] != Why.NOT_RUN]
    assert 0 < len(done) < len(report["audits"]) == 72
    assert f"Interrupted: {len(done)} of 72 audits" in " ".join(stdout.split())
    assert "Passed" not in stdout


def test_a_reader_that_leaves_early_causes_no_traceback_and_no_other_exit_code():
    command = f"set -o pipefail; {sys.executable} -m esper_audit list | head -1"
    result = subprocess.run(["bash", "-c", command], cwd=ROOT, capture_output=True, text=True)
    assert (result.returncode, result.stderr) == (0, "")


def test_a_full_disk_under_stdout_causes_no_traceback():
    command = f"{sys.executable} -m esper_audit list > /dev/full"
    result = subprocess.run(command, shell=True, cwd=ROOT, capture_output=True, text=True)
    assert "The list can't be written: No space left on device." in result.stderr
    assert "Traceback" not in result.stderr
    assert result.returncode == 3


def test_spawned_replays_give_the_same_audit_as_forked_ones():
    selected = ("-k", "ten_alpha_values and lazy_cache", "--no-provenance")
    args = ("run", *selected, "--format", "json")
    forked, spawned = esper_audit(*args, "--start", "fork"), esper_audit(*args, "--start", "spawn")
    verdicts = [
        [step["verdict"] for audit in audits_of(result.stdout).values() for step in audit["steps"]]
        for result in (forked, spawned)
    ]
    assert verdicts[0] == verdicts[1] != []


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A report with wide tables."""
    place = tmp_path_factory.mktemp("saved") / "audit.json"
    result = esper_audit("run", "-k", "ten_alpha_values", "--output", str(place))
    assert result.returncode == 1, result.stderr
    return place


@pytest.mark.parametrize("columns", [80, 100, 140])
def test_the_report_never_runs_over_the_terminal(saved, columns):
    terminal = {**os.environ, "COLUMNS": str(columns), "FORCE_COLOR": "1"}
    shown = esper_audit("show", str(saved), env=terminal)
    lines = re.sub(r"\x1b\[[0-9;]*m", "", shown.stdout).splitlines()
    command, fix = (line for line in lines if line.startswith("esper-audit "))
    assert max(len(line) for line in lines if line not in (command, fix)) <= columns
    assert command == f"esper-audit show -v {saved}", "it is there to be copied, so never wrapped"
    chosen = "-k ten_alpha_values --param alpha=lazy_cache"
    assert fix == f"esper-audit fix scenarios/ten_alpha_values.py {chosen}"
    assert "ten_alpha_values" in shown.stdout
