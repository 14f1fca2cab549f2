"""Saved files come back equal; broken ones are refused with what to do."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest
from builders import ENVIRONMENT, audit, compiled, failure, judged, recording, step

from esper_audit.data import storage
from esper_audit.data.audits import ClaimResult, Report
from esper_audit.data.compiles import DeferredWork, GraphBreak, Outcome, SkippedFrame
from esper_audit.data.expectations import Claim, Control, Question
from esper_audit.data.notices import HookError, LostEvidence, Unrecognized
from esper_audit.data.places import Location
from esper_audit.data.reasons import Reason, Why
from esper_audit.data.recording import Recording
from esper_audit.data.steps import Observation
from esper_audit.data.storage import KINDS, check_writable, dumps, json_schema, load, loads, save
from esper_audit.data.verdicts import AuditVerdict, ClaimStatus, StepVerdict
from esper_audit.errors import UsageError

FULL = recording(
    [step(0, hits=1, misses=2)],
    [
        compiled(
            0,
            Outcome.RECOMPILED,
            guard_failures=(failure(user_line=Location("a.py", 3, "f")),),
            graph_breaks=(GraphBreak("print", Location("a.py", 4)),),
            stack=(Location("b.py", 5, "main"),),
        )
    ],
    deferred=(DeferredWork("backward", "0/0", 0, 0.5),),
    skips=(SkippedFrame(compiled(0).frame, "disabled", None, True),),
    observations=(Observation("claim", True, "seen"),),
    unrecognized=(Unrecognized("guard", "odd ✓"),),
    hook_errors=(HookError("compile", "Traceback"),),
    lost=(LostEvidence("torch._x", "2.99", "lookups"),),
    torch_counters={"unique_graphs": 1},
    notes=(Reason(why=Why.REMARK, text="a note"),),
)
REPORT = Report(
    environment=ENVIRONMENT,
    verdict=AuditVerdict.FAILED,
    audits=(audit(AuditVerdict.FAILED, steps=(judged(0, StepVerdict.EAGER),)),),
    claims=(ClaimResult(Claim("c", "text"), "aot_eager", ClaimStatus.REFUTED),),
    question=Question("Does it?", {"alpha": "lazy"}),
    control=Control({"alpha": "never"}),
    columns="alpha",
)


def test_a_recording_comes_back_equal(tmp_path):
    save(FULL, tmp_path / "r.json")
    assert load(tmp_path / "r.json", Recording) == FULL


def test_a_report_comes_back_equal(tmp_path):
    save(REPORT, tmp_path / "r.json")
    assert load(tmp_path / "r.json", Report) == REPORT


def test_a_saved_report_fits_the_published_schema():
    schema = json_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(json.loads(dumps(REPORT)), schema)


def test_the_schema_refuses_a_report_without_version():
    broken = json.loads(dumps(REPORT))
    del broken["schema_version"]
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(broken, json_schema())


@pytest.mark.parametrize("kind", KINDS)
def test_each_published_schema_is_that_of_this_version(kind):
    published = Path(__file__).parents[2] / f"docs/reference/{kind}.schema.json"
    assert json.loads(published.read_text()) == json_schema(KINDS[kind]), "run: ./dev schemas"


def test_the_saved_form_holds_what_readers_rely_on():
    data = json.loads(dumps(REPORT))
    assert data["schema_version"] == 2
    assert {"torch", "python", "device"} <= data["environment"].keys()
    saved = data["audits"][0]
    wanted = {"scenario", "parameters", "backend", "verdict", "reasons", "steps", "recording"}
    assert wanted | {"graph_breaks", "findings"} <= saved.keys()
    assert {"compiles", "lookups", "environment"} <= saved["recording"].keys()
    assert {"step", "verdict", "because"} <= saved["steps"][0].keys()
    assert {"index", "phase", "label"} <= saved["steps"][0]["step"].keys()


def changed(**fields) -> bytes:
    return json.dumps(json.loads(dumps(REPORT)) | fields).encode()


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "is not JSON"),
        (dumps(REPORT)[:200], "is not JSON"),
        (b"[]", "is not a file of esper-audit"),
        (b"{}", "is not a file of esper-audit"),
        (changed(schema_version=99), "uses format 99; this version reads only format 2"),
        (changed(schema_version=0), "uses format 0; this version reads only format 2"),
        (changed(kind="recording"), "holds a recording, not a report"),
        (changed(kind="baseline"), "holds a baseline, not a report"),
        (changed(kind=[]), "is not a file of esper-audit: its kind is '[]'"),
        (changed(schema_version="2"), "its schema_version is no number"),
        (changed(schema_version=True), "its schema_version is no number"),
        (
            changed(verdict="splendid"),
            "does not fit format 2: verdict: invalid enum value 'splendid'",
        ),
    ],
)
def test_a_broken_file_is_refused_by_name_and_reason(data, message):
    with pytest.raises(UsageError) as caught:
        loads(data, Report, "file.json")
    assert "file.json" in str(caught.value)
    assert message in str(caught.value)


def test_a_byte_order_mark_changes_nothing():
    assert loads(b"\xef\xbb\xbf" + dumps(REPORT), Report) == REPORT


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(UsageError, match="can't be read: No such file"):
        load(tmp_path / "none.json", Report)


def test_a_place_that_cannot_be_written_is_refused_before_the_run(tmp_path):
    with pytest.raises(UsageError, match="can't be written"):
        check_writable(tmp_path / "no" / "r.json")
    with pytest.raises(UsageError, match="is a folder"):
        check_writable(tmp_path)


def test_a_link_is_followed_and_a_pipe_is_written_to(tmp_path):
    real, link = tmp_path / "real.json", tmp_path / "link.json"
    real.write_text("old")
    link.symlink_to(real)
    save(REPORT, link)
    assert link.is_symlink()
    assert load(real, Report) == REPORT
    save(REPORT, Path(os.devnull))
    assert not Path(os.devnull).is_file()


def test_a_failed_write_leaves_the_old_file_and_no_other(tmp_path, monkeypatch):
    target = tmp_path / "r.json"
    save(REPORT, target)
    before = target.read_bytes()

    def full(*_args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(UsageError, match="No space left on device"):
        save(REPORT, target)
    assert target.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["r.json"]


def test_an_error_without_a_number_is_told_by_its_own_words(tmp_path, monkeypatch):
    def replaced(*_: object, **__: object) -> None:
        raise OSError("no files today")

    monkeypatch.setattr(storage, "whole", replaced)
    with pytest.raises(UsageError, match="no files today"):
        storage.read(tmp_path / "x.json")


_TWO_THREADS = """
import sys, threading
from pathlib import Path
from esper_audit.data.recording import Recording
from esper_audit.data.storage import load

sys.setswitchinterval(1e-6)
both = threading.Barrier(2)


def read():
    both.wait()
    # One write: that of print() is two, and the threads would mix them.
    sys.stdout.write(load(Path(sys.argv[1]), Recording).environment.torch + chr(10))


threads = [threading.Thread(target=read) for _ in range(2)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
"""


def test_two_threads_read_the_first_file_of_a_kind(tmp_path):
    save(FULL, tmp_path / "a.json")
    command = [sys.executable, "-c", _TWO_THREADS, str(tmp_path / "a.json")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stdout.split()) == (0, [ENVIRONMENT.torch] * 2), done.stderr
