"""Nothing that a program, a file or a name holds steers who shows it: a terminal, a job, a reader."""

from __future__ import annotations

import io
import json
import re
import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from html.parser import HTMLParser
from itertools import groupby

import html_parts
import pytest
from builders import audit, told
from hostile import CONTROL, ENCODABLE, HOSTILE, live_in_markdown
from report_builders import failing, report
from rich.console import Console
from test_formats import FAILING, PASSING, gate

from esper_audit.cli import main
from esper_audit.cli.output import shown
from esper_audit.data.audits import Report
from esper_audit.data.clean import clean, clean_lines
from esper_audit.data.json_text import json_text
from esper_audit.data.storage import dumps, loads
from esper_audit.data.verdicts import AuditVerdict
from esper_audit.report.ci.problems import Case, Cases, Problem, Status
from esper_audit.report.export import export_report, html_fragment
from esper_audit.report.formats import Format, render
from esper_audit.report.sections import Closing, Section, Span, Table

ORDINARY = [
    "für",
    "e\u0301",
    "漢字",
    "👩‍🚀 👨‍👩‍👧 ❤️",
    "می‌خواهم",
    "नमस्ते",
    "→ ✓",
    "c10::Error",
    "a.py::test[x]",
    "\xa0\u3000",
]


@pytest.mark.parametrize("text", ORDINARY)
def test_the_letters_of_every_script_stay_as_they_are(text):
    assert clean(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b]0;title\x07", r"\x1b]0;title\x07"),
        ("\x9b31m\x7f\0", r"\x9b31m\x7f\x00"),
        ("a\r\nb\x85c\u2028d", r"a\r\nb\x85c\u2028d"),
        ("\u202eevil\u2066\u200b\ufeff", r"\u202eevil\u2066\u200b\ufeff"),
        ("half \ud800 of a pair", r"half \ud800 of a pair"),
        ("pass\u200dword", r"pass\u200dword"),
        ("\U000e0041", r"\U000e0041"),
        ("a\tb", "a   b"),
        ("::error::no", r"\x3a:error::no"),
        ("x ::set-output name=a::b", r"x \x3a:set-output name=a::b"),
        ("folded::error file=a::b", r"folded\x3a:error file=a::b"),
        ("##vso[task.complete]", r"\x23#vso[task.complete]"),
    ],
)
def test_what_steers_is_shown_as_an_escape(text, shown):
    assert clean(text) == shown
    assert clean(shown) == shown, "cleaning twice changes nothing"


def test_lines_that_are_meant_stay_lines():
    assert clean_lines("one\r\ntwo\x1b\n::error::") == "one\ntwo\\x1b\n\\x3a:error::"


def test_no_part_of_a_page_holds_what_steers():
    assert Span("\x1b").text == r"\x1b"
    assert Section("\x1b", ()).title == Table((), ("\x1b",)).heads[0] == r"\x1b"
    assert Closing(lead="\x1b", command="\x1b").command == r"\x1b"


def test_no_part_of_a_case_holds_what_steers():
    problem = Problem("rule", "\x1b", True, details=("\x1b",), key=("\x1b",))
    case = Case("\x1b", "\x1b", Status.FAILED, "\x1b", (problem,))
    assert "\x1b" not in repr(Cases("\x1b", (case,), "\x1b", "\x1b"))


def test_json_escapes_what_steers_and_reads_back_equal():
    value = {
        "text": "".join(chr(code) for code in range(0x3000) if not 0xD800 <= code < 0xE000)
        + "\U000e0041"
    }
    assert json.loads(json_text(value)) == value
    assert not re.search("[\x7f-\x9f\u202e\u2028\U000e0041]", json_text(value))


def test_json_holds_no_command_for_what_runs_jobs():
    value = {"##[error]": "x ##vso[task.x] ###[y] # ## a#b"}
    assert json.loads(json_text(value)) == value
    assert not re.search(r"##\w*\[", json_text(value))


