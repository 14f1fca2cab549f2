"""Shell completion: quick, without torch, and as the shells ask for it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

import pytest

from esper_audit.cli.app import ASKED_BY_A_SHELL, COMMANDS
from esper_audit.data.diagnoses import Diagnosis
from esper_audit.report.formats import Format


def completed(line: str, *check: str) -> list[str]:
    """What bash is told to complete the last word of a line with."""
    environment = os.environ | {
        ASKED_BY_A_SHELL: "complete_bash",
        "COMP_WORDS": line,
        "COMP_CWORD": str(len(line.split(" ")) - 1),
    }
    command = [*check] or [sys.executable, "-m", "esper_audit"]
    result = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert result.stderr == ""
    return result.stdout.split()


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("esper-audit e", ["exec", "explain"]),
        ("esper-audit show --exp", ["--export"]),
        ("esper-audit show --format ", list(Format)),
        ("esper-audit run --start f", ["fork"]),
        ("esper-audit exec --max-recompiles-a", ["--max-recompiles-after-warm-up"]),
        ("esper-audit explain float", ["float-specialized"]),
        ("esper-audit explain over", ["over-budget"]),
        ("esper-audit gate --fail-on lim", ["limit"]),
        ("esper-audit gate --fail-on limit,wor", ["limit,worse"]),
        ("esper-audit run --fail-on wor", []),
        ("esper-audit fix --fail-on lim", ["limit"]),
        ("esper-audit completion z", ["zsh"]),
        ("esper-audit nonsense sho", ["show"]),
    ],
)
def test_a_word_is_completed(line, found):
    assert completed(line) == found


def test_every_command_and_every_diagnosis_can_be_completed():
    assert completed("esper-audit ") == list(COMMANDS)
    assert set(Diagnosis) <= set(completed("esper-audit explain "))


def test_completing_loads_no_torch():
    code = (
        "import sys, atexit\n"
        "atexit.register(lambda: print('torch' in sys.modules))\n"
        "from esper_audit.cli import main\nmain()"
    )
    said = completed("esper-audit gate --fail-on wor", sys.executable, "-c", code)
    assert said == ["worse", "False"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_is_one_that_the_shell_reads(desk, shell):
    code, script, err = desk.run("completion", shell)
    assert (code, err) == (0, "") and f"complete_{shell}" in script
    if shutil.which(shell):
        subprocess.run([shell, "-n"], input=script, text=True, check=True)


def test_bash_completes_with_the_script_that_it_is_given(desk):
    _, script, _ = desk.run("completion", "bash")
    line = f"{script}\nCOMP_WORDS=(esper-audit expl); COMP_CWORD=1; _esper_audit_completion esper-audit; echo ${{COMPREPLY[@]}}"
    path = f"{os.path.dirname(sys.executable)}:{os.environ['PATH']}"  # noqa: PTH120
    environment = os.environ | {"PATH": path}
    result = subprocess.run(
        ["bash", "-c", line], env=environment, capture_output=True, text=True, check=True
    )
    assert result.stdout.split() == ["explain"]


@pytest.mark.parametrize("arguments", [[], ["csh"]])
def test_a_shell_that_is_not_known_is_refused(desk, arguments):
    assert desk.run("completion", *arguments)[0] == 2


def test_nothing_of_it_is_seen_elsewhere(desk):
    assert "--install-completion" not in desk.run("--help")[1]
