"""Damaged trace logs: what is lost is counted and named, and nothing else is lost."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from trace_builders import Log, read

from esper_audit.data.logs import DamageKind as Kind
from esper_audit.data.numbers import still_left
from esper_audit.data.recording import Recording
from esper_audit.data.storage import dumps, loads
from esper_audit.traces.process_log import ProcessLog
from esper_audit.traces.recordings import recording_of


def damage_of(data: bytes | Log) -> list[tuple[Kind, int, int]]:
    return [(d.kind, d.count, d.line) for log in read(data) for d in log.damage]


def ids(logs: list[ProcessLog]) -> list[str]:
    return [compiled.id for log in logs for compiled in log.compiles if compiled.metrics]


LOG = Log(rank=1).compile("0/0").compile("0/1", "0/0: n == 1", "0/0: m == 2").compile("1/0")
CONFIG = '{"recompile_limit": 8, "accumulated_recompile_limit": 256}'
RICH = Log(rank=1).compile("0/0", dynamo_config=CONFIG).compile("0/1", "0/0: n == 1")
LINES = LOG.text.splitlines(keepends=True)
GUARDS = next(i for i, line in enumerate(LINES) if "dynamo_cpp_guards_str" in line)


def changed(index: int, line: str) -> bytes:
    return "".join([*LINES[:index], line, *LINES[index + 1 :]]).encode()


def test_a_whole_log_has_no_damage():
    assert damage_of(LOG) == []


@pytest.mark.parametrize("number", ["1" + "0" * 30, str(sys.maxsize), "-9" * 12, "1e300"])
def test_a_recording_of_forged_numbers_can_be_saved_and_read(number):
    text = RICH.text
    for place in reversed([*re.finditer(r"(?<=: )-?\d+(?=[,}])", text)]):
        forged = text[: place.start()] + number + text[place.end() :]
        for log in read(forged.encode()):
            found = recording_of(log)
            assert loads(dumps(found), Recording) == found


def test_a_limit_that_is_none_leaves_as_many_recompiles_as_may_be_told():
    assert (still_left(sys.maxsize, 3), still_left(8, 3), still_left(8, 9)) == (2**53, 5, 0)


def test_a_record_that_is_no_json_is_named_by_its_line():
    assert damage_of(changed(GUARDS, LINES[GUARDS].replace("{}", "{,}"))) == [
        (Kind.NOT_JSON, 1, GUARDS + 1)
    ]


def test_a_known_record_of_another_form_is_named():
    log = Log().record("dynamo_start", ["none of torch's"], None, "0/0").compile("1/0")
    assert damage_of(log) == [(Kind.UNKNOWN_FORM, 1, 1)] and ids(read(log)) == ["1/0"]


@pytest.mark.parametrize("at", [float("nan"), float("inf"), -1.0, "now", None])
def test_an_event_without_a_time_is_of_no_known_form(at: object):
    log = (
        Log()
        .record("chromium_event", {}, {"name": "dynamo", "ts": at, "ph": "B"}, "0/0")
        .compile("1/0")
    )
    assert damage_of(log) == [(Kind.UNKNOWN_FORM, 1, 1)] and ids(read(log)) == ["1/0"]


def test_records_of_unknown_kinds_are_no_damage():
    log = Log().record("what_comes_next", {"a": [1]}, "text", "0/0")
    [process] = read(log)
    assert (process.records, process.damage) == (1, [])


def test_a_payload_that_was_changed_is_named_and_not_read():
    data = changed(GUARDS + 3, LINES[GUARDS + 3].replace("RootGuard", "RootGuerd"))
    assert damage_of(data) == [(Kind.OTHER_PAYLOAD, 1, GUARDS + 1)]
    assert read(data)[0].compiles[0].guards == ()


def test_a_payload_that_is_missing_is_named():
    lines = LINES[: GUARDS + 1] + [line for line in LINES[GUARDS + 1 :] if "\t" not in line]
    missing = sum("has_payload" in line for line in lines[GUARDS:]) - 1  # the last is cut off
    assert damage_of("".join(lines).encode())[0] == (Kind.NO_PAYLOAD, missing, GUARDS + 1)


def test_a_log_that_is_cut_off_is_named():
    for cut in (3, 50, 300):
        [(kind, count, _)] = damage_of(bytes(LOG)[:-cut])
        assert (kind, count) == (Kind.CUT_OFF, 1), cut


def test_a_beginning_that_is_missing_is_one_damage():
    data = "".join(LINES[GUARDS + 1 :]).encode()
    assert damage_of(data) == [(Kind.NOT_A_RECORD, 1, 1)] and ids(read(data)) == [
        "0/0",
        "0/1",
        "1/0",
    ]


@pytest.mark.parametrize(
    "stray", ["Traceback of somebody\n", "Very odd\n", "W1125 not a head\n", "\xff\n"]
)
def test_a_stray_line_inside_of_a_payload_costs_no_record(stray: str):
    data = "".join([*LINES[: GUARDS + 3], stray, *LINES[GUARDS + 3 :]]).encode()
    assert damage_of(data) == [(Kind.NOT_A_RECORD, 1, GUARDS + 4)]
    assert read(data)[0].compiles[0].guards == read(LOG)[0].compiles[0].guards


@pytest.mark.parametrize("end", ["\r\n", "\n\n"])
def test_other_ends_of_lines_are_no_damage(end: str):
    data = LOG.text.replace("\n", end).encode()
    assert damage_of(data) == [] and len(read(data)[0].compiles[0].guards) == 7


def test_a_prefix_with_a_time_is_left_out():
    lines = [
        f"2025-11-25T03:16:{number:02} {line}"
        for number, line in enumerate(Log().compile("0/0").lines)
    ]
    [log] = read("\n".join(lines).encode())
    assert log.damage == [] and len(log.compiles[0].guards) == 7


def test_the_prefix_of_a_launcher_is_left_out():
    ranks = [Log(pid=pid, rank=pid).compile("0/0").lines for pid in (0, 1)]
    lines = [
        f"[default{rank}]:{line}"
        for pair in zip(*ranks, strict=True)
        for rank, line in enumerate(pair)
    ]
    logs = read("\n".join(lines).encode())
    assert [log.damage for log in logs] == [[], []] and ids(logs) == ["0/0", "0/0"]
    assert logs[0].compiles[0].guards == logs[1].compiles[0].guards != ()


def test_a_record_that_begins_inside_of_a_line_is_read():
    ours, theirs = Log(pid=1).compile("0/0").text, Log(pid=2).compile("5/0").text
    for cut in (40, 300, len(ours) // 2, len(ours) - 30):
        logs = read((ours[:cut] + theirs + ours[cut:]).encode())
        assert "5/0" in ids([log for log in logs if log.pid == 2]), cut
        assert sum(damage.count for log in logs for damage in log.damage) >= 1


def test_text_without_a_record_is_damage_of_no_process():
    [log] = read(b"nothing\nof the kind\n")
    assert (log.pid, [(d.kind, d.count) for d in log.damage]) == (None, [(Kind.NOT_A_RECORD, 2)])
    assert read(b"") == []


def test_a_line_without_end_fills_no_memory(monkeypatch):
    monkeypatch.setattr("esper_audit.traces.lines.MOST_PAYLOAD", 1000)
    data = b"\0" * 5000 + b"\n" + bytes(LOG)
    assert damage_of(data) == [(Kind.NOT_A_RECORD, 1, 1)]
    assert ids(read(data, size=100)) == ids(read(LOG))


def test_a_payload_in_many_blocks_is_one(monkeypatch):
    monkeypatch.setattr("esper_audit.traces.lines.MOST_OPEN", 100)
    assert read(LOG, size=50) == read(LOG)


@given(st.data())
def test_damage_to_one_line_costs_that_record_alone(data: st.DataObject):
    """Bytes of one line become others: every compile whose records are all whole is read."""
    number = data.draw(st.integers(0, len(LINES) - 1))
    line = LINES[number].encode()[:-1]
    start = data.draw(st.integers(0, len(line) - 1))
    put = data.draw(st.binary(max_size=6).filter(lambda put: b"\n" not in put))
    odd = line[:start] + put + line[start + data.draw(st.integers(0, 6)) :]
    raw = b"".join(
        [
            *(part.encode() for part in LINES[:number]),
            odd + b"\n",
            *(part.encode() for part in LINES[number + 1 :]),
        ]
    )
    logs = read(raw, size=data.draw(st.sampled_from([64, 1000, 1 << 20])))
    records = sum(log.records for log in logs)
    assert records >= sum(line.startswith("V") for line in LINES) - 1
    if not LINES[number].startswith("V"):
        assert ids(logs) == ids(read(LOG))


@given(st.binary(max_size=300), st.integers(0, len(bytes(LOG))), st.integers(0, 400))
def test_damage_anywhere_never_raises(put: bytes, start: int, length: int):
    whole = bytes(LOG)
    logs = read(whole[:start] + put + whole[start + length :], size=777)
    for log in logs:
        assert all(damage.count for damage in log.damage)


def test_every_kind_of_damage_is_documented():
    page = (Path(__file__).parents[2] / "docs/reference/trace-logs.md").read_text()
    assert [kind for kind in Kind if f"| `{kind.value}` |" not in page] == []
