"""Heat maps and timelines tell what the report tells, in the same numbers, and no more."""

from __future__ import annotations

import re
from dataclasses import replace

from builders import OTHER, audit, compiled, judged, program_audit, recording
from drawn_pictures import RUN, figures, lanes, spans
from report_builders import CONTROL, failing, recompiles, report
from test_program import limit, made
from test_program_report import report as program_report

from esper_audit.data.audits import ProgramReport
from esper_audit.data.compiles import Outcome, Stance
from esper_audit.data.logs import LogSource
from esper_audit.data.recording import Program
from esper_audit.data.stages import Seconds, Stage
from esper_audit.data.steps import Phase
from esper_audit.data.verdicts import AuditVerdict, StepVerdict
from esper_audit.diagnosis import judge_program, root_causes
from esper_audit.diagnosis.ranks import merge
from esper_audit.report.build import page
from esper_audit.report.cells import cell
from esper_audit.report.figures import GuardTable, HeatMap, Timeline
from esper_audit.report.program import frame_rows
from esper_audit.report.words.programs import frame_names

# --- heat maps ---


def test_each_cell_of_a_run_says_what_the_terminal_says_and_leads_to_its_steps():
    [found] = figures(RUN, HeatMap)
    anchors = {figure.anchor: figure for figure in figures(RUN, Timeline)}
    cells = [cell for _, cells in found.rows for cell in cells if cell.line.text]
    for shown, one in zip(cells, RUN.audits, strict=True):
        assert shown.line.text.startswith(cell(one).text)
        assert one.title in anchors[shown.to].summary.text
    assert [round(shown.heat, 2) for shown in cells] == [1.0, 0.0, 0.0]


def test_the_hottest_cell_has_most_compiles_after_warm_up():
    [found] = figures(report(failing("a", 6), failing("b", 3, limit=False)), HeatMap)
    assert [cells[0].heat for _, cells in found.rows] == [1.0, 0.5]
    assert "the darkest had 6" in found.summary.text


def test_frames_stand_in_the_same_numbers_as_on_the_terminal():
    document = program_report((*made(2, runs=41), limit(), compiled(12, frame=OTHER)))
    [found] = figures(document, HeatMap)
    frames = document.audits[0].frames
    rows = frame_rows(frames, frame_names([frame.frame for frame in frames]))
    assert [(name, *(cell.line for cell in cells)) for name, cells in found.rows] == list(rows)
    hot = {name.text: [cell.heat for cell in cells] for name, cells in found.rows}
    assert hot["Host.forward"] == [0.0, 1.0, 0.0, 1.0, 1.0, 0.0]
    assert "2 recompiles of 2 frames" in found.summary.text


# --- timelines ---


def test_a_replay_shows_each_step_its_events_and_the_known_values():
    found = lanes(RUN)
    assert found["phase"] == ["warm-up", "steady"]
    assert found["events"] == [f"set_alpha(0.{n})" for n in range(1, 7)]
    assert [text[0] for text in found["steps"]] == ["C", *"RRRRRR", "E"]
    assert found["self.alpha"] == [f"0.{n}" for n in range(1, 8)]
    assert spans(RUN, "self.alpha")[0] == (1, 2)
    assert [text.partition(",")[0] for text in found["compiles"]] == [
        *(f"0/{n} recompiled" for n in range(1, 7)),
        "0/7 recompile limit hit",
    ]


def test_the_first_value_is_known_from_the_entry_that_was_compiled_for_it():
    first = compiled(0, id="0/0", phase=Phase.WARM_UP)
    steps = (judged(0, StepVerdict.COMPILED, phase=Phase.WARM_UP), *failing().steps[1:])
    compiles = (first, *recompiles(6))
    whole = failing(steps=steps, compiles=compiles, findings=root_causes(compiles, steps))
    assert lanes(report(whole))["self.alpha"][:2] == ["0.5", "0.1"]


def test_no_value_is_told_of_a_step_in_which_nobody_looked():
    one = failing(count=1, limit=False)
    assert spans(report(one), "self.alpha") == [(1, 2)]


def test_steps_of_one_verdict_and_reason_are_one_span():
    steps = tuple(judged(n, StepVerdict.REUSED) for n in range(5))
    whole = report(audit(steps=steps))
    assert spans(whole, "steps") == [(0, 5)]
    assert lanes(whole)["steps"][0].startswith("· reused, steps 0 to 4")


def test_words_that_all_events_begin_with_name_their_lane():
    steps = tuple(judged(n, StepVerdict.REUSED, label=f"epoch number {n}") for n in range(3))
    assert lanes(report(audit(steps=steps)))["events: epoch number"] == ["0", "1", "2"]
    steps = tuple(judged(n, StepVerdict.REUSED, label="again") for n in range(3))
    assert lanes(report(audit(steps=steps)))["events"] == ["again"] * 3


