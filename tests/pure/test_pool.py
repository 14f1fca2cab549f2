"""Processes for replays that can't be had."""

from __future__ import annotations

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
