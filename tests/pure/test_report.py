"""What a report says, in which order, and that it fits and reads without colour."""

from __future__ import annotations

from dataclasses import replace

import pytest
from builders import audit, compiled, failure, judged, told
from report_builders import BUFFER, LAZY, eager, failing, printed, recompiles, report, stale

from esper_audit.data.audits import ClaimResult
from esper_audit.data.compiles import GraphBreak, Outcome, Write
from esper_audit.data.expectations import Claim
from esper_audit.data.notices import HookError, LostEvidence, Unrecognized
from esper_audit.data.places import Location
from esper_audit.data.steps import Phase
from esper_audit.data.verdicts import AuditVerdict, ClaimStatus, StepVerdict
from esper_audit.diagnosis import root_causes
from esper_audit.report.cells import cell, graphs_cell
from esper_audit.report.matrix import matrix
from esper_audit.report.shared_causes import causes
from esper_audit.report.strips import strip
from esper_audit.report.words.changes import change

# --- the table ---


@pytest.mark.parametrize(
    ("one", "wanted"),
    [
        (audit(), "✓ reused"),
        (failing(), "✗ limit after 6"),
        (failing(count=2, limit=False), "✗ 2 recompiles"),
        (
            audit(
                compiles=recompiles(1),
                steps=(judged(1, StepVerdict.RECOMPILED), judged(2, StepVerdict.REUSED)),
            ),
            "✓ 1 recompile",
        ),
        (stale(), "✗ stale"),
        (
            audit(
                AuditVerdict.FAILED,
                compiles=recompiles(1),
                steps=(judged(1, StepVerdict.STALE),),
            ),
            "✗ stale, 1 recompile",
        ),
        (failing(count=1, limit=False, compiles=(compiled(1),)), "✗ 1 compile"),
        (
            failing(count=2, limit=False, compiles=(*recompiles(1), compiled(2))),
            "✗ 1 recompile, 1 other compile",
        ),
        (eager(), "✗ eager"),
        (audit(AuditVerdict.SKIPPED), "– skipped"),
        (audit(AuditVerdict.ERROR), "! error"),
        (audit(AuditVerdict.FAILED), "✗ failed"),
    ],
)
def test_a_cell_says_verdict_recompiles_and_limit_in_words(one, wanted):
    assert cell(one).text == wanted


def test_a_cell_among_backends_counts_graphs():
    early = compiled(0, phase=Phase.WARM_UP)
    both = failing(compiles=(early, *recompiles(7, limit=True)))
    assert graphs_cell(both).text == "✗ 1 then 8, limit hit"
    assert graphs_cell(eager()).text == "✗ eager"


def test_columns_are_the_chosen_parameter_and_rows_what_else_varies():
    found = matrix(
        [
            audit(parameters={"alpha": "lazy", "seed": "same"}),
            audit(parameters={"alpha": "buffer", "seed": "same"}),
            audit(parameters={"alpha": "lazy", "seed": "other"}),
        ],
        "alpha",
    )
    assert found.heads == ("lazy", "buffer")
    assert [label for label, _ in found.rows] == ["some_scenario [same]", "some_scenario [other]"]
    assert found.rows[1][1][1].text == ""


def test_several_backends_stand_side_by_side():
    found = matrix([audit(backend="eager"), audit(backend="inductor")], "alpha")
    assert (found.heads, found.counts_graphs) == (("eager", "inductor"), True)


# --- what stands there by default, and what with -v ---


def test_rows_in_which_all_went_well_are_counted_once_there_are_many():
    well = [audit(scenario=f"well_{n}", parameters=LAZY) for n in range(20)]
    text = printed(report(*well, failing()))
    assert "20 more rows: ✓ reused in each column" in text
    assert "well_7" not in text and "rollout" in text
    assert "well_7" in printed(report(*well, failing()), verbosity=1)
    assert "well_7" in printed(report(*well)), "a table without rows would say nothing"


def test_steps_of_many_audits_are_left_to_verbose():
    many = [failing(f"scenario_{n}") for n in range(5)]
    assert "C|RRRRRRE" in printed(report(*many[:4]))
    assert "C|RRRRRRE" not in printed(report(*many))
    assert "C|RRRRRRE" in printed(report(*many), verbosity=1)


def test_claims_are_counted_and_the_refuted_ones_shown():
    made = [
        ClaimResult(
            Claim("c", f"It is {word}", "page 7"), "eager", status, ("x",), (), told("so it was")
        )
        for word, status in (("safe", ClaimStatus.REFUTED), ("fast", ClaimStatus.CONFIRMED))
    ]
    text = printed(report(failing(), claims=tuple(made)))
    assert "Claims: 1 confirmed, 1 refuted" in text
    assert "It is safe" in text and "It is fast" not in text
    verbose = printed(report(failing(), claims=tuple(made)), verbosity=1)
    assert "It is fast (page 7)" in verbose and "by x: so it was" in verbose


def test_the_costliest_causes_are_shown_and_the_others_counted():
    causes_ = tuple(
        replace(found, source=f"self.value_{n}", seconds=9.0 - n)
        for n in range(5)
        for found in failing().findings
    )
    text = printed(report(failing(findings=causes_)))
    assert "self.value_2" in text and "self.value_3" not in text
    assert "and 2 more that cost less: see them with -v" in text


# --- the rest ---


def test_a_file_that_could_not_be_loaded_stands_in_the_first_column():
    broken = audit(AuditVerdict.ERROR, scenario="broken.py", backend="")
    found = matrix([audit(), broken], "alpha")
    assert len(found.heads) == 1
    assert [label for label, _ in found.rows][-1] == "broken.py"
    assert "error" in str(found.rows[-1][1][0])


