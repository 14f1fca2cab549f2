"""What a notebook shows: the recording's own words, the report as HTML, cells by their numbers."""

from __future__ import annotations

import sys
from dataclasses import replace
from types import SimpleNamespace
from xml.etree import ElementTree

import pytest
from builders import FRAME, compiled, failure, recording
from IPython.core.compilerop import CachingCompiler

import esper_audit
from esper_audit.api import LiveRecording
from esper_audit.data.audits import ProgramReport
from esper_audit.data.compiles import GraphBreak, Outcome
from esper_audit.data.places import Location
from esper_audit.data.steps import Lookups
from esper_audit.diagnosis import judge_program
from esper_audit.recording.cells import cells, in_cells
from esper_audit.report.formats import Format, render

KERNEL_FILE = "/tmp/ipykernel_7/41.py"
RECOMPILE = compiled(
    1, Outcome.RECOMPILED, guard_failures=(failure(actual="<b>&amp;</b>"),), sequence=1
)
RECORDED = recording((), (compiled(0), RECOMPILE), lookups=Lookups(3, 2))


class Kernel(CachingCompiler):
    """As in ipykernel/compiler.py, which makes up a path in place of a name."""

    def get_code_name(self, *_):
        return KERNEL_FILE


@pytest.fixture
def shell(monkeypatch):
    """IPython's own compiler after two cells: one as in a terminal, one as in a notebook."""
    terminal, kernel = CachingCompiler(), Kernel()
    name = terminal.cache("x = 1", 3)
    kernel._filename_map[name] = 3
    kernel.cache("y = 1", 12)
    ipython = SimpleNamespace(get_ipython=lambda: SimpleNamespace(compile=kernel))
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    return name


def started(made=RECORDED):
    live = LiveRecording()
    live._recorder = SimpleNamespace(recording=lambda: made)  # type: ignore[assignment]
    live._state = "recording"
    return live


def test_a_recording_says_in_short_what_it_holds():
    assert repr(esper_audit.record()) == "<LiveRecording: not started>"
    assert repr(started()) == "<LiveRecording: 2 compiles, 1 recompile, 1 cause, recording>"
    assert repr(started(recording())) == (
        "<LiveRecording: 0 compiles, 0 recompiles, 0 causes, recording>"
    )


def test_a_recording_that_has_not_begun_refuses_to_be_read():
    with pytest.raises(RuntimeError, match="Nothing is recorded yet"):
        _ = esper_audit.record().result


def text_of(html):
    root = ElementTree.fromstring(html)
    assert {part.tag for part in root.iter()} <= {"pre", "span"}, "nothing but text and its style"
    return "".join(root.itertext())


def test_a_notebook_shows_the_report_that_a_terminal_shows(monkeypatch):
    html = started()._repr_html_()
    assert "<b>" not in html and "class=" not in html
    report = ProgramReport(audits=(judge_program(RECORDED),), root=esper_audit.api.folder())
    in_terminal = render(report, Format.PLAIN, width=100)
    lines = [line.rstrip() for line in text_of(html).strip().splitlines()]
    assert lines == [line.rstrip() for line in in_terminal.strip().splitlines()]
    assert "<b>&amp;</b>" in text_of(html)


def test_a_report_is_made_in_a_notebook_without_being_shown_line_by_line(monkeypatch):
    def shown(*_):
        raise AssertionError("rich has shown a line in the cell")

    monkeypatch.setattr("rich.console._is_jupyter", lambda: True)
    monkeypatch.setattr("rich.jupyter.display", shown)
    live, report = started(), ProgramReport(audits=(judge_program(RECORDED),))
    assert "self.alpha" in live._repr_html_() and "self.alpha" in render(report, Format.RICH)


def test_a_notebook_shows_that_a_recording_has_not_begun():
    assert text_of(esper_audit.record()._repr_html_()).strip() == "<LiveRecording: not started>"


def test_tab_completion_lists_the_public_names():
    assert dir(esper_audit) == sorted(esper_audit.__all__)
    wanted = ["audit", "compiles", "eager_frames", "findings", "frames", "hits", "recompiles"]
    assert dir(esper_audit.record()) == [*wanted, "report", "result", "save", "totals"]


def test_cells_are_known_by_the_files_that_ipython_makes_up(shell):
    assert shell.startswith("<ipython-input-3-")
    assert cells() == {shell: "Cell [3]", KERNEL_FILE: "Cell [12]"}


@pytest.mark.parametrize(
    "module",
    [
        SimpleNamespace(),
        SimpleNamespace(get_ipython=lambda: None),
        SimpleNamespace(get_ipython=lambda: SimpleNamespace()),
        SimpleNamespace(get_ipython=lambda: SimpleNamespace(compile=compile)),
    ],
    ids=["half imported", "no shell", "no compiler", "another compiler"],
)
def test_without_a_shell_there_are_no_cells(monkeypatch, module):
    monkeypatch.setitem(sys.modules, "IPython", module)
    assert cells() == {}


def test_ipython_is_never_imported(monkeypatch):
    monkeypatch.delitem(sys.modules, "IPython", raising=False)
    assert cells() == {} and "IPython" not in sys.modules


def test_every_place_of_a_recording_names_the_cell(shell):
    frame = replace(FRAME, file=KERNEL_FILE, key=f"../..{KERNEL_FILE}:Host.forward")
    broken = GraphBreak("print", Location(KERNEL_FILE, 5, "forward"))
    made = compiled(
        0,
        frame=frame,
        graph_breaks=(broken,),
        reason=f'File "{shell}", line 2',
        torch_reasons=(f"x == 1  # mp{KERNEL_FILE[4:]}:7 in forward",),
    )
    seen = in_cells(recording((), (made,)), cells())
    [compile_] = seen.compiles
    assert (compile_.frame.file, compile_.frame.key) == ("Cell [12]", "Cell [12]:Host.forward")
    assert compile_.graph_breaks[0].location == Location("Cell [12]", 5, "forward")
    assert compile_.torch_reasons == ("x == 1  # Cell [12]:7 in forward",)
    assert compile_.reason == 'File "Cell [3]", line 2'


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("x  # ipykernel_7/41.py:10 in forward", "x  # Cell [12]:10 in forward"),
        ("x  # /tmp/ipykernel_7/41.py:10", "x  # Cell [12]:10"),
        ("ipykernel_7/41.py", "Cell [12]"),
        ("'a/b/ipykernel_7/41.py'", "'Cell [12]'"),
        ("my_ipykernel_7/41.py", "my_ipykernel_7/41.py"),
        ("ipykernel_7/410py", "ipykernel_7/410py"),
    ],
)
def test_a_cell_is_found_with_and_without_its_folder(text, seen):
    assert in_cells((text,), {KERNEL_FILE: "Cell [12]"}) == (seen,)


def test_a_report_says_the_line_of_a_cell():
    broken = GraphBreak("print", Location("Cell [12]", 5, "forward"))
    made = compiled(0, frame=replace(FRAME, file="Cell [12]"), graph_breaks=(broken,))
    said = render(ProgramReport(audits=(judge_program(recording((), (made,))),)), Format.PLAIN)
    assert "at Cell [12], line 5 in forward" in said
