"""A watch follows journals as they grow, end, break and begin again, and only reads them."""

# ruff: noqa: F811  # fixtures are imported

from __future__ import annotations

import os
from dataclasses import replace

import pytest
from builders import compiled
from journals import PROGRAM, Run, again, closed, ended, holders, only, watching  # noqa: F401

from esper_audit.data.recording import Program
from esper_audit.data.storage import save
from esper_audit.program import processes
from esper_audit.program.heard import Life
from esper_audit.report.watch import event_lines
from esper_audit.report.words.watch import life_words, waiting_words


@pytest.fixture
def path(tmp_path):
    return tmp_path / "r.json"


@pytest.fixture
def run(path):
    return Run(path)


@pytest.fixture
def watch(path, watching):
    return watching(path)


def told(watch):
    only(watch)
    return event_lines(watch.news())


def test_a_watch_waits_for_a_file_that_is_not_there(watch):
    assert only(watch).life is Life.WAITING
    assert not watch.is_over


def test_compiles_are_told_as_they_are_written(run, watch):
    only(watch)
    run.begin().note(compiled(0))
    assert told(watch) == ["0.0 s  compile 0/0 of Host.forward; 0.10 s"]
    run.note(again(1), again(2, "0.7"))
    assert told(watch) == [
        "0.0 s  recompile 0/1 of Host.forward: self.alpha: 0.5 -> 0.6 (float-specialized); 0.10 s",
        "0.0 s  recompile 0/2 of Host.forward: self.alpha: 0.5 -> 0.7 (float-specialized); 0.10 s",
    ]
    assert told(watch) == []


def test_a_compile_that_comes_again_counts_once(run, watch):
    run.begin().note(compiled(0), replace(compiled(0), reason="later"))
    process = only(watch)
    assert process.tally.compiles == 1
    assert process.tally.seconds == pytest.approx(0.1)
    run.note(replace(compiled(0), reason="even later"))
    assert told(watch) == ["0.0 s  compile 0/0 of Host.forward; 0.10 s"]


def test_half_a_line_is_read_once_it_is_whole(run, watch, path):
    run.begin().note(compiled(0))
    whole = run.journal.path.read_bytes()
    run.journal.path.write_bytes(whole[:-20])
    assert only(watch).tally.compiles == 0
    with run.journal.path.open("ab") as file:
        file.write(whole[-20:])
    process = only(watch)
    assert (process.tally.compiles, process.lost) == (1, 0)


def test_the_saved_recording_takes_the_place_of_the_journal(run, watch):
    run.begin().note(compiled(0))
    only(watch)
    run.end([compiled(0), again(1)])
    process = only(watch)
    assert process.life is Life.ENDED
    assert process.tally.compiles == 2
    assert process.audit.recording.program.ended == "exit 0"
    assert watch.is_over


def test_what_was_told_is_not_told_again_from_the_saved_recording(run, watch):
    run.begin().note(compiled(0))
    told(watch)
    run.end([compiled(0), again(1)])
    assert [line.split(":")[0] for line in told(watch)] == ["0.0 s  recompile 0/1 of Host.forward"]


def test_a_journal_that_goes_tells_its_end_to_who_has_it_open(tmp_path, watching):
    run = Run(tmp_path / "esper-audit-1-abc").begin().note(compiled(0))
    watch = watching(run.journal.path)
    only(watch)
    run.end(is_saved=False)
    process = only(watch)
    assert (process.life, process.audit.recording.program.ended) == (Life.ENDED, "exit 0")


def test_a_process_that_is_gone_has_died(run, watch, holders):
    run.begin().note(compiled(0))
    assert only(watch).life is Life.RUNNING
    holders["pids"] = frozenset()
    process = only(watch)
    assert (process.life, process.pid) == (Life.DIED, 4242)
    assert not watch.is_over  # a new run may take its place


def test_a_death_ends_the_watch_after_a_while(run, watch, holders, monkeypatch):
    monkeypatch.setattr("esper_audit.program.watching.GRACE_SECONDS", 0.0)
    run.begin()
    only(watch)
    holders["pids"] = frozenset()
    only(watch)
    assert watch.is_over
    assert watch.state().has_died


def test_a_program_whose_file_is_removed_still_runs(run, watch, monkeypatch):
    there: dict[str, str | None] = {"started": "1"}
    monkeypatch.setattr(processes, "started", lambda _: there["started"])
    run.begin().note(compiled(0))
    only(watch)
    run.journal.path.unlink()
    process = only(watch)
    assert (process.life, process.tally.compiles, watch.is_over) == (Life.UNSEEN, 1, False)
    assert life_words(process).startswith("running, but its file was removed")
    there["started"] = None
    assert (only(watch).life, watch.is_over) == (Life.ENDED, True)


