"""A watch beside a real run, by file and by process, leaves the run as it is."""

from __future__ import annotations

import subprocess
import sys

import pytest
from support import esper_audit

from esper_audit.program import processes

PROGRAM = """
import sys
import torch

@torch.compile(backend="eager")
def scaled(x, mode):
    return x * 2 if mode == "a" else x * 3

for mode in ("a", "b"):
    scaled(torch.ones(2), mode)
sys.stdout.write("ready\\n")
sys.stdout.flush()
sys.stdin.readline()
sys.exit(3)
"""


@pytest.mark.skipif(not processes.are_known(), reason="there is no /proc")
def test_a_run_is_watched_by_its_process_and_by_its_file(tmp_path):
    (tmp_path / "train.py").write_text(PROGRAM)
    command = [sys.executable, "-m", "esper_audit", "exec", "--save", "r.json", "train.py"]
    pipe = subprocess.PIPE
    with subprocess.Popen(
        command, cwd=tmp_path, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, text=True
    ) as run:
        assert run.stdin is not None and run.stdout is not None
        assert run.stdout.readline() == "ready\n"
        now = esper_audit("watch", str(run.pid), "--once", cwd=tmp_path)
        follow = [sys.executable, "-m", "esper_audit", "watch", "r.json", "--interval", "0.1"]
        with subprocess.Popen(follow, cwd=tmp_path, stdout=pipe, text=True) as watch:
            assert watch.stdout is not None
            first = watch.stdout.readline()
            run.stdin.write("\n")
            run.stdin.close()
            rest = watch.stdout.read()
        assert run.wait() == 3
    assert (now.returncode, now.stderr) == (0, "")
    assert f"train.py (process {run.pid}, torch " in now.stdout
    assert "2 compiles (1 recompile)" in now.stdout
    assert "flag-changed: mode in scaled: 'a' -> 'b'" in now.stdout
    assert first.startswith("train.py: running, torch ")
    assert "  recompile 0/1 of scaled: mode: 'a' -> 'b' (flag-changed); " in rest
    assert "\ntrain.py: ended with exit 3\n" in rest
    assert "\x1b" not in rest
    assert watch.returncode == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["r.json", "train.py"]
