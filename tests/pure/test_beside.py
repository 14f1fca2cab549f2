"""A timeline beside a profile of the same process: one clock, and nothing of the profile lost."""

from __future__ import annotations

import gzip
import json

import pytest
from builders import compiled, program_audit
from trace_checks import spans

from esper_audit.data.audits import ProgramReport
from esper_audit.data.stages import Seconds
from esper_audit.errors import UsageError
from esper_audit.report.export import export_beside
from esper_audit.report.timeline.beside import beside

BEGAN = 1_795_000_000.25
COMPILE = compiled(0, at=1.0, seconds=Seconds(0.5))
AUDIT = program_audit(compiles=(COMPILE,), began_at=BEGAN, seconds=2.0)
REPORT = ProgramReport(audits=(AUDIT,))
CALL = {"ph": "X", "cat": "user_annotation", "name": "call", "pid": 71, "tid": 71, "dur": 6e5}


def profile(base=1_790_857_026_000_000_000, **changed):
    """A trace as torch 2.13 exports it, whose one event begins 0.95 s after the recording did."""
    at = (round(BEGAN * 1e9) + 950_000_000 - base) / 1000
    head = {"schemaVersion": 1, "baseTimeNanoseconds": base, "deviceProperties": []}
    spans_entry = {"ph": "M", "name": "process_sort_index", "pid": "Spans", "tid": 0, "ts": at}
    return {**head, "traceEvents": [spans_entry, {**CALL, "ts": at}], **changed}


def written(folder, content, name="profile.json"):
    path = folder / name
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def merged(path):
    """The whole trace, and the profile's event and the compile in it."""
    trace = json.loads(beside(REPORT, path))
    events = spans(trace["traceEvents"])
    return trace, *(next(e for e in events if e["name"] == name) for name in ("call", NAME))


NAME = "compile Host.forward"


def lies_inside(compile_, call):
    began = (compile_["ts"] - call["ts"]) / 1e6
    return began == pytest.approx(0.05, abs=1e-6) and compile_["dur"] == pytest.approx(5e5)


def test_a_compile_lies_in_the_call_of_the_profile(tmp_path):
    given = profile()
    trace, call, compile_ = merged(written(tmp_path, given))
    assert lies_inside(compile_, call)
    assert trace["traceEvents"][:2] == given["traceEvents"]
    assert {name: trace[name] for name in given if name != "traceEvents"} == {
        name: given[name] for name in given if name != "traceEvents"
    }
    assert compile_["pid"] not in (71, "Spans")


@pytest.mark.parametrize("form", ["absolute times", "no base", "only events", "packed"])
def test_every_form_of_a_profile_is_read(tmp_path, form):
    given = profile(base=0)
    if form == "no base":
        del given["baseTimeNanoseconds"]
    path = written(tmp_path, given["traceEvents"] if form == "only events" else given)
    if form == "packed":
        path.write_bytes(gzip.compress(path.read_bytes()))
    _, call, compile_ = merged(path)
    assert lies_inside(compile_, call)


def test_recordings_of_another_time_are_left_out(tmp_path):
    later = program_audit(compiles=(COMPILE,), began_at=BEGAN + 3600, seconds=2.0)
    text = beside(ProgramReport(audits=(later, AUDIT)), written(tmp_path, profile()))
    assert len([e for e in spans(json.loads(text)["traceEvents"]) if e["name"] == NAME]) == 1


@pytest.mark.parametrize(
    ("began", "said"),
    [
        (BEGAN + 60, "the audit began 58.5 s after the profile ended"),
        (BEGAN - 60, "the profile began 59.5 s after the audit ended"),
        (None, "does not say when it began"),
    ],
)
def test_an_audit_of_another_time_is_refused(tmp_path, began, said):
    other = program_audit(compiles=(COMPILE,), began_at=began, seconds=2.0)
    path = written(tmp_path, profile())
    with pytest.raises(UsageError, match=said):
        beside(ProgramReport(audits=(other,)), path)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "no trace"),
        ("{}", "no trace"),
        ('{"traceEvents": 3}', "no trace"),
        ('{"traceEvents": [3]}', "no trace"),
        ('{"traceEvents": []}', "no event with a time"),
        ('{"traceEvents": [{"ph": "X", "ts": "soon"}]}', "no event with a time"),
        (json.dumps(profile())[:-9], "no trace"),
        ("[" * 100_000, "no trace|can't be read"),
    ],
)
def test_what_is_no_profile_is_refused(tmp_path, content, said):
    path = written(tmp_path, content)
    with pytest.raises(UsageError, match=said):
        beside(REPORT, path)


def test_a_file_that_is_cut_off_or_not_there_is_refused(tmp_path):
    path = tmp_path / "profile.json.gz"
    with pytest.raises(UsageError, match="can't be read"):
        beside(REPORT, path)
    path.write_bytes(gzip.compress(json.dumps(profile()).encode())[:-12])
    with pytest.raises(UsageError, match="can't be read"):
        beside(REPORT, path)


def test_a_name_that_ends_in_gz_is_packed(tmp_path):
    path = written(tmp_path, profile())
    packed = export_beside(REPORT, path, "both.json.gz")
    assert gzip.decompress(packed) == export_beside(REPORT, path, "both.json")
    with pytest.raises(UsageError, match="can't be exported"):
        export_beside(REPORT, path, "both.html")