def test_a_file_of_another_kind_is_told_while_it_is_waited_for(watch, path):
    only(watch)
    assert waiting_words(watch.state()) == f"waiting for {path}"
    path.write_text("{}")
    only(watch)
    said = waiting_words(watch.state())
    assert said == f"waiting for {path}, which is no recording of a program now"


def test_a_folder_that_cant_be_read_holds_no_watch_up(tmp_path, watching, monkeypatch):
    def denied(folder):
        raise OSError(22, "Invalid argument", str(folder))

    for look in ("scandir", "listdir"):
        monkeypatch.setattr(os, look, denied)
    watch = watching(tmp_path)
    watch.poll()
    assert watch.state().processes == ()


def test_a_file_that_nobody_here_writes_is_not_called_dead(run, watch, holders):
    holders["pids"] = frozenset()
    run.begin().note(compiled(0))
    only(watch)
    assert only(watch).life is Life.SILENT
    assert not watch.is_over


def test_a_new_run_in_the_same_file_begins_at_nothing(run, watch, path, holders):
    run.begin().note(*map(compiled, range(5)))
    assert only(watch).tally.compiles == 5
    holders["pids"] = frozenset()
    only(watch)
    holders["pids"] = frozenset({77})
    Run(path).begin().note(compiled(0))
    process = only(watch)
    assert (process.tally.compiles, process.runs, process.life) == (1, 2, Life.RUNNING)


def test_a_longer_run_in_the_same_file_is_told_apart_too(run, watch, path):
    Run(path, Program(argv=("a.py",))).begin().note(compiled(0))
    only(watch)
    Run(path, Program(argv=("b.py",))).begin().note(*(compiled(n) for n in range(9)))
    process = only(watch)
    assert (process.tally.compiles, process.runs) == (9, 2)


def test_a_recording_of_a_run_before_is_not_taken_for_the_end(run, watch, path):
    save(ended(), path)
    assert only(watch).life is Life.ENDED
    run.begin().note(compiled(0))
    process = only(watch)
    assert (process.life, process.runs, process.tally.compiles) == (Life.RUNNING, 2, 1)


def test_a_journal_older_than_the_recording_was_left_behind(run, watch, path, holders):
    run.begin().note(compiled(0))
    save(ended(compiles=[compiled(0), compiled(1)]), path)
    os.utime(run.journal.path, (1, 1))
    holders["pids"] = frozenset()
    process = only(watch)
    assert (process.life, process.tally.compiles) == (Life.ENDED, 2)


@pytest.mark.parametrize(
    "damage",
    [
        b"\0\0\0\n",
        b"{\n",
        b"[]\n",
        b'{"compiles": 3}\n',
        b"\xff\xfe\n",
        b'{"ended": {}}\n',
        b"x" * 99,
    ],
    ids=repr,
)
def test_damage_costs_the_lines_that_it_is_in(run, watch, damage):
    run.begin().note(compiled(0))
    with run.journal.path.open("ab") as file:
        file.write(damage)
    if not damage.endswith(b"\n"):
        assert only(watch).tally.compiles == 1
        return
    process = only(watch)
    assert process.tally.compiles == 1
    assert process.lost == (1 if damage.strip(b"\0\n") else 0)


def test_a_pipe_in_place_of_a_journal_holds_nobody_up(watch, path):
    os.mkfifo(f"{path}.partial")
    assert only(watch).life is Life.WAITING


def test_a_long_journal_is_read_in_parts(run, watch, monkeypatch):
    run.begin().note(*(compiled(n, id=f"{n}/0") for n in range(500)))
    monkeypatch.setattr("esper_audit.program.watching._BUDGET_SECONDS", 0.0)
    monkeypatch.setattr("esper_audit.program.tail.CHUNK", 1 << 12)
    only(watch)
    assert watch.state().processes[0].tally.compiles == 500


def test_totals_are_of_all_compiles_and_causes_of_the_latest(run, watch):
    run.begin().note(*(again(n, f"0.{n}") for n in range(1, 1000)))
    process = only(watch)
    assert process.tally.recompiles == 999
    [frame] = process.audit.frames
    assert (frame.recompiles, frame.compiles) == (999, 999)
    assert len(process.audit.recording.compiles) == 256
    assert process.cause is not None and process.cause.actual == "0.744"
