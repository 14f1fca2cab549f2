"""Made up inputs: each is read and shown in any format, or refused in words; nothing else happens.

`HYPOTHESIS_PROFILE=long` makes ten times as many.
"""

from __future__ import annotations

import json
import os
import re
import time
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from builders import FRAME, compiled, recording
from forging import ANYTHING, forged
from hostile import CONTROL, ENCODABLE, live_in_markdown
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from test_formats import FAILING
from trace_checks import checked

from esper_audit.data.audits import ProgramReport, Report
from esper_audit.data.baseline_file import dumps_baseline, load_baseline
from esper_audit.data.clean import clean, clean_lines
from esper_audit.data.compiles import SkippedFrame, Stance
from esper_audit.data.config import load_config
from esper_audit.data.json_text import json_text
from esper_audit.data.recording import Program
from esper_audit.data.steps import Lookups
from esper_audit.data.storage import Document, dumps, loads
from esper_audit.errors import UsageError
from esper_audit.gate import measure
from esper_audit.gating import Baseline, compare_saved, gate
from esper_audit.program.saved import load_report
from esper_audit.recording.journal import Journal
from esper_audit.report.export import export_report
from esper_audit.report.formats import Format, render

settings.register_profile(
    "tests",
    max_examples=300,
    derandomize=True,
    deadline=None,  # other processes may have the cores; see _LONGEST
    database=None,
    suppress_health_check=list(HealthCheck),
)
settings.register_profile(
    "long", settings.get_profile("tests"), max_examples=3000, derandomize=False
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "tests"))

pytestmark = pytest.mark.filterwarnings("ignore::hypothesis.errors.HypothesisWarning")
"""Of a long example, which only a failure prints."""

_LONGEST = 5.0
"""Seconds of CPU for one case; the usual one takes a hundredth."""

_COLOURS = re.compile(r"\x1b\[[0-9;]*m")


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("fuzz")


def read(reader: Callable[[Path], Any], path: Path, data: bytes) -> Any:
    """What a reader makes of a file; None where it refuses it, in words."""
    path.write_bytes(data)
    began = time.process_time()
    try:
        return reader(path)
    except UsageError as error:
        said = f"{error} {error.hint}"
        assert (
            len(str(error)) > 20
            and "Traceback" not in said
            and "$[" not in said
            and "`$" not in said
        )
        return None
    finally:
        assert time.process_time() - began < _LONGEST


def check(text: str, form: str) -> None:
    """That a report is of its format, whatever it holds, and steers nobody."""
    assert not CONTROL.search(_COLOURS.sub("", text) if form == "rich" else text)
    assert len(text) < 20_000_000
    if form in ("junit", "svg"):
        ElementTree.fromstring(text)
    elif form in ("json", "sarif"):
        json.loads(text)
    elif form == "chrome-trace":
        checked(text)
    elif form == "markdown":
        assert live_in_markdown(text) == []
    elif form == "github":
        assert all(
            line.startswith(("::error ", "::notice ", "::warning ")) for line in text.splitlines()
        )
    else:
        assert not [line for line in text.splitlines() if line.lstrip().startswith(("::", "##["))]


def shown(document: Document, form: str, verbosity: int) -> None:
    began = time.process_time()
    if form == "chrome-trace" and not isinstance(document, Report | ProgramReport):
        with pytest.raises(UsageError, match="holds none"):
            render(document, Format.CHROME_TRACE)
    elif form in ("svg", "html", "txt"):
        check(export_report(document, f".{form}", 100, verbosity), form)
    else:
        known = {member.value: member for member in Format}
        check(render(document, known[form], verbosity), form)
    assert time.process_time() - began < _LONGEST


FORMS = st.sampled_from([*[form.value for form in Format] * 3, "svg", "html", "txt"])


@given(forged(), FORMS, st.sampled_from([-1, 0, 1]))
def test_a_forged_document_is_shown_or_refused(folder, raw, form, verbosity):
    document = read(load_report, folder / "forged.json", json.dumps(raw).encode())
    if document is not None:
        shown(document, form, verbosity)


@given(forged(), FORMS)
def test_a_forged_document_is_compared_and_held_against_a_baseline_or_refused(folder, raw, form):
    path = folder / "forged.json"
    document = read(load_report, path, json.dumps(raw).encode())
    if isinstance(document, Report | ProgramReport):
        entries = [entry for run in measure([document]) for entry in run.entries]
        gated = gate([document], Baseline(folder / "b.json", entries), ("worse", "new"), "/p")
        shown(gated.report, form, 0)
        shown(compare_saved(path, path), form, 1)
        again = read(load_baseline, folder / "b.json", dumps_baseline(entries))
        assert again is None or list(again) == entries


@given(forged())
def test_what_was_read_of_a_forged_document_is_saved_and_read_equal(folder, raw):
    document = read(load_report, folder / "forged.json", json.dumps(raw).encode())
    if document is not None:
        assert loads(dumps(document), type(document)) == document


_BASELINE = json.loads(
    dumps_baseline(
        [
            entry
            for run in measure(
                [
                    Report(
                        environment=FAILING.recording.environment,
                        verdict=FAILING.verdict,
                        audits=(FAILING,),
                    )
                ]
            )
            for entry in run.entries
        ]
    )
)


