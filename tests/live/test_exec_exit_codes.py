"""The exit code under ``exec`` is the program's own, and the verdict's where that is clean."""

from __future__ import annotations

import pytest
from support import esper_audit, fresh_esper_audit

from esper_audit.data.recording import Recording
from esper_audit.data.storage import load

RECOMPILES = """
import atexit, os, sys, threading, time
import torch

double = torch.compile(lambda x: x * 2, backend="eager", dynamic=False)
double(torch.ones(3))
double(torch.ones(4))
"""
CLEAN = {
    "its last line": "",
    "an exit": "sys.exit(0)",
    "an exit that the system keeps nothing of": "sys.exit(256)",
    "a hard exit": "os._exit(0)",
    "a hard exit that the system keeps nothing of": "os._exit(256)",
    "a hard exit of a thread": "threading.Thread(target=os._exit, args=(0,)).start(); time.sleep(9)",
    "a hard exit of a thread that outlives the main one": (
        "threading.Thread(target=lambda: (time.sleep(0.5), os._exit(0))).start()"
    ),
    "a hard exit of a daemon thread during the report": (
        "def leave():\n    while threading.main_thread().is_alive(): time.sleep(0.001)\n"
        "    os._exit(0)\nthreading.Thread(target=leave, daemon=True).start()"
    ),
    "a hard exit of an exit handler": "atexit.register(os._exit, 0)",
    "a hard exit in a finally": "try:\n    raise ValueError\nfinally:\n    os._exit(0)",
}


def run(folder, ending, *options):
    (folder / "program.py").write_text(RECOMPILES + ending)
    return esper_audit("exec", *options, "program.py", cwd=folder)


@pytest.mark.parametrize("how", CLEAN)
def test_a_failed_budget_ends_a_clean_program_with_1(tmp_path, how):
    result = run(tmp_path, CLEAN[how], "--max-recompiles", "0", "--save", "r.json")
    assert result.returncode == 1, result.stderr
    assert "1 recompile, 0 allowed" in result.stderr
    assert load(tmp_path / "r.json", Recording).complete


@pytest.mark.parametrize(
    ("options", "code"),
    [((), 0), (("--max-recompiles", "1"), 0), (("--fail-on", "size-changed"), 1)],
)
def test_the_verdict_decides_after_a_hard_exit_too(tmp_path, options, code):
    assert run(tmp_path, "os._exit(0)", *options, "--save", "r.json").returncode == code


def test_a_budget_that_proves_nothing_ends_a_hard_exit_with_3(tmp_path):
    (tmp_path / "program.py").write_text("import os\nos._exit(0)")
    result = fresh_esper_audit("exec", "--max-recompiles", "0", "program.py", cwd=tmp_path)
    assert "nothing is proven" in result.stderr
    assert result.returncode == 3


@pytest.mark.parametrize(
    "ending",
    [
        "os._exit(5)",
        "threading.Thread(target=os._exit, args=(5,)).start(); time.sleep(9)",
        "atexit.register(os._exit, 5)",
        "sys.exit(5)",
    ],
)
def test_a_code_of_the_programs_own_stays(tmp_path, ending):
    result = run(tmp_path, ending, "--max-recompiles", "0")
    assert "1 recompile, 0 allowed" in result.stderr
    assert result.returncode == 5


def test_a_forked_child_leaves_with_its_own_code(tmp_path):
    ending = "if os.fork() == 0: os._exit(0)\nprint(os.wait()[1], flush=True)\nos._exit(0)"
    result = run(tmp_path, ending, "--max-recompiles", "0")
    assert (result.returncode, result.stdout) == (1, "0\n")


@pytest.mark.parametrize(
    "call",
    [
        "os.execv(sys.executable, ['python', '-c', CODE])",
        "os.execve(sys.executable, ['python', '-c', CODE], os.environ)",
        "os.execl(sys.executable, 'python', '-c', CODE)",
        "os.execvp('sh', ['sh', '-c', 'echo new; exit 4'])",
        "os.execlpe('sh', 'sh', '-c', 'echo new; exit 4', os.environ)",
    ],
)
def test_of_a_program_that_replaces_itself_all_is_kept_and_the_new_code_counts(tmp_path, call):
    ending = f"CODE = 'print(\"new\"); raise SystemExit(4)'\n{call}"
    result = run(tmp_path, ending, "--max-recompiles", "0", "--save", "r.json")
    assert (result.returncode, result.stdout) == (4, "new\n")
    assert "1 recompile, 0 allowed" in result.stderr
    recording = load(tmp_path / "r.json", Recording)
    assert (recording.program.ended, recording.complete) == ("os.execve", True)


@pytest.mark.parametrize(("own", "code"), [(0, 3), (5, 5)])
def test_a_recording_that_a_hard_exit_cannot_save_is_told(tmp_path, own, code):
    ending = f"import shutil\nshutil.rmtree('gone')\nos._exit({own})"
    (tmp_path / "gone").mkdir()
    result = run(tmp_path, ending, "--save", "gone/r.json")
    assert "r.json can't be written" in result.stderr
    assert result.returncode == code


def test_a_recording_that_cannot_be_saved_keeps_no_program_from_its_place(tmp_path):
    ending = "import shutil\nshutil.rmtree('gone')\nos.execvp('sh', ['sh', '-c', 'echo new'])"
    (tmp_path / "gone").mkdir()
    result = run(tmp_path, ending, "--save", "gone/r.json")
    assert (result.returncode, result.stdout) == (0, "new\n")
    assert "r.json can't be written" in result.stderr
