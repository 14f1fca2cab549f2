"""What is read of a trace log: processes, compiles, and what each record says of them."""

from __future__ import annotations

from typing import Any

import pytest
from trace_builders import TREE, Log, read

from esper_audit.data.places import Location


def test_a_compile_holds_all_that_its_records_say():
    log = Log(rank=3).compile("0/0").compile("0/1", "0/0: n == 1")
    [process] = read(log)
    first, second = process.compiles
    assert (process.pid, process.rank, process.torch, process.damage) == (100, 3, "2.13.0", [])
    assert (first.id, second.id, second.reasons, second.attempts) == (
        "0/0",
        "0/1",
        ["0/0: n == 1"],
        1,
    )
    assert second.stack == (Location("train.py", 7, "main"),)
    assert second.metrics["cache_size"] == 1 and "inductor_config" not in second.metrics
    assert first.guards == tuple(line for line in TREE if line and "latency" not in line)
    assert first.guards is second.guards
    stages = [(stage.name, stage.seconds) for stage in first.stages]
    assert stages == [("backend_compile", 0.5), ("entire_frame_compile", 1.5), ("dynamo", 2.5)]


@pytest.mark.parametrize("size", [1, 7, 64, 1000])
def test_blocks_of_any_size_say_the_same(size: int):
    log = Log(rank=0).compile("0/0").compile("0/1", "0/0: n == 1", "0/0: n == 2")
    assert read(log, size=size) == read(log)


@pytest.mark.parametrize("torch", [(2, 6), (2, 8), (2, 11), (2, 14)])
def test_reasons_are_read_as_each_version_writes_them(torch: tuple[int, int]):
    log = Log(torch=torch).compile("0/1", "0/0: [x]").compile("0/2", "0/1: a", "0/0: b")
    [process] = read(log)
    assert [compiled.reasons for compiled in process.compiles] == [
        ["0/0: [x]"],
        ["0/1: a", "0/0: b"],
    ]


def test_processes_are_told_apart_by_pid_in_one_file():
    parent, child = Log(pid=1, torch=(2, 8)).compile("0/0"), Log(pid=2, torch=(2, 8))
    child.names = dict(parent.names)  # as a fork inherits them
    child.compile("0/0")
    ours, theirs = read("".join(_mixed(parent, child)).encode())
    assert (ours.pid, theirs.pid) == (1, 2)
    assert theirs.compiles[0].stack == (Location("train.py", 7, "main"),) and not theirs.continues


def test_a_rank_that_comes_late_is_that_of_the_whole_process():
    log = Log().compile("0/0")
    log.rank = 5
    [process] = read(log.compile("1/0"))
    assert process.rank == 5 and len(process.compiles) == 2


def test_two_ranks_with_the_same_pid_are_two_processes():
    logs = [Log(pid=7, rank=rank).compile("0/0") for rank in (0, 1)]
    mixed = read("".join(_mixed(*logs)).encode())
    joined = read(bytes(logs[0]) + bytes(logs[1]))
    for processes in (mixed, joined):
        assert sorted((p.rank, len(p.compiles)) for p in processes if p.compiles) == [
            (0, 1),
            (1, 1),
        ]


def test_the_same_pid_that_numbers_names_again_is_another_process():
    log = Log().compile("0/0").compile("0/1", "0/0: n == 1")
    first, second = read(bytes(log) * 2)
    assert [c.id for c in first.compiles] == [c.id for c in second.compiles] == ["0/0", "0/1"]
    assert len(second.compiles[0].stages) == 3


def test_names_of_an_earlier_file_are_unknown_and_told():
    log = Log()
    log.names = {"train.py": 4}
    [process] = read(log.compile("0/0"))
    assert process.continues and process.compiles[0].stack == (Location("", 7, "main"),)


def test_the_same_id_after_a_reset_is_another_compile():
    log = (
        Log()
        .compile("0/0")
        .compile("0/1", "0/0: n == 1")
        .compile("0/0")
        .compile("0/1", "0/0: n == 2")
    )
    [process] = read(log)
    assert [c.id for c in process.compiles] == ["0/0", "0/1", "0/0", "0/1"]
    assert [c.reasons for c in process.compiles] == [[], ["0/0: n == 1"], [], ["0/0: n == 2"]]
    assert all(len(c.stages) == 3 for c in process.compiles)


