"""Nothing stays behind of a process that was killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from esper_audit.replay import keeper as keeping

LEADS = "import os, signal, time; os.setpgid(0, 0); print(os.getpid(), flush=True); time.sleep(60)"
KEPT = """
import os, signal, subprocess, sys
from pathlib import Path
from esper_audit.replay.keeper import keeper

with keeper() as kept:
    kept.folder(Path(sys.argv[1]))
    for ended in (False, True):
        child = subprocess.Popen([sys.executable, "-c", sys.argv[2]], stdout=subprocess.PIPE)
        leader = int(child.stdout.readline())
        kept.group(leader)
        if ended:
            kept.ended(leader)
        print(leader, flush=True)
    kept.folder(sys.argv[1] + "-none")
    {end}
"""


@pytest.fixture
def folder(tmp_path):
    place = tmp_path / "line\nbreak \udcff"
    (place / "inner").mkdir(parents=True)
    (place / "inner" / "file").write_text("text")
    return place


def left_by(folder, end):
    """The groups of a process that told a keeper of one, and of another that has ended."""
    command = [sys.executable, "-c", KEPT.replace("{end}", end), str(folder), LEADS]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    return [int(text) for text in done.stdout.split()]


def is_soon(condition):
    until = time.monotonic() + 10
    while not condition() and time.monotonic() < until:
        time.sleep(0.02)
    return condition()


def is_gone(leader):
    """Whether it has ended; nobody may be there to wait for it."""
    place = Path("/proc", str(leader), "stat")
    try:
        return place.read_text().rpartition(")")[2].split()[0] in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return True


@pytest.mark.parametrize("end", ["os.kill(os.getpid(), signal.SIGKILL)", "os._exit(1)"])
def test_the_folder_and_the_groups_of_a_process_that_died_go(folder, end):
    kept, ended = left_by(folder, end)
    try:
        assert is_soon(lambda: is_gone(kept) and not folder.exists())
        assert not is_gone(ended)
    finally:
        os.killpg(ended, signal.SIGKILL)


def test_nothing_is_touched_where_a_process_clears_up_itself(folder):
    groups = left_by(folder, "pass")
    try:
        assert folder.exists()
        assert not any(map(is_gone, groups))
    finally:
        for leader in groups:
            os.killpg(leader, signal.SIGKILL)


def test_where_no_process_can_be_had_nothing_is_kept_and_nothing_fails(monkeypatch, folder):
    monkeypatch.setattr(sys, "executable", "/no/such/python")
    with keeping.keeper() as kept:
        kept.folder(folder)
    assert folder.exists()


def test_a_keeper_that_was_killed_costs_nothing(folder):
    with keeping.keeper() as kept:
        assert kept._process is not None
        kept._process.kill()
        kept._process.wait()
        for _ in range(3):
            kept.folder(folder)


LEAK = """
import os
from multiprocessing import resource_tracker
from esper_audit.replay.alone import _quiet_tracker
with _quiet_tracker():
    resource_tracker.ensure_running()
resource_tracker.register("/left-by-a-killed-replay", "semaphore")
os._exit(0)
"""


def test_semaphores_of_a_killed_replay_are_no_warning():
    ended = subprocess.run([sys.executable, "-c", LEAK], capture_output=True, timeout=60)
    assert (ended.returncode, ended.stderr) == (0, b"")
