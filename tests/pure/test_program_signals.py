"""Signals to a recorded program: its report comes first, and its own handlers stay its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest

from esper_audit.program import signals
from esper_audit.program.again import run_again
from esper_audit.program.signals import HELD, HeldSignals
from esper_audit.replay.keeper import Keeper

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
PROGRAM = """
import os, signal, sys
from esper_audit.program.signals import FatalSignals

def report(number):
    print("reported", signal.Signals(number).name, flush=True)

{before}
with FatalSignals(report, lambda: False).reported():
    {inside}
print("after", flush=True)
"""


def ended(inside, before=""):
    """Output and exit code of a program under these signals."""
    source = PROGRAM.replace("{inside}", inside).replace("{before}", before)
    command = [sys.executable, "-c", source]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stderr == ""
    return done.stdout.split(), done.returncode


@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP"])
def test_a_signal_that_ends_a_program_is_reported_first(name):
    raised = f"signal.raise_signal(signal.{name})"
    assert ended(raised) == (["reported", name], -getattr(signal, name))


@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP"])
def test_a_handler_of_the_programs_own_is_left_alone(name):
    own = f"signal.signal(signal.{name}, lambda *_: print('own', flush=True))"
    raised = f"signal.raise_signal(signal.{name})"
    assert ended(raised, own) == (["own", "after"], 0)
    assert ended(f"{own}; {raised}") == (["own", "after"], 0)
    ignored = f"signal.signal(signal.{name}, signal.SIG_IGN)"
    assert ended(raised, ignored) == (["after"], 0)
    kept = f"print(signal.getsignal(signal.{name}) is signal.SIG_IGN)"
    assert ended(f"{ignored}; {kept}") == (["True", "after"], 0)


def test_a_forked_child_dies_of_a_signal_as_it_would():
    forked = (
        "pid = os.fork()\n    if pid == 0:\n        signal.raise_signal(signal.SIGHUP)\n"
        "    print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))"
    )
    assert ended(forked) == ([str(-signal.SIGHUP), "after"], 0)


@pytest.fixture
def heard():
    """Handlers of a program's own, and what they heard."""
    numbers: list[int] = []
    before = [
        (number, signal.signal(number, lambda got, _: numbers.append(got))) for number in ENDING
    ]
    yield numbers
    for number, handler in before:
        signal.signal(number, handler)


@pytest.mark.parametrize("number", ENDING)
def test_what_comes_during_a_report_is_heard_once_it_is_over(heard, number):
    held = HeldSignals()
    with held():
        assert not held.came
        signal.raise_signal(number)
        signal.raise_signal(number)
        assert held.came
        assert heard == []
    assert heard == [number]
    assert not held.came


def test_a_report_that_fails_passes_the_signal_on(heard):
    with pytest.raises(OSError), HeldSignals()():
        signal.raise_signal(signal.SIGTERM)
        raise OSError
    assert heard == [signal.SIGTERM]


def test_a_signal_long_after_the_first_ends_a_report_that_hangs(heard, monkeypatch):
    died: list[int] = []
    monkeypatch.setattr(signals, "die_of", died.append)
    with HeldSignals()():
        signal.raise_signal(signal.SIGTERM)
        late = time.monotonic() + signals.PATIENCE_SECONDS + 1
        monkeypatch.setattr(time, "monotonic", lambda: late)
        signal.raise_signal(signal.SIGTERM)
    assert died == [signal.SIGTERM]


def test_a_signal_ends_the_second_run_with_all_that_it_started(heard, tmp_path):
    source = "import os, time; os.fork(); open(str(os.getpid()), 'w'); time.sleep(60)"
    command = [sys.executable, "-c", source]

    class Told(Keeper):
        def group(self, _leader):
            while len(list(tmp_path.iterdir())) < 2:
                time.sleep(0.01)
            signal.raise_signal(signal.SIGTERM)

    with HELD():
        run_again(command, str(tmp_path), Told(None), lambda: HELD.came)
        assert HELD.came
    assert heard == [signal.SIGTERM]
    for place in tmp_path.iterdir():
        assert is_soon_dead(int(place.name))


def is_soon_dead(pid):
    until = time.monotonic() + 10
    while time.monotonic() < until:
        try:
            with open(f"/proc/{pid}/stat") as stat:  # noqa: PTH123
                if stat.read().rpartition(")")[2].split()[0] in "ZX":
                    return True
        except OSError:
            return True
        time.sleep(0.02)
    os.kill(pid, signal.SIGKILL)
    return False
