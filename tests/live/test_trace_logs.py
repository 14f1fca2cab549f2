"""The trace log of a run has the causes that recording the same run has."""

import os
from pathlib import Path

import pytest
from support import fresh_esper_audit

from esper_audit.data.recording import Recording
from esper_audit.data.storage import load
from esper_audit.diagnosis import judge_program
from esper_audit.report.words.changes import change, sources
from esper_audit.traces.reading import read_log
from esper_audit.traces.recordings import recording_of

PROGRAM = Path(__file__).parents[1] / "data" / "trace_logs" / "program.py"


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    """The recording, and that of the log which the same process wrote."""
    folder = tmp_path_factory.mktemp("trace")
    saved = folder / "saved.json"
    logs = folder / "logs"
    logs.mkdir()
    done = fresh_esper_audit(
        *("exec", "--save", str(saved), "--", str(PROGRAM), "numbers", "troubles"),
        env={**os.environ, "TORCH_TRACE": str(logs)},
    )
    assert done.returncode == 0, done.stderr
    [log] = [log for place in logs.iterdir() for log in read_log(str(place))]
    return load(saved, Recording), recording_of(log)


def causes(recording):
    return {
        (found.frame.key, found.id.value): (sources(found), change(found))
        for found in judge_program(recording).findings
        if found.pattern is not None
    }


def test_the_log_of_a_run_has_the_causes_of_its_recording(both):
    recorded, logged = map(causes, both)
    assert recorded.keys() == logged.keys()
    for key, (source, words) in recorded.items():
        told, new = logged[key]
        # Of an attempt that made no cache entry, a log has no new value.
        assert told == source
        assert new == words or new.endswith("not known")


def test_frames_of_a_log_are_those_of_the_recording(both):
    recorded, logged = (
        [(made.frame, made.outcome, made.cache_entries_before) for made in side.compiles]
        for side in both
    )
    assert logged == recorded
