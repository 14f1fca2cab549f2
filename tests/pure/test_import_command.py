"""``esper-audit import``: trace logs as they lie in a folder, answered like recordings."""

from __future__ import annotations

import gzip

import pytest
from trace_builders import TREE, Log

from esper_audit.data.audits import ProgramReport
from esper_audit.data.recording import Recording
from esper_audit.data.storage import load

OTHER_GUARDS = tuple(line.replace("== 1", "== 2") for line in TREE)
ALL_OTHER = tuple(line.replace("size=[3]", "size=[4]") for line in OTHER_GUARDS)
AT = 1_700_000_000.0


def log_of(rank=None, recompiles=1, *, pid=None, at=AT, guards=OTHER_GUARDS, frame=0, **fields):
    log = Log(pid=pid if pid is not None else 100 + (rank or 0), rank=rank, clock=at)
    log.compile(f"{frame}/0")
    for number in range(1, recompiles + 1):
        reason = f"{frame}/{number - 1}: L['n'] == {number}"
        log.compile(f"{frame}/{number}", reason, guards=guards, **fields)
    return log


@pytest.fixture
def traces(desk):
    """A folder for logs: ``traces(name, log)`` writes one."""
    folder = desk.folder / "traces"

    def write(name, log):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(log if isinstance(log, bytes) else bytes(log))
        return path

    return write


def read(desk, *words, code=0):
    found, out, err = desk.run("import", "traces", *words)
    assert found == code, (found, out, err)
    return " ".join((out + err).split())


def test_one_process_is_a_recording_like_any_other(desk, traces):
    traces("x.log", log_of())
    text = read(desk, "--save", "one.json")
    assert "traces: 2 compiles (1 recompile)" in text
    assert "n in f: 1 -> 2" in text
    recording = load(desk.folder / "one.json", Recording)
    assert recording.trace_log is not None and recording.trace_log.pid == 100
    code, out, _ = desk.run("show", "one.json")
    assert code == 0 and "n in f: 1 -> 2" in out
    assert "n in f: 1 -> 2" in desk.run("show")[1], "and it is the last audit"


def test_ranks_that_did_the_same_are_one_class_and_the_odd_one_is_named(desk, traces):
    for rank in range(12):
        if rank != 5:
            traces(f"some{rank}.log", log_of(rank, 2 if rank == 7 else 1))
    text = read(desk, "--save", "all.json", code=1)
    assert "traces (ranks 0 to 4, 6, 8 to 11): 2 compiles (1 recompile)" in text
    assert "traces (rank 7): 3 compiles (2 recompiles)" in text
    assert "No log of rank 5 was given." in text
    report = load(desk.folder / "all.json", ProgramReport)
    assert [found.size for found in report.classes] == [10, 1]
    assert report.classes[1].parts_at.endswith("f")
    assert desk.run("show", "all.json")[0] == 1


def test_ranks_that_differ_by_one_guard_are_two_classes(desk, traces):
    for rank in range(9):
        traces(f"{rank}.log", log_of(rank, guards=ALL_OTHER if rank == 2 else OTHER_GUARDS))
    text = read(desk, code=1)
    assert "traces (rank 2): 2 compiles (1 recompile)" in text
    assert "ranks 0 to 1, 3 to 8" in text


def test_a_restart_is_a_run_of_its_own(desk, traces):
    for rank in range(3):
        traces(f"{rank}-first.log", log_of(rank, pid=10 + rank))
        if rank != 1:
            traces(f"{rank}-second.log", log_of(rank, pid=90 + rank, at=AT + 5000))
    text = read(desk)
    assert "No log of rank 1 of the run of 2023-11-14 23:36:4" in text
    assert "run of 2023-11-14 22:13" in text and "run of 2023-11-14 23:36" in text
    assert "Ranks differ" not in text


def test_processes_without_a_rank_are_named_by_their_ids(desk, traces):
    traces("a.log", log_of(pid=41))
    traces("b.log", log_of(pid=42, recompiles=2))
    traces("c.log", log_of(pid=43))
    text = read(desk)
    assert "traces (processes 41, 43): 2 compiles" in text
    assert "traces (process 42): 3 compiles" in text
    assert "Frames by process" in text and "Ranks differ" not in text