@given(st.data())
def test_a_forged_baseline_is_read_or_refused(folder, data):
    raw = json.loads(json.dumps(_BASELINE))
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, len(raw) - 1))
        if not isinstance(raw[place], dict) or not raw[place]:
            continue
        key = data.draw(st.sampled_from(sorted(raw[place])))
        raw[place][key] = data.draw(ANYTHING)
        if data.draw(st.booleans()):
            raw.insert(place, raw[data.draw(st.integers(0, len(raw) - 1))])
    entries = read(load_baseline, folder / "b.json", json.dumps(raw).encode())
    if entries is not None:
        run = Report(
            environment=FAILING.recording.environment, verdict=FAILING.verdict, audits=(FAILING,)
        )
        for form in ("plain", "markdown", "junit", "github", "sarif"):
            shown(
                gate([run], Baseline(folder / "b.json", entries), ("worse", "new"), "/p").report,
                form,
                1,
            )


@pytest.fixture(scope="module")
def journal(folder) -> bytes:
    found = Journal(folder / "r.json.partial")
    found.begin(recording(), Program(argv=("train.py",)))
    for event in (
        compiled(0),
        SkippedFrame(FRAME, "why", None, True),
        Stance("force_eager", None),
        compiled(1),
    ):
        found.note(event, Lookups(1, 1))
    content = (folder / "r.json.partial").read_bytes()
    found.remove()
    return content


LINES = st.one_of(
    st.binary(max_size=30),
    st.sampled_from(
        [
            b"[]",
            b"1",
            b"null",
            b'"x"',
            b"{}",
            b"\xff\xfe",
            b"[" * 5000,
            b'{"compiles": 1}',
            b'{"lookups": []}',
        ]
    ),
    ANYTHING.map(lambda value: json.dumps({"compiles": value}).encode()),
    ANYTHING.map(lambda value: json.dumps({"lookups": value, "skips": value}).encode()),
)


@given(
    st.lists(st.tuples(st.integers(0, 6), LINES), min_size=1, max_size=4),
    st.integers(0, 400),
    st.booleans(),
)
def test_a_damaged_journal_is_read_or_refused(folder, journal, damage, cut, is_cut):
    lines = journal.split(b"\n")
    for place, line in damage:
        lines[place % len(lines)] = line
    data = b"\n".join(lines)
    document = read(
        load_report, folder / "d.json.partial", data[: -cut or None] if is_cut else data
    )
    if document is not None:
        shown(document, "plain", 1)


@given(
    st.one_of(
        st.binary(max_size=200),
        st.text(max_size=200).map(str.encode),
        st.sampled_from(
            [b"[" * 10**6, b'{"a":' * 10**5, b"9" * 10**6, b"\0" * 1000, b'"\\ud800"', b"1e999"]
        ),
    ),
    st.sampled_from(["x.json", "x.json.partial"]),
)
def test_bytes_that_are_no_file_of_ours_are_refused(folder, data, name):
    for reader in (load_report, load_baseline):
        assert read(reader, folder / name, data) is None


_KEYS = (
    "paths",
    "pythonpath",
    "columns",
    "backends",
    "params",
    "tolerances",
    "time-limit",
    "question",
    "control",
    "budget",
    "baseline",
    "x",
)
_TOML = st.one_of(
    st.sampled_from(
        [
            "1",
            "-1",
            "nan",
            "inf",
            "1e400",
            "0.5",
            "true",
            '""',
            '"a"',
            "[]",
            "[1]",
            '["a"]',
            "{}",
            '{a = "b"}',
            '{a = ["b"]}',
            "9" * 400,
            "1979-05-27",
            "{compiles = -1}",
            "{text = 1}",
            "[[]]",
            "{params = {}}",
            "{a = [0.1, nan]}",
        ]
    ),
    st.sampled_from(ENCODABLE).map(lambda text: json.dumps(text, ensure_ascii=True)),
)


@given(st.dictionaries(st.sampled_from(_KEYS), _TOML, max_size=4))
def test_a_configuration_is_read_or_refused(folder, table):
    lines = ["[tool.esper-audit]", *(f"{key} = {value}" for key, value in table.items())]
    read(
        lambda path: load_config(path.parent), folder / "pyproject.toml", "\n".join(lines).encode()
    )


@given(st.binary(max_size=100))
def test_bytes_that_are_no_toml_are_refused(folder, data):
    read(
        lambda path: load_config(path.parent),
        folder / "pyproject.toml",
        b"[tool.esper-audit]\n" + data,
    )


@given(st.text(max_size=200))
def test_clean_is_clean_and_hides_no_letter(text):
    made = clean(text)
    assert not CONTROL.search(made) and clean(made) == made
    assert not CONTROL.search(clean_lines(text).replace("\n", ""))
    letters = iter(made)
    assert all(letter in letters for letter in text if letter.isalnum()), "in their order"


@given(
    st.recursive(
        st.none() | st.text() | st.integers(-(2**53), 2**53),
        lambda held: st.lists(held) | st.dictionaries(st.text(), held),
        max_leaves=5,
    )
)
def test_json_is_equal_when_it_is_read(value):
    with suppress(UnicodeEncodeError):
        json.dumps(value, ensure_ascii=False).encode()
        assert json.loads(json_text(value)) == value
    assert not CONTROL.search(json_text(value))
