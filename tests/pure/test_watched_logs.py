"""A watch follows trace logs of plain torch, in a folder of many runs, as they are written."""

from __future__ import annotations

import os

import pytest
from journals import Run, closed, holders, only, polled, watching  # noqa: F401
from trace_builders import TREE, Log

from esper_audit.program.heard import Life
from esper_audit.report.watch import closing_lines, event_lines, plain_lines

# ruff: noqa: F811  # fixtures are imported


def log_of(recompiles, *, rank=None, pid=100):
    log = Log(pid=pid, rank=rank, clock=1_700_000_000.0)
    log.compile("0/0")
    for number in range(1, recompiles + 1):
        guards = tuple(line.replace("== 1", f"== {number + 1}") for line in TREE)
        log.compile(f"0/{number}", f"0/{number - 1}: L['n'] == {number}", guards=guards)
    return bytes(log)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "dedicated_log_torch_trace_abc.log"


@pytest.fixture(autouse=True)
def eager(monkeypatch):
    """A recording is made again at once, however long the one before took."""
    monkeypatch.setattr("esper_audit.program.following_logs._COST", 0)


@pytest.mark.parametrize("size", [100, 700, 5000])
@pytest.mark.parametrize("given", ["file", "folder"])
def test_compiles_of_a_log_are_told_as_they_come(path, watching, given, size):
    watch = watching(path if given == "file" else path.parent)
    polled(watch)
    told = []
    whole = log_of(2)
    for part in (whole[at : at + size] for at in range(0, len(whole), size)):
        with path.open("ab") as file:
            file.write(part)
        polled(watch)
        told += event_lines(watch.news())
    assert [line.split("  ")[1].split(";")[0] for line in told] == [
        "compile 0/0 of f",
        "recompile 0/1 of f: n: 1 -> 2 (int-counter)",
        "recompile 0/2 of f: n: 2 -> 3 (int-counter)",
    ]


def test_a_log_says_no_more_than_it_knows(path, watching):
    path.write_bytes(log_of(1))
    watch = watching(path)
    process = only(watch)
    assert process.life is Life.RUNNING
    assert process.pid == 100
    assert "reused" not in "\n".join(plain_lines(watch.state()))


def test_a_log_that_nobody_writes_any_more_has_ended(path, watching, holders):
    path.write_bytes(log_of(1))
    watch = watching(path)
    only(watch)
    holders["pids"] = frozenset()
    assert only(watch).life is Life.ENDED
    assert watch.is_over
    assert "a trace log does not say how it ended" in "\n".join(plain_lines(watch.state()))
    assert closing_lines(watch.state())


def test_a_log_that_begins_again_is_another_run(path, watching):
    path.write_bytes(log_of(3))
    watch = watching(path)
    only(watch)
    path.write_bytes(log_of(0, pid=7))
    process = only(watch)
    assert (process.tally.compiles, process.runs, process.pid) == (1, 2, 7)


def test_logs_of_an_earlier_run_are_left_out(path, watching):
    path.write_bytes(log_of(1))
    old = path.with_name("dedicated_log_torch_trace_old.log")
    old.write_bytes(log_of(5))
    os.utime(old, (1, 1))
    assert only(watching(path.parent)).tally.compiles == 2


def test_two_processes_in_one_file_are_two(path, watching):
    path.write_bytes(log_of(1) + log_of(2, pid=200))
    found = polled(watching(path)).processes
    assert [process.tally.compiles for process in found] == [2, 3]


def test_damage_is_counted(path, watching):
    path.write_bytes(log_of(1) + b"no record at all\n" + log_of(0, pid=8))
    found = polled(watching(path)).processes
    assert sum(process.lost for process in found) == 1


def test_a_journal_goes_before_the_logs_beside_it(tmp_path, path, watching):
    path.write_bytes(log_of(4))
    Run(tmp_path / "r.json").begin()
    assert only(watching(tmp_path)).tally.compiles == 0