def test_a_compile_that_never_ended_is_not_the_next_of_its_id():
    log = Log().event("B", "dynamo", "0/0").start("0/0").compile("0/0")
    [process] = read(log)
    assert [bool(c.metrics) for c in process.compiles] == [False, True]


def test_attempts_belong_to_one_compile():
    log = (
        Log()
        .start("0/0")
        .start("0/0", attempt=1)
        .guards("0/0", attempt=1)
        .metrics("0/0", attempt=1)
    )
    [process] = read(log)
    assert [c.attempts for c in process.compiles] == [2]


def test_later_metrics_and_a_backward_belong_to_their_compile():
    log = Log().compile("0/0").event("B", "entire_backward_compile", "0/0")
    log.event("E", "entire_backward_compile", "0/0")
    log.metrics("0/0", kind="bwd_compilation_metrics", is_forward=False)
    later: dict[str, Any] = {"attempt": None, "runtime_cudagraphify_time_us": 7}
    log.metrics("0/0", kind="compilation_metrics_runtime", **later)
    [compiled] = read(log)[0].compiles
    backward, runtime = compiled.later
    assert backward["is_forward"] is False and runtime["runtime_cudagraphify_time_us"] == 7
    assert compiled.stages[-1].name == "entire_backward_compile"


def test_the_envelope_is_trusted_before_the_metrics():
    [process] = read(Log().start("0/2").metrics("0/2", compile_id="0/1"))
    assert [c.id for c in process.compiles] == ["0/2"]


def test_an_id_of_compiled_autograd_is_as_torch_prints_it():
    log = Log().start("!1/0/2").metrics("!1/0/2").start("!1").metrics("!1")
    assert [c.id for c in read(log)[0].compiles] == ["!1/0/2", "!1"]


def test_breaks_errors_caches_and_symbols_are_kept():
    log = Log().start("0/0").artifact("dynamo_graph_break_reason", "Graph break: print", "0/0")
    log.artifact("dynamo_error", "Traceback", "0/0")
    log.artifact("fx_graph_cache_miss", {"key": "a"}, "0/0").artifact(
        "aotautograd_cache_bypass", {}, "0/0"
    )
    stack = [{"line": 4, "name": "f", "filename": log.name("model.py")}]
    symbol = {"symbol": "s0", "val": "4", "source": "L['n']", "user_stack": stack, "stack": stack}
    [compiled] = read(log.record("create_symbol", symbol, None, "0/0").metrics("0/0"))[0].compiles
    assert (compiled.breaks, compiled.errors) == (["Graph break: print"], ["Traceback"])
    assert compiled.caches == {"fx_graph_cache_miss": 1, "aotautograd_cache_bypass": 1}
    assert compiled.symbols == [{"symbol": "s0", "val": "4", "source": "L['n']"}]


def test_the_version_of_torch_is_that_of_its_own_record_or_of_the_metrics():
    record = Log(torch=(2, 8)).artifact("torch_version", {"pytorch_version": "2.14.0+cu130"})
    assert read(record)[0].torch == "2.14.0+cu130"
    assert read(Log(torch=(2, 10)).compile("0/0"))[0].torch == "2.10.0"
    assert read(Log(torch=(2, 8)).compile("0/0"))[0].torch == ""


def test_stages_of_no_compile_belong_to_the_process():
    log = Log().event("B", "import", None).event("E", "import", None)
    [process] = read(log)
    assert [(s.name, s.seconds) for s in process.stages] == [
        ("import", 0.5)
    ] and not process.compiles


def test_a_new_compile_is_told_once_while_the_log_grows():
    from esper_audit.traces.reader import Reader

    reader = Reader("trace.log")
    reader.feed(bytes(Log().compile("0/0")))
    reader.settle()
    assert [compiled.id for _, compiled in reader.new()] == ["0/0"]
    half = bytes(Log().compile("1/0"))
    reader.feed(half[:-300])
    assert reader.new() == []
    reader.feed(half[-300:])
    reader.settle()
    assert [compiled.id for _, compiled in reader.new()] == ["1/0"]
    assert reader.close()[0].damage == []


def _mixed(*logs: Log) -> list[str]:
    """Their records in turns, as processes write that share a file."""
    queues = [_records(log) for log in logs]
    return [records.pop(0) for _ in range(99) for records in queues if records]


def _records(log: Log) -> list[str]:
    records: list[str] = []
    for line in log.lines:
        if line.startswith("\t"):
            records[-1] += f"{line}\n"
        else:
            records.append(f"{line}\n")
    return records
