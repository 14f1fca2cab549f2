"""Every format that a CI reads: valid, and with the line to change."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from typing import Any

import jsonschema
import msgspec
import pytest
from builders import audit, failure, judged, program_audit, told
from fix_builders import HOPELESS, LEVERS, fix, fix_report
from report_builders import BUFFER, CONTROL, failing, report, stale

from esper_audit.data.audits import ProgramReport
from esper_audit.data.changes import ComparisonReport, GateReport
from esper_audit.data.diagnoses import Diagnosis
from esper_audit.data.places import Frame, Location
from esper_audit.data.reasons import Reason, Why
from esper_audit.data.scans import (
    Pattern,
    ScanFinding,
    ScanReport,
    ScanWriter,
    SuppressionNote,
    SuppressionTrouble,
    UnreadFile,
)
from esper_audit.data.storage import json_schema
from esper_audit.data.verdicts import AuditVerdict, StepVerdict
from esper_audit.errors import UsageError
from esper_audit.gate import compare, hold_against, measure, verdict_of
from esper_audit.report.ci.cases import cases
from esper_audit.report.ci.places import line_of
from esper_audit.report.formats import Format, render

MACHINE = (Format.JSON, Format.MARKDOWN, Format.JUNIT, Format.SARIF, Format.GITHUB, Format.CONCISE)
WRITER = Location("/p/slot.py", 49, "LazyCache.write")
ACCEPT = "esper-audit gate --update-baseline"
PASSING = audit(scenario="rollout", parameters=BUFFER)


def written(whole):
    """The same audit with its writer known, as after a watched replay."""
    found = tuple(replace(finding, written_by=WRITER) for finding in whole.findings)
    return replace(whole, findings=found)


FAILING = written(failing("rollout", parameters=BUFFER))
ERROR = audit(
    AuditVerdict.ERROR, scenario="crash", reasons=(told("it raised"),), file="/p/checks/s.py"
)
SKIPPED = audit(AuditVerdict.SKIPPED, scenario="moves", reasons=(told("no accelerator"),))


def gate(now, before, **fields) -> GateReport:
    baseline = [entry for run in measure([report(*before)]) for entry in run.entries]
    results = hold_against(measure([report(*now)]), baseline)
    defaults = {
        "root": "/p",
        "baseline": "/p/esper-audit-baseline.json",
        "verdict": verdict_of(results),
        "results": results,
        "accept": ACCEPT,
    }
    return GateReport(**{**defaults, **fields})


BROKEN = gate([FAILING, PASSING_TOO := replace(PASSING, scenario="steady")], [PASSING, PASSING_TOO])
COMPARED = ComparisonReport(
    first="a.json",
    second="b.json",
    results=compare(measure([report(PASSING)]), measure([report(FAILING)])),
)
PROGRAM = ProgramReport(
    root="/p",
    audits=(program_audit(findings=FAILING.findings),),
)
SCAN = ScanReport(
    root="/p",
    findings=(
        ScanFinding(
            id=Diagnosis.FLOAT_SPECIALIZED,
            pattern=Pattern.FLOAT_IN_OPERATION,
            location=Location("/p/slot.py", 49, "Slot.forward"),
            subject="self.alpha",
            owner="Slot",
            operation="torch.lerp",
            way=(Location("/p/host.py", 7, "Host.forward"),),
            writers=(ScanWriter(location=Location("/p/train.py", 3, "train")),),
        ),
    ),
    unread=(UnreadFile(location=Location("/p/old.py", 2), said="invalid syntax"),),
    notes=(
        SuppressionNote(
            location=Location("/p/slot.py", 9),
            text="lazy-cache",
            trouble=SuppressionTrouble.UNUSED,
        ),
    ),
    files=2,
    lines=80,
)
DOCUMENTS: dict[str, Any] = {
    "run": report(FAILING, PASSING, ERROR, SKIPPED, stale()),
    "gate": BROKEN,
    "gate passed": gate([PASSING], [PASSING]),
    "gate without baseline": gate([PASSING, FAILING], []),
    "gate with an error": gate([ERROR, SKIPPED], [PASSING]),
    "comparison": COMPARED,
    "program": PROGRAM,
    "fix": fix_report(fix(), fix("rollout [hook]"), LEVERS, HOPELESS),
    "fix of nothing": fix_report(),
    "scan": SCAN,
    "scan of nothing": ScanReport(files=1, lines=3),
    "scan that read nothing": ScanReport(unread=SCAN.unread),
}


@pytest.mark.parametrize("name", DOCUMENTS)
@pytest.mark.parametrize("form", list(Format))
def test_every_kind_of_report_has_every_format(name, form):
    if form is Format.CHROME_TRACE and name not in ("run", "program"):
        with pytest.raises(UsageError, match="holds none"):
            render(DOCUMENTS[name], form)
        return
    text = render(DOCUMENTS[name], form)
    assert text.endswith("\n")
    assert "None" not in text.replace("None = None", "")


@pytest.mark.parametrize("form", [Format.PLAIN, *MACHINE])
def test_a_change_for_the_worse_names_the_line_that_wrote_the_state(form):
    text = render(BROKEN, form)
    assert "slot.py" in text
    assert "49" in text
    assert "float-specialized" in text


@pytest.mark.parametrize("form", [Format.RICH, Format.PLAIN, *MACHINE])
def test_every_format_holds_the_command_that_accepts_the_state(form):
    assert ACCEPT in render(BROKEN, form)


PAGED = ("run", "gate", "comparison", "program", "fix", "scan")
COMMAND = "esper-audit explain float-specialized"


@pytest.mark.parametrize("name", PAGED)
@pytest.mark.parametrize("form", [Format.RICH, Format.PLAIN, Format.MARKDOWN])
@pytest.mark.parametrize("verbosity", [0, 1])
def test_a_report_names_the_page_of_its_first_diagnosis_once(name, form, verbosity):
    assert render(DOCUMENTS[name], form, verbosity).count(COMMAND) == 1


@pytest.mark.parametrize("form", [Format.JUNIT, Format.GITHUB])
def test_each_problem_that_a_ci_shows_names_its_page(form):
    assert f"more: {COMMAND}" in render(BROKEN, form)


@pytest.mark.parametrize("name", ["gate passed", "gate with an error"])
def test_a_report_without_a_diagnosis_names_no_page(name):
    assert "esper-audit explain" not in render(DOCUMENTS[name], Format.PLAIN)


def junit(document):
    return ElementTree.fromstring(render(document, Format.JUNIT))


def test_junit_counts_each_audit_once_and_each_way():
    suites = junit(report(FAILING, PASSING, ERROR, SKIPPED, stale()))
    suite = suites.find("testsuite")
    counts = {key: suite.get(key) for key in ("tests", "failures", "errors", "skipped")}
    assert counts == {"tests": "5", "failures": "1", "errors": "1", "skipped": "1"}


def test_a_negative_control_that_was_caught_is_no_failure():
    whole = report(PASSING, stale(), control=CONTROL)
    assert [case.status.value for case in cases(whole).cases] == ["passed", "passed"]


def test_junit_holds_the_causes_and_the_line():
    case = junit(BROKEN).find("testsuite/testcase")
    assert (case.get("name"), case.get("classname")) == (
        "rollout [buffer]",
        "esper-audit.aot_eager",
    )
    assert (case.get("file"), case.get("line")) == ("slot.py", "49")
    failure_ = case.find("failure")
    assert "verdict: passed -> failed" in failure_.get("message")
    assert "self.alpha" in failure_.text


def test_junit_survives_what_xml_cannot_hold():
    odd = replace(ERROR, reasons=(told("bell \x07 and <tag> & \ud800 surrogate"),))
    case = junit(report(odd)).find("testsuite/testcase")
    assert "<tag> &" in case.find("error").get("message")


def test_github_annotations_sit_on_the_line_and_escape_what_they_hold(monkeypatch):
    monkeypatch.delenv("GITHUB_WORKSPACE", raising=False)
    lines = render(BROKEN, Format.GITHUB).splitlines()
    assert lines[0].startswith(
        "::error file=slot.py,line=49,title=esper-audit%3A float-specialized::"
    )
    assert "%0A" in lines[0]
    assert lines[-1].startswith("::notice title=esper-audit::Failed: 2 audits checked against")
    assert lines[-1].endswith(ACCEPT)
    assert all(line.startswith("::") for line in lines), "a line break would end an annotation"


def test_github_paths_are_those_of_the_workspace(monkeypatch):
    monkeypatch.setenv("GITHUB_WORKSPACE", "/")
    assert "file=p/slot.py" in render(BROKEN, Format.GITHUB)


def test_what_only_differs_in_the_environment_is_told_once():
    text = render(gate([PASSING, replace(PASSING, scenario="b")], []), Format.GITHUB)
    assert text.count("::error") == 1


def test_markdown_collapses_details_and_lets_no_value_become_markup():
    evil = failure(actual="<script>|`x`")
    found = tuple(replace(finding, values=(evil.actual,)) for finding in FAILING.findings)
    text = render(gate([replace(FAILING, findings=found)], [PASSING]), Format.MARKDOWN)
    assert text.startswith("<!-- esper-audit -->")
    assert "<script>" not in text and r"&lt;script&gt;\|\`x\`" in text
    whole = render(report(replace(FAILING, scenario="a|b <i>", findings=found)), Format.MARKDOWN)
    assert "<details>" in whole and whole.count("<details>") == whole.count("</details>")
    assert "<script>" not in whole and "<i>" not in whole
    rows = [line for line in whole.splitlines() if line.startswith("|")]
    assert rows and all(len(re.findall(r"(?<!\\)\|", row)) == 3 for row in rows)


def test_markdown_stays_within_what_a_comment_may_hold():
    many = [written(failing(f"scenario_{n}", parameters=BUFFER)) for n in range(400)]
    text = render(gate(many, [PASSING]), Format.MARKDOWN)
    assert len(text) <= 60_000
    assert text.count("<details>") == text.count("</details>")
    assert "more to look at" in text
    assert ACCEPT in text


def test_markdown_counts_what_passed_and_tells_each_failure():
    passing = [
        replace(PASSING, scenario=f"a_rather_long_name_of_a_scenario_{n}") for n in range(1500)
    ]
    text = render(gate([FAILING, *passing], [PASSING, *passing]), Format.MARKDOWN)
    assert len(text) <= 60_000
    assert "float-specialized" in text and ACCEPT in text
    assert "1,500 of 1,501 audits are as accepted" in text


@pytest.mark.parametrize("why", ["interrupted", "control_missed"])
def test_an_audit_that_proves_nothing_as_a_whole_is_an_error_in_every_format(why):
    run = report(PASSING, **{why: True}, verdict=AuditVerdict.ERROR)
    gated = gate([PASSING], [PASSING], doubt=told("it was interrupted"), verdict=AuditVerdict.ERROR)
    for document in (run, gated):
        assert junit(document).get("errors") == "1"
        log = json.loads(render(document, Format.SARIF))["runs"][0]
        assert log["invocations"] == [{"executionSuccessful": False}]
        assert "::error " in render(document, Format.GITHUB)
        assert "**! " in render(document, Format.MARKDOWN)


def test_a_run_that_may_not_fail_and_compares_nothing_is_no_pass():
    results = hold_against(measure([report(PASSING)]), [], ("worse",))
    document = GateReport(
        root="/p", baseline="/p/b.json", verdict=verdict_of(results), results=results
    )
    assert document.verdict is AuditVerdict.ERROR
    assert junit(document).get("errors") == "1"
    run = json.loads(render(document, Format.SARIF))["runs"][0]
    assert run["invocations"] == [{"executionSuccessful": False}]
    assert "::error " in render(document, Format.GITHUB)
    assert "**! " in render(document, Format.MARKDOWN)


def test_a_control_that_failed_in_another_way_is_a_failure():
    wrong = replace(stale(), steps=(judged(0, StepVerdict.EAGER),))
    assert cases(report(PASSING, wrong, control=CONTROL)).cases[1].status.value == "failed"


@pytest.mark.parametrize("name", ["gate", "comparison", "fix"])
def test_json_fits_the_published_schema(name):
    document = DOCUMENTS[name]
    schema = json_schema(type(document))
    jsonschema.Draft202012Validator(schema).validate(json.loads(render(document, Format.JSON)))


# --- the line to change ---

FINDING = FAILING.findings[0]
ELSEWHERE = Location("/venv/lib/site-packages/lib/mod.py", 7, "write")


@pytest.mark.parametrize(
    ("fields", "line"),
    [
        ({"written_by": WRITER}, 49),
        ({"written_by": ELSEWHERE, "user_line": Location("/p/m.py", 61)}, 61),
        ({"written_by": None, "user_line": Location("/p/m.py", 61)}, 61),
        (
            {
                "written_by": None,
                "called_from": Location("/p/train.py", 88),
                "user_line": Location("/p/m.py", 61),
                "no_writer": Reason(why=Why.IS_ARGUMENT),
            },
            88,
        ),
        ({"written_by": None, "user_line": None, "called_from": None}, 7),
        (
            {
                "written_by": ELSEWHERE,
                "user_line": None,
                "called_from": None,
                "frame": Frame("f", "/lib/f.py", 3, "f", "f"),
            },
            7,
        ),
    ],
)
def test_the_line_is_the_writer_then_the_call_of_an_argument_then_the_guard(fields, line):
    assert line_of(replace(FINDING, **fields), "/p").line == line


def test_code_that_was_made_at_run_time_is_in_no_file():
    nowhere = {
        "written_by": Location("", 0, "set_stance"),
        "user_line": Location("<eval_with_key>.3", 5),
        "called_from": None,
        "frame": Frame("f", "<string>", 1, "f", "f"),
    }
    assert line_of(replace(FINDING, **nowhere), "/p") is None


def test_saved_gates_can_be_read_again():
    from esper_audit.data.storage import dumps, loads

    assert loads(dumps(BROKEN), GateReport) == BROKEN
    assert msgspec.json.decode(dumps(BROKEN))["kind"] == "gate"


def test_no_two_formats_share_a_suffix():
    suffixes = [suffix for form in Format for suffix in form.suffixes]
    assert len(suffixes) == len(set(suffixes))
