"""A scenario's answer comes from its own process, and one that dies costs its own audit alone."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from support import CASES, audits_of, esper_audit, why

from esper_audit.replay.collect import import_file

FORKS, DEATHS = (import_file(CASES / f"{name}.py") for name in ("forks", "deaths"))
OPTIONS = ("--backend", "eager", "--no-provenance", "--format", "json")


@pytest.fixture(scope="module")
def left_behind(tmp_path_factory) -> Path:
    """Where a child that its scenario leaves behind writes its process id."""
    return tmp_path_factory.mktemp("forks") / "pid"


@pytest.fixture(scope="module")
def forks(left_behind):
    environment = os.environ | {"LEFT_BEHIND": str(left_behind)}
    return audits_of(esper_audit("run", str(CASES / "forks.py"), *OPTIONS, env=environment).stdout)


@pytest.fixture(scope="module")
def deaths():
    return audits_of(esper_audit("run", str(CASES / "deaths.py"), *OPTIONS, "-j", "4").stdout)


@pytest.mark.parametrize(
    "key",
    [
        *(("forks", child.__name__) for child in FORKS.CODES),
        ("forks_and_goes_on",),
        ("forks_while_it_compiles",),
        ("forks_in_a_thread",),
        ("forks_in_a_step",),
        ("has_a_child_process",),
    ],
)
def test_a_forked_child_that_comes_back_does_not_answer_for_its_parent(forks, key):
    reason = "1 compile after warm-up, 0 allowed"
    assert (forks[key]["verdict"], why(forks[key])) == ("failed", reason)


def test_audits_beside_those_that_fork_are_all_there(forks):
    assert forks["is_well",]["verdict"] == "passed"
    assert len(forks) == len(FORKS.CODES) + 6


def test_a_child_that_a_scenario_leaves_behind_ends_with_it(forks, left_behind):
    assert ends(int(left_behind.read_text()))


def ends(pid: int) -> bool:
    """Whether a process ends in a moment: one that is killed need not be gone at once.

    It may stay as a zombie where nobody waits for those whose parent has gone.
    """
    return soon(lambda: _state(pid) in "ZX")


def _state(pid: int) -> str:
    try:
        return Path("/proc", str(pid), "stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return "X"


HANGS = """
import os, time
from pathlib import Path
import torch
from esper_audit import scenario

@scenario
def ends(replay):
    step = replay.compile(torch.nn.Linear(2, 2))
    with replay.warm_up():
        step(torch.ones(1, 2))
    step(torch.ones(1, 2))

@scenario
def hangs(replay):
    child = os.fork()
    if child:
        Path("pids.new").write_text(f"{os.getpid()} {child}")
        os.rename("pids.new", "pids")
    time.sleep(60)
"""


@pytest.mark.parametrize(
    ("start", "numbers", "code"),
    [
        ("fork", [signal.SIGKILL], -9),
        ("spawn", [signal.SIGKILL], -9),
        ("fork", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT], 3),
    ],
    ids=["killed", "killed, spawned", "terminated, and hung up, and interrupted"],
)
def test_of_an_audit_that_is_ended_nothing_stays_but_what_was_done(tmp_path, start, numbers, code):
    """The signals go to the audit alone, none of them to its replays."""
    (tmp_path / "hangs.py").write_text(HANGS)
    (tmp_path / "temporary").mkdir()
    options = ("--start", start, "-j", "1", "--save", "saved.json", *OPTIONS[:3])
    audit = subprocess.Popen(
        [sys.executable, "-m", "esper_audit", "run", "hangs.py", *options],
        cwd=tmp_path,
        env=os.environ | {"TMPDIR": str(tmp_path / "temporary")},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    while not (tmp_path / "pids").exists():
        assert audit.poll() is None
        time.sleep(0.05)
    for number in numbers:
        audit.send_signal(number)
    assert "Traceback" not in audit.communicate()[1]
    assert audit.returncode == code
    assert all(map(ends, map(int, (tmp_path / "pids").read_text().split())))
    assert soon(lambda: not list((tmp_path / "temporary").iterdir()))
    if code == 3:
        found = audits_of((tmp_path / "saved.json").read_text())
        assert {key: audit["verdict"] for key, audit in found.items()} == {
            ("ends",): "passed",
            ("hangs",): "error",
        }


def soon(condition) -> bool:
    until = time.monotonic() + 10.0
    while not condition() and time.monotonic() < until:
        time.sleep(0.05)
    return condition()


@pytest.mark.parametrize("way", DEATHS.REASONS, ids=lambda way: way.__name__)
def test_a_process_that_dies_is_the_error_of_its_own_audit(deaths, way):
    audit = deaths["goes_down", way.__name__]
    assert audit["verdict"] == "error"
    assert DEATHS.REASONS[way] in why(audit)


def test_audits_beside_those_that_die_are_all_there(deaths):
    fine = [key for key, audit in deaths.items() if audit["verdict"] == "passed"]
    wanted = [("is_calm", str(number)) for number in range(6)]
    assert sorted(fine) == [("closes_every_file",), *wanted, ("leaves_a_thread",)]
    assert len(deaths) == len(DEATHS.REASONS) + 8


@pytest.mark.parametrize(
    ("child", "code"), [("pass", 0), ("raise ValueError", 1), ("raise SystemExit(2)", 2)]
)
def test_a_child_forked_while_a_scenario_file_is_imported_leaves_at_once(tmp_path, child, code):
    """In the collection as in the replay; the file after it is imported by the parent alone."""
    fork = (
        f"pid = os.fork()\nif pid == 0:\n    {child}\n"
        f"else:\n    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == {code}\n"
    )
    (tmp_path / "later.py").write_text("open('imports.txt', 'a').write('once ')  # no scenario")
    source = (CASES / "forks.py").read_text()
    (tmp_path / "forks.py").write_text(source.replace("\n\ndef", f"\n{fork}\n\ndef", 1))
    args = ("run", "forks.py", "later.py", "-k", "is_well", *OPTIONS)
    result = esper_audit(*args, cwd=tmp_path)
    found = audits_of(result.stdout)
    assert [(key, audit["verdict"]) for key, audit in found.items()] == [(("is_well",), "passed")]
    assert (tmp_path / "imports.txt").read_text() == "once "


def test_a_replay_that_is_spawned_forks_and_dies_alone_too(tmp_path):
    (tmp_path / "deaths.py").write_text((CASES / "deaths.py").read_text())
    selected = "holds_every_file or kill_the_group or is_calm[0]"
    result = esper_audit(
        *("run", "deaths.py", "-k", selected, "--start", "spawn", *OPTIONS), cwd=tmp_path
    )
    verdicts = {key[-1]: audit["verdict"] for key, audit in audits_of(result.stdout).items()}
    assert verdicts == {
        "die_while_a_child_holds_every_file": "error",
        "kill_the_group": "error",
        "0": "passed",
    }
