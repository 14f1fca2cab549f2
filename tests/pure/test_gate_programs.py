"""Recorded programs at the gate: what they are keyed by, and when they prove nothing."""

from __future__ import annotations

from dataclasses import replace

import pytest
from builders import ENVIRONMENT, FRAME, compiled, program_audit
from report_builders import BUFFER, failing

from esper_audit.data.audits import ProgramAudit, ProgramReport
from esper_audit.data.changes import ComparisonReport
from esper_audit.data.diagnoses import Diagnosis
from esper_audit.data.findings import FrameSummary
from esper_audit.data.notices import HookError
from esper_audit.data.recording import Program
from esper_audit.data.steps import Phase
from esper_audit.data.verdicts import AuditVerdict
from esper_audit.gate import compare, hold_against, measure, verdict_of
from esper_audit.report.formats import Format, render
from esper_audit.report.words.reasons import all_in_words

FAILING = failing(scenario="rollout", count=3, parameters=BUFFER)


def program(**fields) -> ProgramAudit:
    defaults = {
        "environment": ENVIRONMENT,
        "program": Program(argv=("train.py", "-x"), ended="exit 0", exit_code=0),
        "compiles": (compiled(None, graph_runs=3),),
        "frames": (FrameSummary(frame=FRAME, compiles=1),),
    }
    return program_audit(**{**defaults, **fields})


def of_program(*audits, **fields):
    return measure([ProgramReport(audits=audits, **fields)])


def test_a_program_is_keyed_by_its_command_line_and_rank():
    assert of_program(program())[0].subject.scenario == "train.py -x"
    ranked = program(program=Program(argv=("train.py",), exit_code=0, rank=1))
    assert of_program(ranked)[0].subject.scenario == "train.py (rank 1)"


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"compiles": (), "frames": ()}, "no compiled code ran"),
        ({"complete": False}, "died before it could save"),
        ({"hook_errors": (HookError("compile", "ValueError: x"),)}, "the recorder itself failed"),
        (
            {"program": Program(argv=("a.py",), ended="exit 7", exit_code=7)},
            "the program ended with exit 7",
        ),
    ],
)
def test_a_program_that_proves_nothing_is_an_error(fields, why):
    [found] = of_program(program(**fields))
    assert found.verdict is AuditVerdict.ERROR
    assert why in all_in_words(found.reasons)


def test_what_ranks_have_not_in_common_is_a_cause():
    difference = replace(FAILING.findings[0], id=Diagnosis.RANKS_DIFFER, source="")
    before, after = of_program(program()), of_program(program(), differences=(difference,))
    baseline = [entry for audit in before for entry in audit.entries]
    assert verdict_of(hold_against(before, baseline)) is AuditVerdict.PASSED
    assert verdict_of(hold_against(after, baseline)) is AuditVerdict.FAILED


def test_two_graph_breaks_of_one_frame_are_two_causes_wherever_they_stand():
    def broken(text):
        finding = replace(FAILING.findings[0], id=Diagnosis.GRAPH_BREAK, source="", text=text)
        return of_program(program(findings=(finding,)))[0].causes[0]

    assert broken("a call of print").cause != broken("a call of sort").cause
    assert broken("print at 0x7f01\nmore").cause == broken("print at 0x99\nother").cause


def test_a_compared_program_without_warm_up_has_no_count_after_it():
    made = (compiled(None, phase=Phase.WARM_UP, graph_runs=3),)
    other = program(
        compiles=made, program=Program(argv=("train.py", "-y"), ended="exit 0", exit_code=0)
    )
    results = compare(of_program(program(compiles=made)), of_program(other))
    text = render(ComparisonReport(first="a.json", second="b.json", results=results), Format.PLAIN)
    assert "1 compile" in text
    assert "after warm-up" not in text