def hostile(text: str) -> Report:
    """A report that holds a text wherever one may stand."""
    odd = audit(
        AuditVerdict.ERROR,
        scenario=text,
        question=text,
        file=text,
        backend=text,
        parameters={text: text},
        reasons=(told(text),),
        log=text,
    )
    broken = failing(text, parameters={"alpha": text}, backend=text)
    frame = replace(broken.findings[0].frame, name=text, file=text, key=text)
    found = tuple(
        replace(finding, frame=frame, source=text, values=(text,), sources=(text,))
        for finding in broken.findings
    )
    return report(odd, replace(broken, findings=found), root=text, columns="alpha")


@pytest.mark.parametrize(
    "form", [form for form in Format if form not in (Format.RICH, Format.JSON)]
)
@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("verbosity", [-1, 0, 1])
def test_no_format_holds_what_steers(form, text, verbosity):
    made = render(hostile(text), form, verbosity)
    assert not CONTROL.search(made)
    assert not [
        line
        for line in made.splitlines()
        if form is not Format.GITHUB and line.lstrip().startswith(("::", "##["))
    ]
    if form is Format.JUNIT:
        ElementTree.fromstring(made)
    if form is Format.SARIF:
        json.loads(made)
    if form is Format.GITHUB:
        assert all(re.match("::(error|notice) (file|title)=", line) for line in made.splitlines())


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("verbosity", [-1, 0, 1])
def test_nothing_in_markdown_is_live(text, verbosity):
    made = render(hostile(text), Format.MARKDOWN, verbosity)
    assert live_in_markdown(made) == []
    gated = gate([FAILING], [PASSING], accept=f"esper-audit gate --update-baseline {text}")
    assert live_in_markdown(render(gated, Format.MARKDOWN, verbosity)) == []


@pytest.mark.parametrize(
    "text", ["@a", "<b>", "[l](http://a.b)", "#1", "x\n\n    y", "https://a.b"]
)
def test_the_check_of_markdown_can_fail(text):
    assert live_in_markdown(text)


def test_a_name_stays_in_its_cell_whatever_it_holds():
    for text in HOSTILE:
        made = render(hostile(text), Format.MARKDOWN, 1).splitlines()
        for is_table, rows in groupby(made, lambda row: row.startswith("|")):
            cells = {len(re.findall(r"(?<!\\)(?:\\\\)*\|", row)) for row in rows}
            assert not is_table or len(cells) == 1


@pytest.mark.parametrize("text", HOSTILE)
def test_a_terminal_gets_no_sequence_but_colours(text):
    made = re.sub(r"\x1b\[[0-9;]*m", "", render(hostile(text), Format.RICH, 1))
    assert not CONTROL.search(made)


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()

    def handle_starttag(self, tag, attrs):  # noqa: ARG002
        self.tags.add(tag)


@pytest.mark.parametrize("text", HOSTILE)
def test_exports_are_well_formed_whatever_a_report_holds(text):
    whole = hostile(text)
    svg, page, plain = (
        export_report(whole, suffix, 100, 1) for suffix in (".svg", ".html", ".txt")
    )
    ElementTree.fromstring(svg)
    html_parts.check(page)
    assert not any(CONTROL.search(made) for made in (svg, page, plain))


@pytest.mark.parametrize("text", ENCODABLE)
def test_what_is_saved_is_faithful_and_steers_nobody(text):
    whole = hostile(text)
    assert loads(dumps(whole), Report) == whole
    assert json.loads(dumps(whole))["root"] == text
    assert not CONTROL.search(dumps(whole).decode())


@pytest.mark.parametrize("text", HOSTILE)
def test_what_a_notebook_shows_is_no_html_of_the_program(text):
    for made in (html_fragment(text), html_fragment(hostile(text))):
        parsed = _Tags()
        parsed.feed(made)
        assert parsed.tags <= {"pre", "span"}
        assert not CONTROL.search(made)
    assert "ok :smile: [red]" in html_fragment("ok :smile: [red]")


def test_nothing_that_a_program_says_is_markup():
    stream = io.StringIO()
    Console(file=stream).print(shown("[red]no[/red] :smile: [link=file:///x]x[/link]"))
    assert stream.getvalue() == "[red]no[/red] :smile: [link=file:///x]x[/link]\n"


def test_an_error_message_steers_no_terminal(monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["esper-audit", "show", "\x1b[2Jno\u202e\r::error::.json"])
    with pytest.raises(SystemExit, match="2"):
        main()
    assert r"\x1b[2Jno\u202e\r" in capsys.readouterr().err
