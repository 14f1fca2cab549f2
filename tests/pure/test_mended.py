"""The table of what fix makes of each diagnosis' example, and the line of each page."""

from __future__ import annotations

import pytest
from builders import audit
from edited import finding
from mended import MENDED, PAGES, levers, line_of, patches

from esper_audit.data.diagnoses import Diagnosis
from esper_audit.data.findings import Pattern
from esper_audit.data.remedies import Cause, Remedy
from esper_audit.remedies.levers import levers_for
from esper_audit.remedies.patches import PATCHES


def test_the_table_has_each_diagnosis_once():
    assert sorted(MENDED) == sorted(map(str, Diagnosis))


@pytest.mark.parametrize("diagnosis", Diagnosis)
def test_each_page_says_what_fix_tries(diagnosis):
    section = (PAGES / f"{diagnosis}.md").read_text().partition("## How to fix it")[2]
    assert section.partition("\n## ")[0].endswith(f"\n\n{line_of(diagnosis)}\n")


@pytest.mark.parametrize("diagnosis", patches())
def test_each_patch_of_the_table_is_registered(diagnosis):
    known = {patch.id: patch.diagnoses for patch in PATCHES}
    through = {"compile-refused": "size-changed", "eager-after-limit": "float-specialized"}
    assert through.get(diagnosis, diagnosis) in known[patches()[diagnosis]]


@pytest.mark.parametrize("diagnosis", levers())
def test_each_lever_of_the_table_is_tried(diagnosis):
    found = finding(diagnosis, "self.mode", pattern=Pattern.SINGLE)
    cause = Cause(id=diagnosis, frame=found.frame, source=found.source)
    made = levers_for(cause, audit(findings=(found,)))
    assert levers()[diagnosis] in {one.id for one in made if isinstance(one, Remedy)}
