"""Signals end a command, each but the first waits for its report, and none is lost."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress

import pytest

from esper_audit.cli.interrupts import PATIENCE_SECONDS, Interrupts
from esper_audit.cli.progress import LiveProgress

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@pytest.fixture
def interrupts(monkeypatch):
    """Those of a process that has handled no signal yet; all is put back at the end."""
    before = {number: signal.getsignal(number) for number in ENDING}
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    made = Interrupts()
    monkeypatch.setattr("esper_audit.cli.progress.INTERRUPTS", made)
    yield made
    made.leave_to_program()
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", ENDING)
def test_the_first_signal_interrupts_and_the_next_ones_do_not(interrupts, number):
    with interrupts:
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(number)
        for again in ENDING:
            signal.raise_signal(again)


def test_a_signal_during_the_report_waits_for_its_end(interrupts):
    with interrupts:
        interrupts.hold()
        signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGINT)


def test_what_was_held_interrupts_the_next_run_of_a_gate(interrupts):
    progress = LiveProgress(console())
    with interrupts:
        progress.planned(())
        progress.replayed()
        signal.raise_signal(signal.SIGTERM)
        with pytest.raises(KeyboardInterrupt):
            progress.planned(())


def console():
    from io import StringIO

    from rich.console import Console

    return Console(file=StringIO())


def test_a_signal_much_later_ends_even_a_report_that_hangs(interrupts, monkeypatch):
    with interrupts:
        interrupts.hold()
        signal.raise_signal(signal.SIGINT)
        late = time.monotonic() + PATIENCE_SECONDS + 1
        monkeypatch.setattr(time, "monotonic", lambda: late)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)


def test_what_is_ignored_stays_ignored(interrupts):
    """As under nohup."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    with interrupts:
        signal.raise_signal(signal.SIGHUP)
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN


def test_a_recorded_program_finds_the_handlers_of_a_fresh_python(interrupts):
    with interrupts:
        interrupts.leave_to_program()
        assert [signal.getsignal(number) for number in ENDING] == [
            signal.default_int_handler,
            signal.SIG_DFL,
            signal.SIG_DFL,
        ]
        signal.signal(signal.SIGTERM, print)
    assert signal.getsignal(signal.SIGTERM) is print


SHOW = """
import atexit, os, signal, sys
for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
    atexit.register(signal.raise_signal, number)
sys.argv = ["esper-audit", "schema"]
from esper_audit.cli import main
main()
"""


def test_a_signal_past_the_last_line_changes_neither_exit_code_nor_output():
    done = subprocess.run([sys.executable, "-c", SHOW], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("{")


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_a_command_that_a_signal_ends_says_so_with_code_3(tmp_path, name):
    """While it reads a pipe that nobody writes to."""
    os.mkfifo(tmp_path / "a.json")
    command = [sys.executable, "-m", "esper_audit", "show", "a.json"]
    process = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True)
    writer = os.open(tmp_path / "a.json", os.O_WRONLY)  # returns once the command reads
    said = None
    while said is None:  # one that comes just before the call that blocks is not heard at once
        process.send_signal(getattr(signal, name))
        with suppress(subprocess.TimeoutExpired):
            said = process.communicate(timeout=0.5)[1]
    os.close(writer)
    assert (process.returncode, said) == (3, "esper-audit: Interrupted.\n")


def test_a_terminal_that_has_gone_costs_no_report(monkeypatch):
    progress = LiveProgress(console())

    def gone():
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(progress._progress, "stop", gone)
    with progress:
        pass
