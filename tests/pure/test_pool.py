"""Processes for replays that can't be had."""

from __future__ import annotations

import subprocess
import sys

import pytest

from esper_audit.errors import IncompleteError
from esper_audit.replay import pool as pools


def test_a_torch_that_ends_each_process_is_told_with_the_line_that_shows_it(monkeypatch):
    def none_to_be_had(*_: object, **__: object) -> None:
        raise OSError("EOFError: unexpected EOF")

    monkeypatch.setattr(pools, "LoneProcess", none_to_be_had)
    with pools.open_pool(1) as pool, pytest.raises(IncompleteError, match="unexpected EOF") as told:
        pool.collect(["x.py"], [])
    assert 'python -c "import torch"' in told.value.hint


def test_a_torch_with_nothing_in_it_does_not_end_the_fork_server(tmp_path):
    (tmp_path / "torch").mkdir()
    (tmp_path / "torch" / "__init__.py").write_text("__version__ = 'nonsense'")
    (tmp_path / "torch" / "_dynamo.py").write_text("")
    code = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); import esper_audit.replay.preload"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=60)
    assert (ended.returncode, ended.stderr) == (0, b"")