def test_attempts_of_one_step_share_its_width():
    compiles = tuple(compiled(1, sequence=n, id=f"{n}/0") for n in range(4))
    steps = (judged(0, StepVerdict.REUSED), judged(1, StepVerdict.COMPILED))
    whole = report(audit(steps=steps, compiles=compiles))
    assert spans(whole, "compiles") == [(1, 1.25), (1.25, 1.5), (1.5, 1.75), (1.75, 2)]


def test_a_program_shows_compiles_stages_and_stances_by_the_second():
    stage = Stage("backend_compile", 1.2, 0.3)
    first = compiled(0, at=1.0, seconds=Seconds(0.5), stages=(stage,))
    stance = Stance("force_eager", None, at=2.0, until=2.5)
    whole = program_report((first,), stances=(stance,), steady_at=1.5)
    assert spans(whole, "compiles") == [(1.0, 1.5)]
    assert spans(whole, "stages") == [(1.2, 1.5)]
    assert spans(whole, "phase") == [(0.0, 1.5), (1.5, 3.0)]
    assert (2.0, 2.5) in spans(whole, "stances")


def test_a_named_step_is_shown_from_its_first_to_its_last_compile():
    attempts = [
        compiled(n, at=float(n), seconds=Seconds(0.5), label=label, sequence=n)
        for n, label in enumerate(["", "a", "a", "b"])
    ]
    assert spans(program_report(attempts), "steps") == [(1.0, 2.5), (3.0, 3.5)]


def test_a_frame_at_its_limit_is_eager_until_the_end():
    whole = program_report((*made(2), replace(limit(), at=2.0, step=None)))
    assert spans(whole, "eager") == [(2.0, 3.0)]


def test_each_rank_has_a_lane_on_one_clock():
    def of_rank(began, at):
        first = compiled(0, at=at, seconds=Seconds(1.0))
        return program_audit(compiles=(first,), began_at=began)

    whole = ProgramReport(audits=(of_rank(100.0, 1.0), of_rank(102.0, 1.0)))
    assert spans(whole, "rank 0") == [(1.0, 2.0)]
    assert spans(whole, "rank 1") == [(3.0, 4.0)]
    another_day = ProgramReport(audits=(of_rank(100.0, 1.0), of_rank(9e6, 1.0)))
    assert spans(another_day, "rank 1") == [(1.0, 2.0)]
    unknown = ProgramReport(audits=(of_rank(100.0, 1.0), of_rank(None, 1.0)))
    assert spans(unknown, "rank 1") == [(1.0, 2.0)]
    assert "clock begins with its own" in figures(unknown, Timeline)[0].summary.text


def test_a_failed_compile_that_raised_is_not_shown_as_eager():
    failed = compiled(None, Outcome.FAILED, reason="Oops: no", at=1.0)
    assert spans(program_report((*made(), failed)), "eager") == [(1.0, 3.0)]
    raised = program_report((*made(), replace(failed, raised=True)))
    assert "eager" not in lanes(raised)
    logged = program_report((*made(), failed), trace_log=LogSource())  # nobody knows which
    assert "eager" not in lanes(logged)


def test_frames_of_ranks_are_hot_where_they_recompiled():
    def of_rank(rank, recompiled):
        program = Program(argv=("train.py",), rank=rank, world_size=2)
        return judge_program(recording((), made(recompiled), program=program))

    document = merge([of_rank(0, 0), of_rank(1, 2)])
    [found] = figures(document, HeatMap)
    [(name, cells)] = found.rows
    assert name.text == "Host.forward"
    by_head = dict(zip(found.heads, cells, strict=True))
    assert [(head, by_head[head].heat) for head in ("rank 0", "rank 1")] == [
        ("rank 0", 0.0),
        ("rank 1", 1.0),
    ]
    [table] = figures(document, GuardTable)
    assert table.frame == "Host.forward, rank 1"


# --- what a page counts, and folds ---


def test_controls_that_fail_as_they_must_are_no_failures_of_the_heat_map():
    document = report(failing("a", 6), audit(parameters={}), _control())
    [found] = figures(document, HeatMap)
    assert found.summary.text.startswith("1 of 2 audits fails (beside 1 negative control).")
    assert (
        "1 audit failed, 1 passed (beside 1 negative control)"
        in page(document, 1).closing.verdict.text
    )


def test_only_what_failed_is_unfolded():
    document = report(failing("a", 6), audit(scenario="b", parameters={}), _control())
    folded = {
        figure.summary.text.split(":")[0]: figure.folded for figure in figures(document, Timeline)
    }
    assert sorted(folded.values()) == [False, True, True]
    assert next(name for name, is_folded in folded.items() if not is_folded).startswith("a")


def test_seconds_of_a_cell_are_told_apart_from_its_count():
    [found] = figures(report(failing("a", 6)), HeatMap)
    [(_, [cell_])] = found.rows
    assert re.fullmatch(r"✗ limit after 6, \d+\.\d\xa0s", cell_.line.text)


def _control():
    stale = (judged(0, StepVerdict.STALE, phase=Phase.STEADY),)
    return audit(parameters=CONTROL.params, verdict=AuditVerdict.FAILED, steps=stale)