def test_a_strip_has_a_mark_a_step_and_a_bar_where_warm_up_ends():
    assert strip(failing()).text == "C|RRRRRRE"


def test_one_cause_of_many_audits_is_told_once():
    found = causes([failing(), failing("epochs")])
    assert len(found) == 1
    assert (found[0].compiles, found[0].limits) == (12, 2)
    assert found[0].scenarios == ("rollout", "epochs")
    assert change(found[0].finding, found[0].values) == "0.5 -> 0.1, 0.2, 0.3, 0.4, … (6 values)"


def test_sections_come_in_the_order_of_a_readers_questions():
    claim = ClaimResult(
        Claim("c", "It is safe"), "aot_eager", ClaimStatus.REFUTED, (), ("x",), told("y")
    )
    text = printed(report(failing(), stale(), audit(AuditVerdict.ERROR), claims=(claim,)))
    titles = ["Does it", "Scenarios", "Steps", "Causes", "Eager", "Claims", "Not judged"]
    places = [text.index(title) for title in titles]
    assert places == sorted(places)


def test_a_cause_names_source_values_lines_pattern_and_seconds():
    text = printed(report(failing()))
    assert "self.alpha: 0.5 -> 0.1, 0.2, 0.3, … (6 values)" in text
    assert "guarded in Host.forward by slot.py:61 in read" in text
    assert "called from main.py:9 in main" in text
    assert "storm: 6 recompiles and 1 limit hit in 1 scenario, 0.7 s lost" in text


def test_verbose_shows_the_evidence_of_each_step():
    assert "1 recompiled after set_alpha(0.1): because of evidence" in printed(
        report(failing()), verbosity=1
    )


def test_quiet_prints_the_answer_alone():
    assert printed(report(failing()), width=300, verbosity=-1).count("\n") == 1


def test_nothing_that_was_lost_or_odd_is_silent():
    odd = audit(
        hook_errors=(HookError("compile", "Traceback\nKeyError: 'x'"),),
        unrecognized=(Unrecognized("guard of 0/0", "a new kind of text"),),
        lost=(LostEvidence("torch._x", "2.99", "lookups"),),
        notes=(told("the stand-in was used"),),
        backend="eager",
    )
    text = " ".join(printed(report(odd, interrupted=True)).split())
    for words in (
        "KeyError: 'x'",
        "a new kind of text",
        "torch 2.99 has no torch._x. Lost: lookups.",
        "the stand-in was used (some_scenario).",
        "it understates recompiles",
        "Interrupted",
    ):
        assert words in text


@pytest.mark.parametrize("width", [80, 100, 140])
def test_a_report_fits_its_width(width):
    audits = [
        failing("a_scenario_with_a_rather_long_name", parameters={"alpha": "never_invalidated_x"}),
        audit(scenario="a_scenario_with_a_rather_long_name", parameters=BUFFER),
        stale(),
        eager(),
    ]
    lines = printed(report(*audits), width).splitlines()
    commands = [row for row in lines if row.startswith("esper-audit ")]
    assert max(len(row) for row in lines if row not in commands) <= width
    assert commands  # which are there to be copied, so never wrapped
    whole = "".join("".join(lines).split())
    for words in ("a_scenario_with_a_rather_long_name", "never_invalidated_x", "✗stale", "✗eager"):
        assert words in whole, f"{words} was cut off"


def test_more_columns_than_fit_make_a_second_table():
    names = [f"strategy_{number}" for number in range(9)]
    audits = [audit(parameters={"alpha": name}, scenario="mid_rollout_of_alpha") for name in names]
    text = printed(report(*audits), width=80)
    assert text.count("mid_rollout_of_alpha") == 2
    assert all(name in text for name in names)


def test_a_failure_of_another_kind_says_why_and_where():
    broken = GraphBreak("Call to print\nand more", Location("/p/net.py", 5, "forward"))
    failed = audit(
        AuditVerdict.FAILED, reasons=(told("1 graph breaks, 0 allowed"),), graph_breaks=(broken,)
    )
    text = " ".join(printed(report(failed)).split())
    assert "some_scenario [buffer] aot_eager: 1 graph breaks, 0 allowed" in text
    assert "graph break at net.py:5 in forward: Call to print" in text


def test_a_run_without_comparison_says_what_its_passes_are_worth():
    text = " ".join(printed(report(audit(options={"compare": "false"}))).split())
    assert "Steps were not compared, so neither wrong output" in text


def test_markup_in_names_is_printed_as_it_is():
    text = printed(report(failing(parameters={"alpha": "[bold]lazy"})))
    assert "[[bold]lazy]" in text


def test_what_is_above_an_advisory_bound_is_told_and_fails_nothing():
    text = printed(
        report(audit(parameters=BUFFER, advice=(told("compiling took 80% of its seconds"),)))
    )
    assert "Advice\n" in text
    assert "compiling took 80% of its seconds" in text


def test_a_cause_has_the_old_values_and_the_writers_of_all_its_audits():
    def found(scenario, expected, actual, line):
        caller = Location("/p/m.py", line, "f")
        write = Write("self.alpha", Location("/p/slot.py", 40, "enter"), caller)
        failed = failure(expected=expected, actual=actual)
        compiles = (compiled(1, Outcome.RECOMPILED, guard_failures=(failed,), writes=(write,)),)
        return failing(scenario, compiles=compiles, findings=root_causes(compiles, ()))

    text = printed(report(found("a", "'x'", "'y'", 5), found("b", "'y'", "'z'", 6)))
    assert "self.alpha: 'x' -> 'y'; 'y' -> 'z'" in text
    assert "written by enter (slot.py:40), called from m.py:5 in f: 1 recompile" in text
    assert "written by enter (slot.py:40), called from m.py:6 in f: 1 recompile" in text
