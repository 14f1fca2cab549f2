from __future__ import annotations

import importlib
import sys
import uuid
from pathlib import Path

import pytest

HERE = Path(__file__).parent


LONGEST = (
    *("test_suite.py", "test_replay.py", "test_cli.py", "test_exec.py", "test_same_program.py"),
    *("test_lost_processes.py", "test_examples.py", "test_ranks.py", "test_gate_live.py"),
)
"""Begun first, so that no worker is left alone with one of them at the end."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.live)
    rank = {HERE / name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: rank.get(item.path, len(rank)))


@pytest.fixture(autouse=True)
def one_thread():
    """As in the processes of replays: with several, none of them can be forked."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def clean_dynamo():
    """No compiled code of another test, and no hook or tracer left behind."""
    import torch

    torch.compiler.reset()
    yield
    torch.compiler.reset()
    assert sys.gettrace() is None


@pytest.fixture
def slot():
    from slots import Slot

    return Slot()


@pytest.fixture
def step(slot):
    """Calls the compiled slot."""
    import torch

    compiled, x = torch.compile(slot, backend="aot_eager"), torch.ones(2, 4)
    return lambda: compiled(x)


@pytest.fixture
def library(tmp_path, monkeypatch):
    """A library that keeps tables at its module level, with a name of its own.

    Dynamo remembers the module of a name for the process (`_import_module` in
    torch 2.13.0, _dynamo/symbolic_convert.py): a second one would meet the first one's tables.
    """
    from states import LIBRARY

    name = f"a_library_{uuid.uuid4().hex}"
    (tmp_path / f"{name}.py").write_text(LIBRARY)
    monkeypatch.syspath_prepend(tmp_path)
    yield importlib.import_module(name)
    del sys.modules[name]