def test_one_process_id_on_two_hosts_is_not_one_process(desk, traces):
    traces("host-a/dedicated_log_torch_trace_x.log", log_of(0, pid=7))
    traces("host-b/dedicated_log_torch_trace_x.log", log_of(1, pid=7))
    assert "traces (ranks 0 to 1)" in read(desk)


def test_a_fork_that_writes_into_its_parents_file_is_told_apart(desk, traces):
    parent, child = log_of(pid=1), Log(pid=2)
    child.names = dict(parent.names)
    child.compile("1/0")
    traces("x.log", bytes(parent) + bytes(child))
    text = read(desk)
    assert "traces (process 1): 2 compiles" in text
    assert "traces (process 2): 1 compile" in text


def test_the_rank_in_the_log_counts_and_not_that_of_the_name(desk, traces):
    traces("dedicated_log_torch_trace_rank_9_x.log", log_of(1))
    traces("dedicated_log_torch_trace_rank_1_x.log", log_of(0, 2))
    text = read(desk, code=1)
    assert "traces (rank 0): 3 compiles" in text and "traces (rank 1): 2 compiles" in text


def test_a_process_whose_log_names_no_rank_is_called_by_its_files_name(desk, traces):
    traces("dedicated_log_torch_trace_rank_0.log", log_of(pid=1))
    traces("dedicated_log_torch_trace_rank_3.log", log_of(pid=1, at=AT + 1))
    assert "traces (ranks 0, 3)" in read(desk)


def test_many_logs_are_read_once_more_where_a_class_is_shown(desk, traces):
    for rank in range(40):
        traces(f"{rank:02}.log", log_of(rank, 1 + (rank == 33), at=AT + rank / 10))
    text = read(desk, code=1)
    assert "traces (ranks 0 to 32, 34 to 39)" in text
    assert "traces (rank 33): 3 compiles (2 recompiles)" in text


def test_side_by_side_reads_the_same(desk, traces):
    for rank in range(4):
        traces(f"{rank}.log", log_of(rank, 1 + (rank == 3)))
    one, _, _ = (read(desk, "-j", number, "--save", "x.json", code=1) for number in ("1", "2", "2"))
    assert one == read(desk, "-j", "3", code=1)


def test_a_budget_can_fail_but_not_pass(desk, traces):
    traces("x.log", log_of(recompiles=2))
    assert "2 recompiles, 1 allowed" in read(desk, "--max-recompiles", "1", code=1)
    assert "recompile" in read(desk, "--fail-on", "recompile", code=1)
    text = read(desk, "--max-recompiles", "5", code=3)
    assert "a trace log does not say whether compiled code ran" in text


def test_no_gate_passes_or_accepts_an_import(desk, traces):
    traces("x.log", log_of())
    read(desk, "--save", "one.json")
    for options in ((), ("--update-baseline", "--yes")):
        code, out, _ = desk.gate("one.json", *options)
        assert code == 3
        assert "a trace log does not say whether compiled code ran" in " ".join(out.split())
    assert not desk.baseline.exists()


def test_two_imports_are_compared_whatever_their_scripts_are_called(desk, traces):
    for rank in range(30):
        traces(f"{rank}.log", log_of(rank))
    read(desk, "--save", "a.json")
    for rank in range(30):
        traces(f"{rank}.log", log_of(rank, 2 if rank != 4 else 1))
    read(desk, "--save", "b.json", "--as", "other", code=1)
    assert desk.run("compare", "a.json", "a.json")[0] == 0
    code, out, _ = desk.run("compare", "a.json", "b.json")
    text = " ".join(out.split())
    assert code == 1
    assert "29 of 30 audits differ" in text
    assert "(ranks 1 to 3, 5 to 29) 2 compiles 3 compiles" in text
    assert "b.json is made of trace logs." in text


@pytest.mark.parametrize(
    ("name", "data", "code", "said"),
    [
        ("notes.txt", b"some notes\n", 2, "There is no trace log among the files of traces"),
        ("empty.log", b"", 2, "There is no trace log among the files of traces"),
        ("x.log.gz", gzip.compress(bytes(Log().compile("0/0")))[:40], 3, "can be read"),
        ("x.log", b"V1125 03:16:01.123000 7 torch/x.py:1] {broken\n" * 3, 3, "can be read"),
    ],
    ids=["notes", "empty", "cut off pack", "broken records"],
)
def test_what_holds_no_record_is_refused(desk, traces, name, data, code, said):
    traces(name, data)
    found, out, err = desk.run("import", "traces")
    assert (found, out) == (code, "")
    assert said in err and ("TORCH_TRACE=DIR python" in err or code == 3)


