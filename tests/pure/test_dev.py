"""``./dev`` installs what its command needs, once; pip and Python are stand-ins here."""

from __future__ import annotations

import os
import subprocess

import pytest
from walk import ROOT

PYTHON = """#!/usr/bin/env bash
[ "$1 $2" = "-m venv" ] && {
    mkdir -p "$3/bin"
    for name in python esper-audit ruff mypy lint-imports; do cp "$0" "$3/bin/$name"; done
}
[ "$1" = -c ] || echo "$(basename "$0") $*" >> "$SAID"
[ "$1 $2" = "-m pip" ] && [ -n "$PIP_FAILS" ] && exit 1
exit 0
"""


@pytest.fixture
def dev(tmp_path):
    """Runs ``./dev``, and gives the extras that it has pip install."""
    python, said = tmp_path / "python3", tmp_path / "said"
    python.write_text(PYTHON)
    python.chmod(0o755)

    def run(command, **environment):
        said.write_text("")
        own = {"PYTHON": str(python), "VENV": str(tmp_path / "venv"), "SAID": str(said)}
        subprocess.run([ROOT / "dev", command], env=os.environ | own | environment, check=False)
        words = said.read_text().split()
        return [word for word in words if word.startswith(".[")]

    return run


@pytest.mark.parametrize("command", ["audit", "gate"])
def test_an_audit_installs_what_an_audit_needs_once(dev, command):
    assert dev(command) == [".[scenarios]"]
    assert dev(command) == dev("audit") == []


def test_a_check_completes_the_environment_of_an_audit(dev):
    assert [dev(command) for command in ("audit", "check", "audit", "gate", "test")] == [
        [".[scenarios]"],
        [".[dev]"],
        [],
        [],
        [],
    ]


def test_an_audit_installs_nothing_where_all_is_there(dev):
    assert [dev("setup"), dev("audit")] == [[".[dev]"], []]


def test_an_installation_that_failed_is_made_again(dev):
    assert dev("audit", PIP_FAILS="1") == [".[scenarios]"]
    assert dev("audit") == [".[scenarios]"]
