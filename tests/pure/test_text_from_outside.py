r"""A lone surrogate from outside loses nothing: it is written as an escape such as ``\udce9``."""

from __future__ import annotations

import os
import re
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
from builders import FRAME, audit, compiled, failure, program_audit, recording
from report_builders import report

from esper_audit.data.audits import ProgramReport
from esper_audit.data.baseline_file import dumps_baseline, load_baseline
from esper_audit.data.changes import Entry
from esper_audit.data.compiles import SkippedFrame
from esper_audit.data.notices import HookError
from esper_audit.data.reasons import Reason, Why, said
from esper_audit.data.recording import Environment, Program, Recording
from esper_audit.data.steps import Lookups
from esper_audit.data.storage import dumps, loads
from esper_audit.data.text import encodable, on_disk, to_json
from esper_audit.data.verdicts import AuditVerdict
from esper_audit.recording.journal import Journal, read_journal
from esper_audit.replay.plan import KeywordMatcher, parse_params
from esper_audit.report.formats import Format, render
from esper_audit.report.words.commands import shell
from esper_audit.torch_text.sources import frame_key

NAME = os.fsdecode(b"caf\xe9")
ESCAPED = r"caf\udce9"
ENTRY = {"torch": "2.13.0", "device": "cpu", "in_warm_up": 1, "after_warm_up": 0}
ENVIRONMENT = Environment("2.13.0", "3.11.7", "cpu", settings={"CACHE": NAME})
OUTSIDE = (
    recording(compiles=[compiled(0, label=NAME, guard_failures=(failure(expected=NAME),))]),
    recording(notes=(Reason(why=Why.REMARK, text=NAME),)),
    recording(program=Program(argv=(NAME,), folder=NAME, ended=f"RuntimeError: {NAME}")),
    recording(torch_counters={NAME: 1}),
    Recording(environment=ENVIRONMENT),
    report(audit(scenario=NAME, file=NAME, parameters={NAME: NAME}, question=NAME)),
    ProgramReport(audits=(program_audit(hook_errors=(HookError("x", NAME),)),), root=NAME),
)


class Label(str):
    """What a user may pass for a text."""


@pytest.mark.parametrize("document", OUTSIDE)
def test_a_lone_surrogate_anywhere_costs_no_document(document):
    found = loads(dumps(document), type(document))
    assert found == encodable(document)
    assert r"caf\\udce9" in to_json(found).decode()


@pytest.mark.parametrize("text", [NAME, "caf\udce9", Label("caf\udce9")])
def test_a_lone_surrogate_is_written_as_an_escape(text):
    assert encodable(text) == ESCAPED
    assert type(encodable(text)) is str


@pytest.mark.parametrize("text", ["", "café", "日本", "\x00", "\U0001f600", r"\udce9"])
def test_text_that_can_be_encoded_stays_as_it_is(text):
    assert encodable(text) is text


def test_data_without_a_lone_surrogate_is_not_copied():
    whole = recording(compiles=[compiled(0)])
    assert encodable(whole) is whole


def test_a_subclass_of_str_costs_no_recording():
    found = encodable(recording(compiles=[compiled(0, label=Label("epoch"))]))
    assert type(found.compiles[0].label) is str
    assert loads(dumps(found), Recording).compiles[0].label == "epoch"


def test_what_is_no_text_is_refused_as_before():
    with pytest.raises(TypeError):
        to_json({"x": object()})


def test_a_journal_holds_what_holds_a_surrogate(tmp_path):
    journal = Journal(tmp_path / os.fsdecode(b"r\xe9.json.partial"))
    journal.begin(recording(), Program(argv=(NAME,)))
    journal.note(SkippedFrame(replace(FRAME, name=NAME), NAME, None, True), Lookups())
    found = read_journal(journal.path.read_bytes())
    journal.remove()
    assert (found.program.argv, found.skips[0].reason) == ((ESCAPED,), ESCAPED)


def test_a_baseline_holds_what_holds_a_surrogate(tmp_path):
    path = tmp_path / os.fsdecode(b"b\xe9.json")
    entry = msgspec.convert({**ENTRY, "scenario": NAME, "reason": NAME}, Entry)
    path.write_bytes(dumps_baseline([entry]))
    assert load_baseline(path)[0].scenario == ESCAPED


def test_a_file_is_found_again_by_its_escaped_name(tmp_path):
    path = tmp_path / NAME
    path.write_text("")
    assert on_disk(encodable(str(path))) == str(path)


def test_sarif_names_the_bytes_of_a_file(tmp_path):
    whole = report(
        audit(AuditVerdict.FAILED, file=f"{tmp_path}/{NAME}.py"), root=f"{tmp_path}/{NAME}"
    )
    assert f"{tmp_path.as_uri()}/caf%E9/" in render(encodable(whole), Format.SARIF)


def test_a_file_that_is_named_like_an_escape_is_itself(tmp_path):
    path = tmp_path / ESCAPED
    path.write_text("")
    assert on_disk(str(path)) == str(path)


def test_the_key_of_a_frame_can_be_saved_and_found_again():
    assert frame_key(f"/p/{NAME}.py", "f", "/p") == f"{ESCAPED}.py:f"


def test_what_is_selected_by_its_name_is_found_under_its_escape():
    assert KeywordMatcher(NAME)(ESCAPED)
    assert parse_params([f"{NAME}={NAME}"]) == {ESCAPED: [ESCAPED]}


def test_a_command_line_names_the_bytes_of_a_name_for_a_shell():
    assert shell(["show", NAME]) == r"show $'caf\xe9'"


def test_an_error_whose_own_words_raise_has_its_name():
    class SilentError(Exception):
        def __str__(self):
            raise RuntimeError

    assert said(SilentError()) == "SilentError: "


def test_json_is_made_in_one_place():
    package = Path(__file__).parents[2] / "esper_audit"
    makers = [p.name for p in package.rglob("*.py") if re.search(r"json\.encode\(", p.read_text())]
    assert sorted(makers) == ["schema.py", "storage.py", "text.py"], "the schema is ours"


def test_every_document_survives_when_all_its_texts_are_hostile():
    body = msgspec.to_builtins(recording(compiles=[compiled(0)], program=Program(argv=("x",))))
    hostile = msgspec.convert(_spoilt(body), Recording)
    assert loads(dumps(hostile), Recording) == encodable(hostile)


def _spoilt(value):
    """Every text that no enumeration names, with a lone surrogate."""
    if isinstance(value, dict):
        return {key: _spoilt(held) for key, held in value.items()}
    if isinstance(value, list | tuple):
        return [_spoilt(held) for held in value]
    known = {"compiled", "steady", "compile", "unknown", "eager"}
    return f"{value}\udce9" if isinstance(value, str) and value not in known else value
