"""Commands that print no report, on a stdout that is closed, full, narrow, or that nobody reads."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

FULL = Path("/dev/full")
COMMANDS = ["--version", "--help", "gate --help", "schema", "explain", "shwo"]
CODES = {"shwo": 2}


def ended(words, **streams):
    """Exit code, stdout and stderr, of a process of its own."""
    command = [sys.executable, "-m", "esper_audit", *words.split()]
    given = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | streams
    result = subprocess.run(command, text=True, **given)
    return result.returncode, result.stdout, result.stderr


@pytest.mark.skipif(not FULL.exists(), reason="this system has no /dev/full")
@pytest.mark.parametrize("words", ["--version", "--help", "gate --help", "schema", "explain"])
def test_a_full_stdout_is_told_in_a_line_and_ends_with_3(words):
    with FULL.open("w") as full:
        code, _, err = ended(words, stdout=full)
    assert code == 3
    assert err.count("\n") == 2
    assert "can't be written: No space left on device." in err


@pytest.mark.parametrize("words", COMMANDS)
def test_a_reader_that_has_gone_and_a_closed_stdout_change_no_exit_code(words):
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "w") as nobody:
        gone = ended(words, stdout=nobody)
    closed = ended(words, preexec_fn=lambda: os.close(1))
    for code, _, err in (gone, closed):
        assert code == CODES.get(words, 0)
        assert "Traceback" not in err


@pytest.mark.skipif(not FULL.exists(), reason="this system has no /dev/full")
def test_a_full_stderr_changes_no_exit_code():
    with FULL.open("w") as full:
        assert ended("shwo", stderr=full)[0] == 2
        assert ended("--version", stderr=full)[0] == 0


def test_a_mark_that_a_code_page_lacks_costs_no_help():
    code, out, err = ended("run --help", env=os.environ | {"PYTHONIOENCODING": "ascii"})
    assert (code, err) == (0, "")
    assert "torch.compile(dynamic=?)" in out


@pytest.mark.parametrize(
    "words",
    [
        "run x.py -o no/r.json",
        "run x.py --save no/r",
        "gate x.json -o no/r.md",
        "gate x.json --save no/r",
        "gate x.json --update-baseline --baseline no/r.json",
        "compare x.json y.json --save no/r",
        "exec -o no/r.json x.py",
        "exec --save no/r x.py",
        "show x.json -o no/r.md",
        "show x.json --export no/r.svg",
    ],
)
def test_a_missing_folder_is_refused_first_with_the_command_that_makes_it(desk, words):
    (desk.folder / "x.py").write_text("raise SystemExit('it ran')  # no scenario")
    code, out, err = desk.run(*words.split())
    assert (code, out) == (2, "")
    [said, hint] = err.splitlines()
    assert said.endswith(f"can't be written: there is no folder {hint.rpartition(' ')[2]}.")
    assert hint.startswith("  Create it: mkdir -p ") and hint.endswith("no")
