"""SARIF, as code scanning reads it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import jsonschema
import pytest
from builders import FRAME
from fix_builders import AFTER, BEFORE, LEVERS, fix, fix_report, patched
from report_builders import report
from test_formats import BROKEN, DOCUMENTS, ERROR, FAILING, PASSING, WRITER, gate

from esper_audit.data import pages
from esper_audit.data.findings import Writer
from esper_audit.data.places import Location
from esper_audit.report.formats import Format, render

SCHEMA = json.loads((Path(__file__).parents[1] / "data" / "sarif-schema-2.1.0.json").read_text())


@pytest.mark.parametrize("name", DOCUMENTS)
def test_sarif_fits_the_official_schema(name):
    log = json.loads(render(DOCUMENTS[name], Format.SARIF))
    jsonschema.Draft202012Validator(SCHEMA).validate(log)


def test_the_schema_of_sarif_can_refuse():
    log = json.loads(render(BROKEN, Format.SARIF))
    log["runs"][0]["results"][0]["level"] = "grave"
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft202012Validator(SCHEMA).validate(log)


def test_sarif_points_at_the_line_relative_to_the_project():
    run = json.loads(render(BROKEN, Format.SARIF))["runs"][0]
    first = next(result for result in run["results"] if result["ruleId"] == "float-specialized")
    place = first["locations"][0]["physicalLocation"]
    assert place["artifactLocation"] == {"uri": "slot.py", "uriBaseId": "%SRCROOT%"}
    assert place["region"]["startLine"] == 49
    assert first["level"] == "error"
    assert run["tool"]["driver"]["rules"][first["ruleIndex"]]["id"] == "float-specialized"


def related(result):
    """Line and role of each related location of a result of SARIF."""
    found = result["relatedLocations"]
    assert [place["id"] for place in found] == list(range(1, len(found) + 1))
    places = (place["physicalLocation"]["region"]["startLine"] for place in found)
    return dict(zip(places, (place["message"]["text"] for place in found), strict=True))


def test_sarif_names_the_guard_and_the_caller_beside_the_line_to_change():
    run = json.loads(render(BROKEN, Format.SARIF))["runs"][0]
    result = next(r for r in run["results"] if r["ruleId"] == "float-specialized")
    assert related(result) == {61: "makes the guard", 9: "calls it", 7: "is compiled"}


def test_sarif_names_each_writer_and_each_call_once():
    writers = (
        Writer(WRITER, None, 3),
        Writer(Location("/p/b.py", 5), Location("/p/c.py", 6), 1),
    )
    callers = (Writer(Location("/p/d.py", 8), None, 2), Writer(Location("<string>", 1), None, 2))
    finding = replace(FAILING.findings[0], writers=writers, callers=callers)
    found = report(replace(FAILING, findings=(finding,)))
    [result] = json.loads(render(found, Format.SARIF))["runs"][0]["results"]
    assert related(result) == {
        61: "makes the guard",
        9: "calls it",
        7: "is compiled",
        5: "writes it: 1 recompile",
        6: "calls what writes it",
        8: "calls it: 2 recompiles",
    }


def rules_of(document):
    log = json.loads(render(document, Format.SARIF))
    return {rule["id"]: rule for rule in log["runs"][0]["tool"]["driver"]["rules"]}


def test_sarif_holds_the_page_of_each_diagnosis():
    rule = rules_of(BROKEN)["float-specialized"]
    page = "https://github.com/esper-audit/esper-audit/blob/main/docs/reference/diagnoses"
    assert rule["helpUri"] == f"{page}/float-specialized.md"
    assert rule["fullDescription"]["text"].startswith("A Python float is a constant in the")
    assert "esper-audit explain float-specialized" in rule["help"]["text"]
    markdown = rule["help"]["markdown"]
    assert "## How to fix it" in markdown
    assert f"[limit]({page}/eager-after-limit.md)" in markdown


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_rule_of_sarif_has_help(name):
    for rule in rules_of(DOCUMENTS[name]).values():
        assert rule["helpUri"].startswith("https://")
        assert all(rule["help"].values()) and rule["fullDescription"]["text"].endswith((".", ")"))


def test_a_damaged_installation_costs_the_help_of_sarif_alone(monkeypatch, tmp_path):
    monkeypatch.setattr(pages, "_FOLDERS", (tmp_path,))
    rule = rules_of(BROKEN)["float-specialized"]
    assert "update that with fill_" in rule["help"]["markdown"]


def test_sarif_fingerprints_do_not_change_with_line_numbers():
    def prints(whole):
        run = json.loads(render(whole, Format.SARIF))["runs"][0]
        return [result["partialFingerprints"] for result in run["results"]]

    moved = tuple(
        replace(finding, written_by=replace(WRITER, line=70), frame=replace(FRAME, line=99))
        for finding in FAILING.findings
    )
    edited = gate([replace(FAILING, findings=moved)], [PASSING])
    assert prints(edited) == prints(gate([FAILING], [PASSING]))


def fixed_by_sarif(document, before):
    """The text of a file with the replacements of its fix, as columns and lines count."""
    [result] = json.loads(render(document, Format.SARIF))["runs"][0]["results"]
    [change] = result["fixes"][0]["artifactChanges"]
    assert change["artifactLocation"] == {"uri": "host.py", "uriBaseId": "%SRCROOT%"}
    starts = [0, *(at + 1 for at, sign in enumerate(before) if sign == "\n"), len(before)]

    def place(region, end):
        return starts[region[f"{end}Line"] - 1] + region[f"{end}Column"] - 1

    for one in reversed(change["replacements"]):
        region = one["deletedRegion"]
        first, last = place(region, "start"), place(region, "end")
        before = before[:first] + one["insertedContent"]["text"] + before[last:]
    return before


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (BEFORE, AFTER),
        (BEFORE, f"import math\n{AFTER}# the end\n"),
        (BEFORE, BEFORE.replace("        self.alpha = 0.5\n", "")),
        ("a\nb", "a\nc"),
        ("a\nb\n", "b\n\tc  \n"),
    ],
)
def test_a_fix_of_sarif_replaces_what_the_patch_replaces(before, after):
    found = fix_report(fix("a", patched(before, after)))
    assert fixed_by_sarif(found, before) == after


def test_sarif_points_at_the_first_line_that_the_patch_changes():
    [result] = json.loads(render(fix_report(fix()), Format.SARIF))["runs"][0]["results"]
    assert result["locations"][0]["physicalLocation"]["region"] == {"startLine": 7}


def test_a_lever_is_no_fix_of_sarif():
    [result] = json.loads(render(fix_report(LEVERS), Format.SARIF))["runs"][0]["results"]
    assert "fixes" not in result
    assert "dynamic_sources" in result["message"]["text"]


def test_sarif_says_when_the_audit_was_not_completed():
    run = json.loads(render(gate([ERROR], [PASSING]), Format.SARIF))["runs"][0]
    assert run["invocations"] == [{"executionSuccessful": False}]
