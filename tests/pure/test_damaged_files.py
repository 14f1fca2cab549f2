"""A damaged recording costs itself: the other ranks are shown, and it is named, never left out."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from builders import compiled, recording

from esper_audit.data.recording import Program
from esper_audit.data.steps import Lookups
from esper_audit.data.storage import dumps, save
from esper_audit.recording.journal import Journal


def of_rank(rank, size=3):
    program = Program(argv=("train.py",), rank=rank, world_size=size, ended="exit 0", exit_code=0)
    return recording(compiles=[compiled(0)], program=program)


@pytest.fixture
def ranks(desk):
    """A desk with a folder of three recordings."""
    (desk.folder / "runs").mkdir()
    for rank in range(3):
        save(of_rank(rank), desk.folder / "runs" / f"rank-{rank}.json")
    return desk


WHOLE = dumps(of_rank(1))
DAMAGED = {
    "empty": b"",
    "cut off": WHOLE[: len(WHOLE) // 2],
    "no UTF-8": WHOLE.replace(b"train.py", b"tr\xffin.py"),
    "NUL": b"\0" * 4096,
    "a list": b"[1, 2]",
    "null": b"null",
    "deep": b"[" * 100_000,
    "a newer version": WHOLE.replace(b'"schema_version": 2', b'"schema_version": 3'),
    "another kind": WHOLE.replace(b'"kind": "recording"', b'"kind": "report"'),
    "a field of another type": WHOLE.replace(b'"compiles": [', b'"compiles": [7,'),
}


@pytest.mark.parametrize("data", DAMAGED.values(), ids=DAMAGED)
@pytest.mark.parametrize("rank", [0, 1])
def test_a_damaged_rank_is_named_and_the_others_are_shown(ranks, rank, data):
    (ranks.folder / "runs" / f"rank-{rank}.json").write_bytes(data)
    code, out, err = ranks.run("show", "runs")
    assert (code, err) == (3, ""), "an error, and not the difference between ranks"
    assert f"Not judged: rank-{rank}.json (rank {rank}): its recording can't be read" in out
    assert f"runs/rank-{rank}.json " in out
    assert f"train.py (ranks {'1 to 2' if rank == 0 else '0, 2'})" in out
    assert "Ranks differ" not in out and "No recording of" not in out
    assert "torch 2.13.0" in out


def test_what_is_no_file_in_a_folder_of_ranks_costs_itself(ranks):
    for name in ("rank-1.json", "rank-1.json.partial"):
        (ranks.folder / "runs" / name).unlink(missing_ok=True)
        (ranks.folder / "runs" / name).symlink_to("nowhere")
    (ranks.folder / "runs" / "rank-2.json").unlink()
    (ranks.folder / "runs" / "rank-2.json").mkdir()
    code, out, err = ranks.run("show", "runs")
    assert (code, err, out.count("its recording can't be read")) == (3, "", 2)


@pytest.mark.parametrize("form", ["json", "markdown", "junit", "sarif", "github", "plain"])
def test_every_format_tells_of_the_damaged_rank(ranks, form):
    (ranks.folder / "runs" / "rank-1.json").write_bytes(b"")
    code, out, _ = ranks.run("show", "runs", "--format", form)
    assert code == 3
    assert "rank-1.json" in out.replace("\\", "")


def test_a_gate_and_a_comparison_do_not_pass_with_a_damaged_rank(ranks):
    (ranks.folder / "runs" / "rank-1.json").write_bytes(b"")
    assert ranks.gate("runs", "--update-baseline")[0] == 3
    assert ranks.gate("runs")[0] != 0
    assert ranks.run("compare", "runs", "runs")[0] == 3


def test_where_every_rank_is_damaged_nothing_is_shown(ranks):
    for rank in range(3):
        (ranks.folder / "runs" / f"rank-{rank}.json").write_bytes(b"")
    code, out, err = ranks.run("show", "runs")
    assert (code, out) == (2, "")
    assert "rank-0.json is not JSON" in err


def partial(path, *lines):
    journal = Journal(path)
    journal.begin(of_rank(1), of_rank(1).program)
    for number in range(3):
        journal.note(replace(compiled(0), sequence=number), Lookups(1, 1))
    journal._file.close()
    path.write_bytes(path.read_bytes() + b"".join(line + b"\n" for line in lines))
    return path


def test_what_is_lost_of_a_partial_recording_is_told(desk):
    partial(desk.folder / "r.json.partial", b"[]", b"\xff")
    code, out, err = desk.run("show", "r.json.partial")
    assert (code, err) == (0, "")
    assert "3 compiles" in out
    assert "2 of 6 lines of the recording are lost; the first is line 5" in out


def test_a_damaged_partial_of_a_rank_is_shown_as_far_as_it_goes(ranks):
    (ranks.folder / "runs" / "rank-1.json").unlink()
    partial(ranks.folder / "runs" / "rank-1.json.partial", b"17")
    _, out, _ = ranks.run("show", "runs")
    assert "1 of 5 lines of the recording is lost; the first is line 5" in out
    assert "train.py (rank 1)" in out


@pytest.mark.parametrize("data", [b"", b"what", b"\0" * 99, b"[" * 99_999])
def test_a_partial_in_which_nothing_can_be_read_is_refused(desk, data):
    (desk.folder / "r.json.partial").write_bytes(data)
    code, out, err = desk.run("show", "r.json.partial")
    assert (code, out) == (2, "")
    assert "r.json.partial holds no recording: " in err


def test_a_damaged_recording_can_be_saved_as_a_report_and_shown_again(ranks):
    (ranks.folder / "runs" / "rank-1.json").write_bytes(b"{")
    assert ranks.run("show", "runs", "-o", "all.json")[0] == 3
    assert json.loads((ranks.folder / "all.json").read_text())["kind"] == "program"
    code, out, _ = ranks.run("show", "all.json")
    assert (code, "its recording can't be read" in out) == (3, True)


def test_a_lost_line_of_a_partial_is_told_in_words(desk):
    journal = Journal(desk.folder / "a.json.partial")
    journal.begin(of_rank(0), Program(argv=("train.py",)))
    head = journal.path.read_bytes()
    journal.remove()
    (desk.folder / "a.json.partial").write_bytes(head + b'{"compiles":3}\n')
    out = desk.run("show", "a.json.partial")[1]
    assert "line 2: expected an object, got a whole number" in out
