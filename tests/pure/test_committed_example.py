"""The committed page and timeline are of the reference suite as its baseline accepts it.

``./dev example`` writes them.
"""

from __future__ import annotations

import json
import re
from collections import Counter

import pytest
from trace_checks import checked, spans
from walk import ROOT

EXAMPLES = ROOT / "docs/examples"
PAGE = (EXAMPLES / "reference.html").read_text(encoding="utf-8")
TIMELINE = (EXAMPLES / "reference.trace.json").read_text(encoding="utf-8")


def accepted():
    """Of each audit of the baseline, by its title: verdict, compiles in and after warm-up."""
    entries = json.loads((ROOT / "esper-audit-baseline.json").read_text())
    found = {}
    for entry in entries:
        if "verdict" in entry and (entry["torch"], entry["backend"]) == ("2.13.0", "aot_eager"):
            values = "-".join(entry["parameters"].values())
            title = f"{entry['scenario']} [{values}]" if values else entry["scenario"]
            found[title] = (entry["verdict"], entry["in_warm_up"], entry["after_warm_up"])
    return found


def test_the_timeline_shows_what_the_baseline_accepts():
    events = checked(TIMELINE)
    titles, verdicts = (
        {event["pid"]: event["args"][arg] for event in events if event["name"] == f"process_{arg}"}
        for arg in ("name", "labels")
    )
    made = spans(events, "compiled") + spans(events, "recompiled")
    compiles = Counter((event["pid"], event["args"]["phase"]) for event in made)
    shown = {
        title: (verdicts[pid], compiles[pid, "warm-up"], compiles[pid, "steady"])
        for pid, title in titles.items()
    }
    assert shown == accepted()


def test_each_compile_of_the_timeline_has_its_stages_and_each_recompile_its_cause():
    events = checked(TIMELINE)
    made = spans(events, "compiled") + spans(events, "recompiled")
    stages = {(event["pid"], event["ts"]) for event in spans(events, "stage")}
    for event in made:
        end = event["ts"] + event["dur"]
        inside = (at for pid, at in stages if pid == event["pid"])
        assert any(event["ts"] <= at <= end for at in inside)
    assert all(event["args"]["cause"]["diagnosis"] for event in spans(events, "recompiled"))


def test_the_page_shows_each_audit_that_the_baseline_accepts():
    titles = re.findall(r"<(?:figcaption|summary)>([^:<]+): <span class=", PAGE)
    assert sorted(titles) == sorted(accepted())


@pytest.mark.parametrize("text", [PAGE, TIMELINE], ids=["page", "timeline"])
def test_an_example_is_small_and_names_no_folder_of_a_machine(text):
    assert len(text.encode()) < 1_200_000
    assert not re.search(r"(?<![\w.])/(?:home|root|tmp|work|Users|usr|opt|mnt|private)/\w", text)