@pytest.mark.parametrize("given", ["nowhere", "empty", "notes.txt"])
def test_a_path_without_a_log_is_refused_with_what_to_do(desk, given):
    (desk.folder / "empty").mkdir()
    (desk.folder / "notes.txt").write_text("what\n")
    code, _, err = desk.run("import", given)
    assert code == 2
    assert len(err.splitlines()) == 2


def test_damage_is_counted_and_named_and_the_rest_is_read(desk, traces):
    whole = bytes(log_of(0)).splitlines(keepends=True)
    traces(
        "0.log", b"".join([*whole[:2], b"V1125 03:16:01.123000 100 a.py:1] {broken\n", *whole[2:]])
    )
    traces("1.log", bytes(log_of(1)))
    text = read(desk)
    assert "traces (ranks 0 to 1): 2 compiles (1 recompile)" in text
    assert "1 line of traces/0.log is not JSON, and was left out; it is line 3" in text


def test_a_thousand_logs_that_are_cut_off_are_told_in_a_few_lines(desk, traces):
    for rank in range(30):
        traces(f"{rank:02}.log", bytes(log_of(rank))[:-9])
    text = read(desk)
    assert "and 24 more files" in text
    assert text.count("cut off") == 6


def test_a_log_of_which_no_compile_is_left_is_not_judged(desk, traces):
    line = b"V1125 03:16:01.123000 7 torch/x.py:1] "
    traces("x.log", line + b'{"str": ["a.py", 0]}\n' + line + b"{broken\n")
    assert "what is left of it holds no compile" in read(desk, code=3)


def test_files_that_are_no_logs_and_copies_are_named(desk, traces):
    traces("x.log", log_of())
    traces("README.md", b"# what\n")
    traces("deeper/copy.log", log_of())
    text = read(desk)
    assert "1 file is no trace log: traces/README.md" in text
    assert "1 file is left out as a copy" in text or "copies of others" in text


@pytest.mark.parametrize("form", ["plain", "markdown", "junit", "github", "html", "json", "sarif"])
def test_hostile_names_in_a_log_steer_no_terminal(desk, traces, form):
    log = Log().start("0/0", file="\x1b[31m<script>.py", function="<module>").metrics("0/0")
    traces("x.log", log)
    out = desk.run("import", "traces", "--format", form)[1]
    assert out and "\x1b" not in out
    assert form != "html" or "<script>.py" not in out


def test_an_output_replaces_no_log(desk, traces):
    traces("x.log", log_of())
    code, _, err = desk.run("import", "traces", "--save", "traces/x.log")
    assert code == 2 and "used by this command itself" in err


@pytest.mark.parametrize("command", ["show", "compare"])
def test_a_trace_log_in_place_of_a_saved_file_names_the_import(desk, traces, command):
    file = traces("deep/dedicated_log_torch_trace_x.log", log_of())
    for given in ("traces", str(file)):
        code, _, err = desk.run(
            *([command, given] if command == "show" else [command, given, given])
        )
        assert code == 2
        assert f"Type: esper-audit import {given}" in err


def test_causes_in_an_objects_state_may_be_of_another_object(desk, traces):
    tree = tuple(line.replace("'n'", "'self'].n").replace("].n]", "].n") for line in TREE)
    log = Log().compile("0/0", guards=tree)
    others = tuple(line.replace("== 1", "== 2") for line in tree)
    traces("a.log", log.compile("0/1", "0/0: self.n == 1", guards=others))
    assert "does not tell objects apart" not in read(desk)  # no source: nothing says it's a method
    source = desk.folder / "train.py"
    source.write_text("class Block:\n\n    def f(self, x):\n        return x * self.n\n")
    logged = log.text.replace('"train.py"', f'"{source}"')
    traces("a.log", logged.encode())
    said = read(desk)
    assert "another one was called (other-instance): self.n in Block.f." in said
