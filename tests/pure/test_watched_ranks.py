"""A watch of many ranks says what they did alike; one of a process finds what it writes."""

# ruff: noqa: F811  # fixtures are imported

from __future__ import annotations

import os

import pytest
from builders import FRAME, OTHER, compiled
from journals import Run, again, closed, holders, polled, watching  # noqa: F401

from esper_audit.data.recording import Program
from esper_audit.errors import UsageError
from esper_audit.program import processes
from esper_audit.program.fleet import classes, frames_of
from esper_audit.program.heard import Life
from esper_audit.program.watching import places_of
from esper_audit.report.watch import event_lines


@pytest.fixture
def run(tmp_path):
    return Run(tmp_path / "r.json")


def ranks(folder, size, **fields):
    made = [Program(argv=("train.py",), rank=n, world_size=size) for n in range(size)]
    return [Run(folder / f"rank-{program.rank}.json", program) for program in made]


def test_files_that_come_into_a_folder_are_followed(tmp_path, watching):
    watch = watching(tmp_path)
    runs = ranks(tmp_path, 3)
    seen = []
    for run in runs:
        run.begin().note(compiled(0))
        seen.append([process.rank for process in polled(watch).processes])
    assert seen == [[0], [0, 1], [0, 1, 2]]


def test_a_folder_is_over_with_its_last_rank(tmp_path, watching):
    watch = watching(f"{tmp_path}/")
    runs = ranks(tmp_path, 2)
    for run in runs:
        run.begin().note(compiled(0))
    polled(watch)
    over = []
    for run in runs:
        run.end([compiled(0)])
        polled(watch)
        over.append(watch.is_over)
    assert over == [False, True]


def test_a_missing_rank_is_named(tmp_path, watching):
    watch = watching(tmp_path)
    for run in ranks(tmp_path, 4)[:2]:
        run.begin()
    assert polled(watch).missing == ("2 to 3",)


def test_a_report_that_lies_in_the_folder_is_no_rank(tmp_path, watching):
    (tmp_path / "other.json").write_text("{}")
    watch = watching(tmp_path)
    assert [process.life for process in polled(watch).processes] == [Life.WAITING]


def test_ranks_that_did_the_same_are_one_class(tmp_path, watching):
    watch = watching(tmp_path)
    for run in ranks(tmp_path, 5):
        run.begin().note(compiled(0), compiled(1, frame=OTHER, id="1/0"))
        if run.program.rank == 3:
            run.note(again(2))
    found = classes(polled(watch).processes)
    assert [one.ranks for one in found] == [(0, 1, 2, 4), (3,)]
    assert [one.parts_at for one in found] == [None, FRAME]
    [frame] = [one for one in frames_of(polled(watch).processes) if one.frame == FRAME]
    assert frame.recompiles == (0, 1)


def test_what_ranks_did_alike_is_one_line(tmp_path, watching):
    watch = watching(tmp_path)
    for run in ranks(tmp_path, 6):
        run.begin().note(compiled(0))
    polled(watch)
    assert event_lines(watch.news()) == ["0.0 s  ranks 0 to 5  compile 0/0 of Host.forward; 0.10 s"]


# --- processes ---


def test_a_number_that_is_no_process_is_refused():
    with pytest.raises(UsageError, match="There is no process 999999999"):
        places_of("999999999")


def test_a_file_whose_name_is_a_number_is_a_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "123").touch()
    assert places_of("123").name == "123"
    assert "Process" not in type(places_of("./123")).__name__


@pytest.mark.skipif(not processes.are_known(), reason="there is no /proc")
def test_a_process_leads_to_the_journal_that_it_has_open(run, watching):
    run.begin().note(compiled(0))
    watch = watching(os.getpid())
    assert run.journal.path in [
        one.place.with_name(f"{one.place.name}.partial") for one in followed(watch)
    ]


def followed(watch):
    watch.poll()
    return watch._followed.values()
