"""Fixtures of the tests that need no torch."""

from __future__ import annotations

import pytest
from desk import Desk


@pytest.fixture
def desk(tmp_path, monkeypatch, capsys):
    return Desk(tmp_path, monkeypatch, capsys)
