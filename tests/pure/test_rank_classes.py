"""Many ranks as few classes: who did the same, in which run, and how reports tell it."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest
from builders import FRAME, OTHER, compiled, failure, recording
from rich.console import Console

from esper_audit.data.audits import ProgramReport
from esper_audit.data.baseline_file import load_baseline
from esper_audit.data.compiles import Outcome
from esper_audit.data.logs import LogSource, RankClass
from esper_audit.data.recording import Program
from esper_audit.data.stages import Seconds
from esper_audit.data.storage import dumps, loads, save
from esper_audit.diagnosis import believed, judge_program
from esper_audit.diagnosis.classes import Process, groups_of, process_of, runs_of
from esper_audit.diagnosis.likeness import likeness, parting
from esper_audit.diagnosis.ranks import merge, missing_ranks, spans
from esper_audit.report.ci.cases import cases
from esper_audit.report.formats import Format, print_document, render
from esper_audit.report.words.ranks import process_names, rank_names, run_name


def recompiled(place, source="self.alpha", frame=FRAME, **fields):
    guards = (failure(source=source, **fields),)
    return compiled(
        place,
        Outcome.RECOMPILED,
        frame=frame,
        sequence=place,
        id=f"0/{place}",
        guard_failures=guards,
    )


def made(*sources, frame=FRAME, seconds=0.1):
    first = compiled(0, frame=frame, seconds=Seconds(seconds), graph_runs=5)
    return [first, *(recompiled(place, s, frame) for place, s in enumerate(sources, 1))]


def of_rank(number, *sources, size=None, log=False, began=None, compiles=None, seconds=0.1):
    program = Program(argv=("train.py",), rank=number, world_size=size, exit_code=0)
    return recording(
        (),
        compiles if compiles is not None else made(*sources, seconds=seconds),
        program=program,
        trace_log=LogSource(pid=1000 + number) if log else None,
        began_at=began,
        seconds=10.0,
    )


def merged(*recordings):
    return merge([judge_program(one) for one in recordings])


def said(document, verbosity=0):
    stream = io.StringIO()
    print_document(document, Console(file=stream, width=160, highlight=False), verbosity)
    return " ".join(stream.getvalue().split())


def test_values_and_seconds_may_differ_within_a_class():
    one = of_rank(0, compiles=[compiled(0), recompiled(1, actual="0.6")])
    other = of_rank(0, compiles=[compiled(0, seconds=Seconds(9)), recompiled(1, actual="0.7")])
    assert likeness(one) == likeness(other)


@pytest.mark.parametrize(
    "other",
    [
        [compiled(0), recompiled(1, "self.beta")],
        [compiled(0), recompiled(1, kind="TYPE_MATCH")],
        [compiled(0), recompiled(1), recompiled(2)],
        [compiled(0), replace(recompiled(1), outcome=Outcome.LIMIT)],
        [compiled(0, frame=OTHER), recompiled(1)],
        [compiled(0), replace(recompiled(1), reason="Unsupported: f")],
        [compiled(0)],
        [],
    ],
)
def test_another_guard_compile_outcome_or_frame_makes_another_class(other):
    assert likeness(of_rank(0, "self.alpha")) != likeness(of_rank(0, compiles=other))


def test_an_odd_one_out_is_named_with_the_frame_where_it_parts():
    ranks = [of_rank(number, "self.alpha") for number in range(64) if number != 37]
    odd = of_rank(37, compiles=[*made("self.alpha"), *made("self.mode", frame=OTHER)])
    report = merged(*ranks, odd)
    assert [found.size for found in report.classes] == [63, 1]
    assert report.classes[1] == replace(
        report.classes[1], ranks=(37,), shown=37, slowest=37, parts_at=OTHER.key
    )
    text = said(report)
    assert "train.py (ranks 0 to 36, 38 to 63): 2 compiles (1 recompile)" in text
    assert "train.py (rank 37): 4 compiles (2 recompiles)" in text
    assert "ranks 0 to 36, 38 to 63: not compiled" in text
    assert text.count("rank 37") < 10


def test_the_first_frame_to_part_is_the_first_in_time():
    base = of_rank(0, compiles=[*made("a"), *made("b", frame=OTHER)])
    later = of_rank(1, compiles=[*made("a"), *made("c", frame=OTHER)])
    both = of_rank(2, compiles=[*made("x"), *made("c", frame=OTHER)])
    assert parting(later, base) == OTHER.key
    assert parting(both, base) == FRAME.key
    assert parting(base, base) == ""


def test_the_slowest_rank_of_a_class_is_named():
    report = merged(*(of_rank(n, "a", seconds=0.1 + (n == 5) * 9) for n in range(8)))
    assert report.classes[0].slowest == 5
    assert "0.2 to 9.2 rank 5" in said(report)


def test_ranks_of_many_classes_have_no_column_each():
    report = merged(*(of_rank(n, *["a"] * (n % 21)) for n in range(210)))
    assert len(report.classes) == 21
    for verbosity in (0, 1):
        text = said(report, verbosity)
        assert "and 13 more classes of ranks" in text
        assert "the 13 classes with the fewest ranks have no column" in text


def test_a_thousand_ranks_make_no_longer_report_than_a_few():
    few, many = (merged(*(of_rank(n, *["a"] * (n % 2)) for n in range(k))) for k in (8, 1000))
    for form in Format:
        if form is not Format.JSON:  # which names each rank
            assert len(render(many, form)) < len(render(few, form)) + 2000, form


def test_machine_formats_have_a_case_for_each_class():
    report = merged(*(of_rank(n, *(["a"] if n == 3 else [])) for n in range(500)))
    names = [case.name for case in cases(report).cases]
    assert names == ["train.py (ranks 0 to 2, 4 to 499)", "train.py (rank 3)", "ranks"]


def test_what_is_missing_is_named_by_the_world_size_or_below_the_highest():
    assert missing_ranks(merged(*(of_rank(n, size=8) for n in (0, 1, 5)))) == ("2 to 4", "6 to 7")
    logs = merged(*(of_rank(n, log=True) for n in (0, 1, 5)))
    assert missing_ranks(logs) == ("2 to 4",)
    text = said(logs)
    assert "No log of ranks 2 to 4 was given." in text
    assert "don't say how many ranks there were; the highest here is 5" in text


@pytest.mark.parametrize(
    ("ranks", "words"),
    [
        ((3,), "rank 3"),
        ((0, 1), "ranks 0 to 1"),
        ((*range(64), 65), "ranks 0 to 63, 65"),
        (tuple(range(0, 1000, 2)), "ranks 0, 2, 4, 6, 8, 10, 12, 14, … (500 ranks)"),
        ((5, 5, 4), "ranks 4 to 5"),
    ],
)
def test_ranks_are_named_in_few_words(ranks, words):
    assert rank_names(ranks) == words


def test_spans_hold_each_rank_once_in_order():
    assert spans((9, 1, 2, 3, 3, 7)) == ["1 to 3", "7", "9"]
    assert spans(()) == []


DAY = 86_400.0


def at(rank, began, like="x", ended=None, pid=None):
    return Process(like=like, rank=rank, pid=pid, began=began, ended=ended or began + 5)


@pytest.mark.parametrize(
    ("processes", "runs"),
    [
        ([at(0, 10), at(1, 11), at(0, 100), at(1, 101)], [0, 0, 1, 1]),
        # Rank 3 wrote nothing in the first run, and is the first of the second.
        ([at(0, 10), at(1, 11), at(3, 100), at(0, 101), at(1, 102)], [0, 0, 1, 1, 1]),
        # A rank that compiles long after the others belongs to them.
        ([at(0, 10), at(1, 50)], [0, 0]),
        # Two jobs at once.
        ([at(0, 10), at(0, 11), at(1, 12), at(1, 13)], [0, 1, 0, 1]),
        ([at(1, 101), at(0, 10), at(0, 100), at(None, 11), at(None, 103)], [1, 0, 1, 0, 1]),
        ([at(None, 10), at(None, 90)], [0, 0]),
        # Nothing compiled for months: another run, though no rank comes again.
        ([at(0, 10), at(1, 30 * DAY), at(1, 11), at(2, 30 * DAY)], [0, 1, 0, 1]),
        ([at(None, 300 * DAY), at(None, 10), at(0, 300 * DAY)], [1, 0, 1]),
        ([Process(like="x", rank=1), at(0, 300 * DAY), at(1, 400 * DAY)], [0, 0, 1]),
        # A job that runs for weeks, and compiles now and then.
        ([at(0, 10, ended=20 * DAY), at(1, 24 * DAY)], [0, 0]),
    ],
)
def test_runs_are_told_apart_where_a_rank_comes_again(processes, runs):
    assert runs_of(processes) == runs


def test_classes_belong_to_a_run_and_the_run_to_its_beginning():
    report = merged(
        *(of_rank(n, "a", began=1_700_000_000.0 + n, log=True) for n in range(4)),
        *(of_rank(n, "a", began=1_700_000_900.0 + n, log=True) for n in range(4)),
    )
    assert [(found.run, found.began_at) for found in report.classes] == [
        (0, 1_700_000_000.0),
        (1, 1_700_000_900.0),
    ]
    assert report.differences == ()
    text = said(report)
    assert "train.py (run of 2023-11-14 22:13:20 UTC, ranks 0 to 3)" in text
    assert "train.py (run of 2023-11-14 22:28:20 UTC, ranks 0 to 3)" in text


def test_one_process_id_on_two_hosts_is_two_processes():
    twice = [Process(like="x", rank=None, pid=7, began=1.0), Process(like="x", pid=7, began=2.0)]
    (group,) = groups_of(twice)
    assert (group.places, group.found.pids) == ((0, 1), (7, 7))
    assert process_names(group.found) == "processes 7 (2 times)"


@pytest.mark.parametrize("began", [None, 1e12, -1.0])
def test_a_run_that_began_nobody_knows_when_has_a_number(began):
    assert run_name(RankClass(run=1, began_at=began))


def test_ranks_without_a_time_are_of_one_run():
    processes = [process_of(of_rank(n)) for n in range(4)]
    assert runs_of(processes) == [0, 0, 0, 0]


def test_the_gate_knows_each_rank_of_a_class(desk):
    folder = desk.folder / "runs"
    folder.mkdir()
    for number in range(3):
        save(of_rank(number, "a", size=3), folder / f"rank-{number}.json")
    assert desk.gate("runs", "--update-baseline", "--yes")[0] == 0
    names = {entry.scenario for entry in load_baseline(desk.baseline)}
    assert names == {f"train.py (rank {number})" for number in range(3)}
    assert desk.gate("runs")[0] == 0


def test_a_saved_report_of_classes_is_believed_as_it_is():
    report = merged(*(of_rank(n, *(["a"] if n == 3 else [])) for n in range(9)))
    again = believed(loads(dumps(report), ProgramReport))
    assert again == report
    assert again.differences[0].ranks[0].ranks == (0, 1, 2, 4, 5, 6, 7, 8)


def test_classes_that_do_not_fit_the_audits_count_as_none():
    report = replace(merged(of_rank(0), of_rank(1, "a")), classes=(RankClass(ranks=(0, 1, 2)),))
    assert [found.ranks for _, found in report.parts] == [(0,), (1,)]
    assert said(report)
