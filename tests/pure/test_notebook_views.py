"""The page in a frame of a cell, and a report that is kept up to date while a cell runs."""

from __future__ import annotations

import time
from dataclasses import replace
from html.parser import HTMLParser
from types import SimpleNamespace

import IPython.display
import pytest
from builders import compiled, failure, recording

import esper_audit
from esper_audit.api import LiveRecording
from esper_audit.data.audits import ProgramReport
from esper_audit.data.compiles import Outcome
from esper_audit.data.storage import save
from esper_audit.diagnosis import judge_program
from esper_audit.errors import MissingPackageError, UsageError
from esper_audit.integrations.notebook import live, page
from esper_audit.report.formats import Format, render

HOSTILE = '"><script>parent.alert(1)</script><iframe srcdoc="&quot;'
AGAIN = compiled(None, Outcome.RECOMPILED, sequence=1, guard_failures=(failure(actual=HOSTILE),))
RECORDED = recording((), (compiled(None), AGAIN))


class Tags(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))


def shown(view):
    return view._repr_mimebundle_()["text/html"]


def test_a_frame_holds_the_page_and_lets_its_script_reach_nothing_else():
    [(tag, attributes)] = Tags(shown(page(RECORDED, height=300))).found
    report = ProgramReport(audits=(judge_program(RECORDED),), root=esper_audit.api.folder())
    assert tag == "iframe" and attributes["sandbox"] == "allow-scripts"
    assert attributes["srcdoc"] == render(report, Format.HTML)
    assert "height:300px" in (attributes["style"] or "")


def test_a_saved_file_has_a_page_too(tmp_path):
    save(RECORDED, tmp_path / "kept.json")
    assert shown(page(tmp_path / "kept.json")) == shown(page(RECORDED))
    with pytest.raises(UsageError, match="can't be read"):
        page(tmp_path / "missing.json")


def test_what_shows_no_html_says_what_it_is():
    assert repr(page(RECORDED)) == "<page of ProgramReport>"
    said = page(RECORDED)._repr_mimebundle_()["text/plain"]
    assert said == "<page of ProgramReport>"


class Live(LiveRecording):
    """A recording of what a test says that torch does."""

    def __init__(self):
        super().__init__()
        self.held = recording()

    def __enter__(self):
        self._recorder = SimpleNamespace(recording=lambda: self.held)  # type: ignore[assignment]
        self._state = "recording"
        return self

    def __exit__(self, *error):
        self._state = "ended"

    def compiles_now(self, made):
        self.held = replace(self.held, compiles=(*self.held.compiles, made))
        self._tally.note(made)


@pytest.fixture
def cell(monkeypatch):
    """What a cell shows, one after the other."""
    outputs: list[str] = []
    update = SimpleNamespace(update=lambda view: outputs.append(repr(view)))

    def display(view, display_id):
        outputs.append(repr(view))
        return update

    monkeypatch.setattr(IPython.display, "display", display)
    monkeypatch.setattr(esper_audit, "record", lambda **_: Live())
    return outputs


def wait_for(outputs, number):
    until = time.monotonic() + 20
    while len(outputs) < number and time.monotonic() < until:
        time.sleep(0.005)


def test_a_cell_shows_what_is_compiled_while_it_runs_and_how_it_ended(cell):
    with live(every=0.005) as recorded:
        recorded.compiles_now(compiled(None))  # type: ignore[attr-defined]
        wait_for(cell, 2)
        time.sleep(0.05)  # nothing new: nothing is shown
        recorded.compiles_now(AGAIN)  # type: ignore[attr-defined]
        wait_for(cell, 3)
    assert cell == [
        "<LiveRecording: 0 compiles, 0 recompiles, 0 causes, recording>",
        "<LiveRecording: 1 compile, 0 recompiles, 0 causes, recording>",
        "<LiveRecording: 2 compiles, 1 recompile, 1 cause, recording>",
        "<LiveRecording: 2 compiles, 1 recompile, 1 cause, ended>",
    ]


def test_a_cell_that_raises_shows_what_was_recorded_until_then(cell):
    with pytest.raises(ValueError, match="own"), live(every=9) as recorded:
        recorded.compiles_now(compiled(None))  # type: ignore[attr-defined]
        raise ValueError("own")
    assert cell[-1] == "<LiveRecording: 1 compile, 0 recompiles, 0 causes, ended>"


def test_a_live_view_without_ipython_says_what_to_install(monkeypatch):
    monkeypatch.setattr("esper_audit.integrations.notebook.find_spec", lambda _: None)
    with pytest.raises(MissingPackageError, match="ipython is not installed") as refused, live():
        pass
    assert refused.value.hint == "pip install 'ipython'"
