"""Paths that make Python's own questions raise, block or never end."""

from __future__ import annotations

import os
import re
import threading
from pathlib import Path

import pytest
from test_layers import PACKAGE

from esper_audit.data import files
from esper_audit.data.files import is_file, is_folder, is_there, whole
from esper_audit.data.storage import read, write_atomically
from esper_audit.errors import UsageError
from esper_audit.program.saved import load_report

TOO_LONG = "n" * 5000
ASKS = re.compile(r"(?<!system)\.(is_dir|is_file|exists)\(")
"""Of a path, and not of a file system of fsspec."""


@pytest.mark.parametrize("ask", [is_folder, is_file, is_there])
def test_a_name_that_is_too_long_is_nothing(ask):
    assert not ask(TOO_LONG)
    assert not ask(Path(TOO_LONG))


def test_no_module_asks_a_path_by_a_method_that_raises():
    ours = {
        "last_audit.py",
        "alone.py",
        "usable_torch.py",
        "files.py",
    }  # of paths that nobody gives
    asking = [path.name for path in PACKAGE.rglob("*.py") if ASKS.search(path.read_text("utf-8"))]
    assert set(asking) <= ours


def test_a_device_without_an_end_is_refused(monkeypatch):
    monkeypatch.setattr(files, "MOST_BYTES", 1 << 20)
    with pytest.raises(OSError, match="holds more than"):
        whole(Path("/dev/zero"))
    with pytest.raises(UsageError, match="/dev/zero can't be read: it holds more than"):
        read(Path("/dev/zero"))


def test_a_pipe_in_a_folder_of_ranks_blocks_nothing(tmp_path):
    os.mkfifo(tmp_path / "rank-1.json")
    with pytest.raises(UsageError, match="no regular file"):
        load_report(tmp_path)


def test_a_pipe_that_nobody_reads_is_an_error_and_no_wait(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "READER_SECONDS", 0.1)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UsageError, match="pipe can't be written: nobody reads this pipe"):
        write_atomically(tmp_path / "pipe", b"x")


def test_a_pipe_waits_for_a_reader_that_comes_late(tmp_path):
    pipe, whole_text = tmp_path / "pipe", b"x" * 300_000
    os.mkfifo(pipe)
    read_out = []
    reader = threading.Timer(0.3, lambda: read_out.append(pipe.read_bytes()))
    reader.start()
    write_atomically(pipe, whole_text)
    reader.join()
    assert read_out == [whole_text]
