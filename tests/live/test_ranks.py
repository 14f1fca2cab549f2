"""Each rank of a distributed program records on its own; ``show`` merges them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from support import esper_audit

RANKS = str(Path(__file__).parent / "programs" / "ranks.py")


def said(text):
    return " ".join(text.split())


def torchrun(folder, *args):
    return subprocess.run(
        [
            *(sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2"),
            *("--no-python", sys.executable, "-m", "esper_audit", "exec", "--save", "ranks/"),
            *(RANKS, *args),
        ],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=200,
    )


def test_each_rank_leaves_a_recording_and_show_tells_where_they_differ(tmp_path):
    result = torchrun(tmp_path)
    assert result.returncode == 0, result.stderr
    shown = esper_audit("show", "ranks", cwd=tmp_path)
    assert shown.returncode == 1
    text = said(shown.stdout)
    assert "ranks-differ: Scale.forward" in text
    assert "rank 0: 0 recompiles" in text
    assert "rank 1: 1 recompile" in text
    assert "rank 1: flag-changed of self.mode" in text


def test_a_recompile_that_another_rank_forces_is_told_as_that(tmp_path):
    result = torchrun(tmp_path, "forced")
    assert result.returncode == 0, result.stderr
    shown = said(esper_audit("show", "ranks", cwd=tmp_path).stdout)
    assert "forced-by-other-rank" in shown
    assert "flag-changed: self.mode" in shown
