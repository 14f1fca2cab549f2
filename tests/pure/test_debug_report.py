"""What ranks answer to the page of torch's debug server becomes one report, escaped."""

from __future__ import annotations

from dataclasses import replace

import pytest
from builders import compiled, failure, recording

from esper_audit.data.compiles import Outcome
from esper_audit.data.recording import Program
from esper_audit.data.storage import dumps
from esper_audit.diagnosis.ranks import missing_ranks
from esper_audit.integrations import debug_page
from esper_audit.integrations.debug_page import as_html, as_text, recorded, report
from esper_audit.recording import marks


def answer(rank, size=2, value="'b'", **fields):
    program = Program(argv=("train.py",), rank=rank, world_size=size)
    made = failure(source="mode", expected="'a'", actual=value, torch_source="mode")
    compiles = [compiled(0), compiled(1, Outcome.RECOMPILED, guard_failures=(made,))]
    found = replace(recording(compiles=compiles, complete=False), program=program, **fields)
    return True, dumps(found).decode()


def test_ranks_that_did_the_same_are_told_once():
    found = report([answer(0), answer(1)])
    assert len(found.audits) == 1
    assert found.classes[0].ranks == (0, 1)
    assert not missing_ranks(found)


@pytest.mark.parametrize(
    ("lost", "said"),
    [
        ((False, "ConnectionError: refused"), "ConnectionError: refused"),
        ((False, ""), "nothing records in this process"),
        ((True, "{}"), "is not a file of esper-audit"),
        ((True, "{"), "is not JSON"),
        ((False, "Traceback\n  <script>alert(1)</script>"), "Traceback"),
    ],
    ids=str,
)
def test_a_rank_that_does_not_answer_is_named_with_the_reason(lost, said):
    answers = [answer(0), lost]
    assert said in as_text(answers)
    page = as_html(answers)
    assert said in page
    assert "<script>alert" not in page
    assert "rank 1" in as_text(answers)


def test_values_of_a_program_are_escaped_on_the_page():
    page = as_html([answer(0, 1, "'<img src=x onerror=alert(1)>'")])
    assert "<img src=x" not in page
    assert "&lt;img src=x" in page


def test_a_process_without_a_recording_says_so():
    assert recorded() is None


def test_the_latest_recording_of_the_process_is_the_answer(monkeypatch):
    class Recorder:
        def __init__(self, found):
            self.found = found

        def recording(self):
            return self.found

        def mark_step(self, label):
            del label

        def mark_steady(self):
            pass

    monkeypatch.setenv("RANK", "3")
    monkeypatch.setenv("WORLD_SIZE", "8")
    outer, inner = Recorder(recording()), Recorder(recording(compiles=[compiled(0)]))
    for one in (outer, inner):
        marks.listen(one)
    try:
        text = recorded()
    finally:
        for one in (outer, inner):
            marks.forget(one)
    found = report([(True, text or "")])
    assert (found.audits[0].rank, len(found.audits[0].recording.compiles)) == (3, 1)
    assert missing_ranks(found) == ("0 to 2", "4 to 7")


def test_importing_the_page_needs_no_torch_and_no_server():
    assert debug_page.PATH == "/recompiles"
