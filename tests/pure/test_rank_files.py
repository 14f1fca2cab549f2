"""What is said of ranks is true beside any file of another rank."""

from __future__ import annotations

import pytest
from builders import compiled, recording

from esper_audit.data.recording import UNKNOWN, Program, Recording
from esper_audit.data.storage import save
from esper_audit.errors import UsageError
from esper_audit.program.places import journal_at
from esper_audit.recording.journal import Journal


def of_rank(number, size=2):
    program = Program(argv=("train.py",), rank=number, world_size=size, exit_code=0)
    return recording((), [compiled(0)], program=program)


def keep(desk, number, name, size=2):
    place = desk.folder / name
    place.parent.mkdir(exist_ok=True)
    save(of_rank(number, size), place)


def shown(desk, path="runs"):
    code, out, err = desk.run("show", path)
    return code, " ".join(out.split()), err


ALONE = "This report is of rank 0 alone, of 2 ranks. `esper-audit show FOLDER` merges"


@pytest.mark.parametrize("path", ["runs", "runs/rank-0.json"])
@pytest.mark.parametrize("other", [None, "runs/deeper/rank-1.json", "elsewhere/rank-1.json"])
def test_a_report_of_one_rank_says_that_it_is_of_one(desk, path, other):
    keep(desk, 0, "runs/rank-0.json")
    if other:
        keep(desk, 1, other)
    assert ALONE in shown(desk, path)[1]


def test_a_rank_that_is_not_there_among_several_is_named(desk):
    for number in (0, 2):
        keep(desk, number, f"runs/rank-{number}.json", size=4)
    out = shown(desk)[1]
    assert "No recording of rank 1 was given." in out
    assert "No recording of rank 3 was given." in out


def test_a_rank_that_may_still_run_is_not_said_to_have_died(desk):
    keep(desk, 0, "runs/rank-0.json")
    journal = Journal(desk.folder / "runs" / "rank-1.json.partial")
    unfinished = of_rank(1)
    journal.begin(unfinished, unfinished.program)
    out = shown(desk)[1]
    assert "The process still runs, or died before it could save" in out
    assert "No recording of" not in out and "This report is of" not in out
    keep(desk, 1, "runs/rank-1.json")
    journal.remove()
    assert "still runs" not in shown(desk)[1]


def test_a_gate_says_which_recordings_it_was_not_given(desk):
    keep(desk, 0, "runs/rank-0.json")
    code, out, _ = desk.gate("runs/rank-0.json")
    assert code == 3
    assert "no recording of rank 1 was given" in " ".join(out.split())


@pytest.mark.parametrize("suffix", ["", ".partial"])
def test_a_folder_of_folders_names_the_one_that_holds_recordings(desk, suffix):
    keep(desk, 0, f"runs/rank-0.json{suffix}")
    code, _, err = shown(desk, ".")
    assert (code, "There are files in runs: give that folder." in err) == (2, True)


@pytest.mark.parametrize("made", ["text", "link", "folder"])
def test_what_esper_audit_has_not_left_is_not_replaced_by_events(tmp_path, made):
    place, mine = tmp_path / "x.json.partial", tmp_path / "mine.txt"
    mine.write_text("mine")
    if made == "link":
        place.symlink_to(mine)
    elif made == "folder":
        place.mkdir()
    else:
        place.write_text("mine")
    with pytest.raises(UsageError, match="was not left by esper-audit"):
        journal_at(tmp_path / "x.json")
    journal = Journal(place)
    journal.begin(Recording(environment=UNKNOWN), Program(argv=("x.py",)))
    assert not journal.is_kept
    assert mine.read_text() == "mine"


def test_what_an_earlier_run_has_left_is_replaced(tmp_path):
    place = tmp_path / "x.json.partial"
    left = Journal(place)
    left.begin(Recording(environment=UNKNOWN), Program(argv=("x.py",)))
    head = place.read_bytes()
    left.remove()
    place.write_bytes(head)
    assert journal_at(tmp_path / "x.json") == place
