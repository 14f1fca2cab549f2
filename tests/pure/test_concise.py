"""One line a problem, for grep, editors and problem matchers; and the places in it as links."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from builders import program_audit
from rich.console import Console
from rich.text import Text
from test_formats import ACCEPT, BROKEN, DOCUMENTS, FAILING, PASSING, gate

from esper_audit.data.audits import ProgramReport
from esper_audit.data.diagnoses import Diagnosis
from esper_audit.data.findings import BreakGroup, Finding, Pattern
from esper_audit.data.places import Frame, Location
from esper_audit.report.briefs import brief
from esper_audit.report.ci.problems import RULES
from esper_audit.report.formats import Format, print_document, print_lines, render
from esper_audit.report.text.links import Links, address_of, knows_links

ROOT = Path(__file__).parents[2]
HOW_TO = (ROOT / "docs/how-to/gate-a-pull-request.md").read_text()
FRAME = Frame("Host.forward", "/p/host.py", 7, "host.py:Host.forward", "Host.forward")


def lines(document):
    return render(document, Format.CONCISE).splitlines()


def test_a_cause_is_one_line_with_what_changed_and_what_it_cost():
    finding = Finding(
        id=Diagnosis.FLOAT_SPECIALIZED,
        frame=FRAME,
        source="self.alpha",
        expected="0.5",
        values=("0.1", "0.2"),
        pattern=Pattern.STORM,
        compiles=2,
        seconds=0.36,
        written_by=Location("/p/train.py", 12, "main"),
    )
    found = lines(ProgramReport(root="/p", audits=(program_audit(findings=(finding,)),)))
    assert found[0] == (
        "train.py:12: float-specialized: self.alpha 0.5 -> 0.1, 0.2 (2 recompiles, 0.36 s)"
    )


def test_the_answer_and_the_command_that_accepts_come_last():
    found = lines(BROKEN)
    assert found[-2:] == [
        "Failed: 2 audits checked against esper-audit-baseline.json; 1 got worse.",
        ACCEPT,
    ]
    assert found[0].endswith("(6 recompiles, 0.7 s; worse: new cause)")


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_line_of_a_problem_begins_with_its_place_and_its_rule(name):
    known = "|".join(map(re.escape, [*map(str, Diagnosis), *RULES]))
    whole = lines(DOCUMENTS[name])
    for line in whole[: -1 - (whole[-1] == ACCEPT)]:
        assert re.match(rf"(?:[^:]+:\d+|esper-audit): ({known}): (?!\1)\S", line), line


def test_a_pass_is_its_answer_alone():
    assert lines(gate([PASSING], [PASSING])) == [
        "Passed: 1 audit checked against esper-audit-baseline.json."
    ]


def test_what_is_no_cause_of_recompiles_names_the_code_and_why():
    finding = Finding(id=Diagnosis.GRAPH_BREAK, frame=FRAME, breaks=BreakGroup(called="print"))
    assert brief(finding) == "Host.forward: print"
    failed = Finding(id=Diagnosis.COMPILE_FAILED, frame=FRAME, attempts=2, raised=True)
    assert (
        brief(failed, "worse")
        == "Host.forward: 2 attempts failed: the call raised an error (worse)"
    )
    stale = Finding(id=Diagnosis.STALE_OUTPUT, frame=FRAME)
    assert brief(stale).startswith("Host.forward: the output of compiled code differs")


def test_a_line_break_in_a_name_makes_no_second_line():
    hostile = tuple(
        replace(finding, source="a\n::error::x", written_by=Location("/p/a\nb.py", 1))
        for finding in FAILING.findings
    )
    found = lines(gate([replace(FAILING, findings=hostile)], [PASSING]))
    assert len(found) == 3 and found[0].startswith(r"a\nb.py:1: float-specialized: a\n")


# --- paths, as an editor finds them ---


def here(folder):
    (folder / "slot.py").write_text("")
    found = tuple(
        replace(finding, written_by=Location(str(folder / "slot.py"), 49))
        for finding in FAILING.findings
    )
    return ProgramReport(root=str(folder), audits=(program_audit(findings=found),))


def test_a_file_is_named_from_the_project_on_where_that_is_the_current_folder(
    tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    assert lines(here(tmp_path))[0].startswith("slot.py:49: ")


def test_a_file_is_named_as_a_whole_from_any_other_folder(tmp_path, monkeypatch):
    (tmp_path / "inner").mkdir()
    monkeypatch.chdir(tmp_path / "inner")
    assert lines(here(tmp_path))[0].startswith(f"{tmp_path}/slot.py:49: ")


def test_a_folder_that_was_removed_costs_no_report(tmp_path, monkeypatch):
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    assert lines(here(tmp_path))[0].startswith(f"{tmp_path}/slot.py:49: ")


# --- what the how-to says ---


def read(pattern, text, flags=0):
    """The first group of a pattern that the text must have."""
    return next(re.finditer(pattern, text, flags))[1]


LINE = read(r"```text\n(checks\.py:16: .*)\n", HOW_TO)


def matchers():
    tasks = json.loads(read(r'tasks.json"\n(.*?)```', HOW_TO, re.DOTALL))
    matcher = json.loads(read(r'matcher.json"\n(.*?)```', HOW_TO, re.DOTALL))
    return [
        tasks["tasks"][0]["problemMatcher"]["pattern"],
        matcher["problemMatcher"][0]["pattern"][0],
    ]


@pytest.mark.parametrize("pattern", matchers())
def test_the_problem_matchers_of_the_how_to_read_each_line(pattern):
    for line, place in (
        (LINE, ["checks.py", "16"]),
        (lines(DOCUMENTS["program"])[0], ["slot.py", "49"]),
    ):
        found = next(re.finditer(pattern["regexp"], line))
        read_out = [found[pattern[key]] for key in ("file", "line", "code")]
        assert read_out == [*place, "float-specialized"]
        assert found[pattern["message"]].startswith("self.alpha 0.5 -> 0.1")
    assert [line for line in lines(BROKEN)[-2:] if re.match(pattern["regexp"], line)] == []


def test_the_errorformat_of_the_how_to_reads_each_line():
    form = read(r"errorformat=(\S+:)\\ %m,%-G%\.%#", HOW_TO)
    pattern = re.escape(form).replace("%f", "(.+?)").replace("%l", r"(\d+)")
    assert re.match(rf"{pattern} (.+)", LINE).groups()[:2] == ("checks.py", "16")


# --- links ---

KNOWN = {"TERM_PROGRAM": "vscode", "TERM": "xterm-256color"}


def console(**options):
    return Console(force_terminal=True, width=200, _environ=KNOWN, highlight=False, **options)


@pytest.mark.parametrize(
    ("environment", "knows"),
    [
        (KNOWN, True),
        ({"TERM": "xterm-kitty"}, True),
        ({"VTE_VERSION": "7200"}, True),
        ({"VTE_VERSION": "4600"}, False),
        ({"VTE_VERSION": "x"}, False),
        ({"WT_SESSION": "1"}, True),
        ({"TERM": "xterm"}, False),
        ({}, False),
        ({"FORCE_HYPERLINK": "1"}, True),
        ({**KNOWN, "FORCE_HYPERLINK": "0"}, False),
    ],
    ids=str,
)
def test_links_are_for_terminals_that_know_them(environment, knows):
    assert knows_links(console(), environment) is knows


@pytest.mark.parametrize(
    "options",
    [
        {"force_terminal": False},
        {"_environ": {**KNOWN, "NO_COLOR": "1"}},
        {"_environ": {"TERM": "dumb"}},
        {"legacy_windows": True},
    ],
    ids=["a pipe", "NO_COLOR", "dumb", "old Windows"],
)
def test_links_are_for_nothing_else(options):
    plain = {"force_terminal": True, "_environ": KNOWN, **options}
    assert not knows_links(Console(**plain), {**KNOWN, "FORCE_HYPERLINK": "1"})


def printed(document, form, monkeypatch, capsys):
    monkeypatch.setenv("FORCE_HYPERLINK", "1")
    if form is Format.RICH:
        print_document(document, console())
    else:
        print_lines(document, form, console())
    return capsys.readouterr().out


@pytest.mark.parametrize("form", [Format.RICH, Format.CONCISE])
def test_file_and_line_lead_to_the_file(form, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    out = printed(here(tmp_path), form, monkeypatch, capsys)
    links = re.findall(r"\x1b\]8;[^;]*;([^\x1b]+)\x1b\\(?:\x1b\[[\d;]*m)?([^\x1b]*)", out)
    assert (f"{(tmp_path / 'slot.py').as_uri()}#49", "slot.py:49") in links
    assert all((tmp_path / "slot.py").as_uri() in address for address, _ in links), "not there"


def test_a_report_looks_the_same_with_links(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    out = printed(here(tmp_path), Format.CONCISE, monkeypatch, capsys)
    plain = re.sub(r"\x1b\[[\d;]*m|\x1b\]8;[^\x1b]*\x1b\\", "", out)
    assert plain == render(here(tmp_path), Format.CONCISE)


@pytest.mark.parametrize("name", ["a b.py", "ä#?%.py", "x;y.py", "a\x1b]8;;z.py", "new\nline.py"])
def test_an_address_holds_nothing_that_ends_the_link(tmp_path, name):
    (tmp_path / name).write_text("")
    address = address_of(Location(name, 3), str(tmp_path))
    assert address.startswith("file:///") and address.endswith("#3")
    assert re.fullmatch(r"[!-~]+", address) and address.count("#") == 1


@pytest.mark.parametrize("name", ["gone.py", "\ud800.py", "a\x00b.py", "x" * 5000, ""])
def test_what_is_no_file_here_is_no_link(tmp_path, name):
    assert address_of(Location(name, 3), str(tmp_path)) == ""


def test_a_line_is_not_taken_for_the_beginning_of_another():
    text = Links({"a.py:1": "file:///a#1"}).add_to(Text("b/a.py:1 a.py:12 (a.py:1), xa.py:1"))
    [span] = text.spans
    assert (text.plain[span.start - 1 : span.end + 1], span.style.link) == (
        "(a.py:1)",
        "file:///a#1",
    )
