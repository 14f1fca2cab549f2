"""The verdict on a program's recording, its frames, its ranks; and what assertions complain of."""

from __future__ import annotations

from dataclasses import replace

import pytest
from builders import ENVIRONMENT, FRAME, OTHER, compiled, failure, recording

from esper_audit.data.compiles import GraphBreak, Outcome, RunsAfter, SkippedFrame, Stance
from esper_audit.data.expectations import ProgramBudget
from esper_audit.data.findings import FrameState
from esper_audit.data.notices import HookError, LostEvidence
from esper_audit.data.places import Location
from esper_audit.data.reasons import Reason, Why
from esper_audit.data.recording import Program
from esper_audit.data.steps import Lookups, Phase
from esper_audit.data.verdicts import AuditVerdict
from esper_audit.diagnosis import judge_program
from esper_audit.diagnosis.phases import window
from esper_audit.diagnosis.ranks import merge, missing_ranks
from esper_audit.report.complaints import at_most, no_eager_fallback
from esper_audit.report.words.findings import limit_words, rank_causes, rank_words, since_words
from esper_audit.report.words.reasons import in_words

PASSED, FAILED, ERROR = AuditVerdict.PASSED, AuditVerdict.FAILED, AuditVerdict.ERROR


def made(recompiles=0, runs=1, **fields):
    """A frame compiled once, and then again so often; the recompiles after warm-up."""
    first = compiled(0, phase=Phase.WARM_UP, graph_runs=runs, **fields)
    again = [
        compiled(
            n + 1,
            Outcome.RECOMPILED,
            guard_failures=(failure(actual=f"0.{n}"),),
            graph_runs=1,
            calls_before=n + 1,
            recompiles_left=6 - n,
            **fields,
        )
        for n in range(recompiles)
    ]
    return [first, *again]


def limit(**fields):
    return compiled(
        9,
        Outcome.LIMIT,
        guard_failures=(failure(actual="0.9"),),
        runs_after=RunsAfter.CACHED_ONLY,
        limit="recompile_limit",
        **fields,
    )


def verdict(compiles, **budget):
    steady = fields.pop("steady_at", 1.0) if (fields := budget.pop("recorded", {})) else 1.0
    found = judge_program(
        recording((), compiles, steady_at=steady, **fields), ProgramBudget(**budget)
    )
    return found.verdict, tuple(map(in_words, found.reasons))


def test_without_a_budget_there_is_no_verdict():
    assert verdict(made(3)) == (None, ())


@pytest.mark.parametrize(("allowed", "wanted"), [(3, PASSED), (2, FAILED), (0, FAILED)])
def test_recompiles_are_held_against_their_bound(allowed, wanted):
    assert verdict(made(3), recompiles=allowed)[0] is wanted


def test_a_bound_after_warm_up_does_not_count_what_came_before():
    compiles = [replace(compile_, phase=Phase.WARM_UP) for compile_ in made(3)]
    later = {"lookups": Lookups(9, 3), "steady_hits": 5}
    assert verdict(compiles, recompiles_after_warm_up=0, recorded=later)[0] is PASSED
    assert verdict(made(3), recompiles_after_warm_up=0) == (
        FAILED,
        ("3 recompiles after warm-up, 0 allowed",),
    )


def test_warm_up_can_be_a_number_of_calls_of_each_frame():
    bound = {"recompiles_after_warm_up": 1, "warm_up_calls": 2}
    assert verdict(made(2), **bound)[0] is PASSED
    assert verdict(made(4), **bound)[0] is FAILED


@pytest.mark.parametrize(
    ("budget", "recorded"),
    [({}, {"lookups": Lookups(5, 3), "steady_hits": 5}), ({"warm_up_calls": 100}, {})],
)
def test_a_bound_after_warm_up_proves_nothing_where_nothing_came_after_it(budget, recorded):
    compiles = [replace(compile_, phase=Phase.WARM_UP) for compile_ in made(3)]
    found = verdict(compiles, recompiles_after_warm_up=0, recorded=recorded, **budget)
    assert found == (ERROR, ("no compiled code ran after warm-up, so nothing is proven",))


def test_calls_that_matched_nothing_and_compiled_nothing_ran_eagerly():
    """As after a limit that was hit before the recording began."""
    late = recording((), (), lookups=Lookups(1, 40))
    finding = judge_program(late).findings[0]
    assert finding.id == "eager-unexplained"
    assert finding.why == Reason(why=Why.UNANSWERED, count=40)
    assert in_words(finding.why) in at_most(late, 0)
    assert no_eager_fallback(late).startswith("Code that was compiled ran eagerly")


def test_misses_that_were_followed_by_an_attempt_are_no_eager_calls():
    answered = recording((), made(3), lookups=Lookups(1, 3))
    assert [finding.id for finding in judge_program(answered).findings] == ["float-specialized"]


def test_matching_a_frame_without_a_graph_proves_nothing():
    graphless = recording((), [compiled(0, graph_runs=None)], lookups=Lookups(9, 0))
    assert at_most(graphless, 0).startswith("Not completed: no compiled code ran")


def test_recompiles_of_a_frame_without_a_graph_are_never_warm_up():
    graphless = [replace(compile_, graph_runs=None) for compile_ in made(2)]
    assert "2 recompiles" in at_most(recording((), graphless), 0, warm_up_calls=99)


def test_evidence_that_this_torch_cannot_give_is_missed():
    lost = (LostEvidence("torch._x", "2.99", "skips", "convert_frame"),)
    found = verdict(made(), recompiles=0, recorded={"lost": lost})
    assert "torch 2.99 has no torch._x" in found[1][0]
    assert found[0] == ERROR


def test_a_frame_that_failed_to_compile_is_no_compiled_frame():
    failed = compiled(0, Outcome.FAILED, reason="BackendCompilerFailed: no")
    frame = judge_program(recording((), [failed])).frames[0]
    assert (frame.state, frame.reason) == (FrameState.FAILED, "BackendCompilerFailed: no")


def test_a_frame_that_compiles_again_after_a_reset_runs_eagerly_no_more():
    given_up = compiled(0, Outcome.SKIPPED, runs_after=RunsAfter.EAGER, reason="No ops traced")
    again = compiled(1, graph_runs=3)
    assert judge_program(recording((), [given_up, again])).frames[0].state is FrameState.COMPILED
    late = replace(given_up, sequence=2)
    assert judge_program(recording((), [again, late])).frames[0].state is FrameState.EAGER


def test_a_program_that_never_says_that_warm_up_is_over_proves_nothing():
    found = judge_program(recording((), made()), ProgramBudget(recompiles_after_warm_up=0))
    assert found.verdict is ERROR
    assert "call esper_audit.steady_state() in it, or give --warm-up-calls" in in_words(
        found.reasons[0]
    )


def test_a_count_that_stands_still_at_the_limit_never_passes():
    found = verdict([*made(1), limit()], recompiles=5)
    assert found[0] is FAILED
    assert "the recompile limit was hit by Host.forward" in found[1][0]


def test_where_no_compiled_code_ran_nothing_is_proven():
    assert verdict([], recompiles=0) == (ERROR, ("no compiled code ran, so nothing is proven",))


@pytest.mark.parametrize(
    "fields", [{"hook_errors": (HookError("compile", "Oops: no"),)}, {"complete": False}]
)
def test_doubtful_evidence_never_passes(fields):
    assert verdict(made(), recompiles=0, recorded=fields)[0] is ERROR


FOUND = {"limit": "recompile limit hit", "eager": "eager execution"}


@pytest.mark.parametrize("kind", ["limit", "eager", "eager-after-limit", "float-specialized"])
def test_fail_on_names_kinds_of_findings_and_groups(kind):
    assert verdict([*made(1), limit()], fail_on=(kind,)) == (
        FAILED,
        (f"{FOUND.get(kind, kind)} in Host.forward",),
    )
    assert verdict(made(), fail_on=(kind,))[0] is PASSED


def test_a_frame_is_summed_up_over_its_compiles():
    frame = judge_program(recording((), made(2, runs=41))).frames[0]
    assert (frame.compiles, frame.recompiles, frame.reused) == (3, 2, 40)
    assert (frame.recompiles_left, frame.state) == (5, FrameState.COMPILED)


def test_equal_compiles_that_were_added_up_count_as_many():
    several = replace(made(1)[1], count=40)
    frame = judge_program(recording((), [several])).frames[0]
    assert (frame.recompiles, frame.attempts) == (40, 40)


def test_a_frame_at_the_limit_says_since_when():
    frame = judge_program(recording((), [*made(1), limit(label="step 7", at=12.34)])).frames[0]
    assert (frame.state, since_words(frame.since)) == (
        FrameState.CACHED_ONLY,
        "step 'step 7', 12.3 s after the start",
    )
    assert limit_words(frame.limit) == "the recompile limit was hit"


def skip(**fields):
    defaults = {"reason": "non-infra torch dispatch mode present", "step": None, "for_good": True}
    return SkippedFrame(frame=OTHER, **{**defaults, **fields})


@pytest.mark.parametrize(
    ("reason", "wanted"),
    [
        ("No ops traced for the FX graph", "eager-empty-graph"),
        ("no tensor operation was traced", "eager-empty-graph"),
        ("non-infra torch dispatch mode present, this is not supported", "eager-dispatch-mode"),
        ("Unsupported: generator", "eager-unsupported"),
        ("the function is disabled", "eager-disabled"),
    ],
)
def test_eager_execution_is_diagnosed_by_torchs_reason(reason, wanted):
    skipped = compiled(0, Outcome.SKIPPED, runs_after=RunsAfter.EAGER, reason=reason)
    assert [finding.id for finding in judge_program(recording((), [skipped])).findings] == [wanted]


def test_a_compiled_function_is_a_finding_and_an_idle_helper_none():
    fields = {"runs_after": RunsAfter.EAGER, "reason": "No ops traced"}
    helper = compiled(0, Outcome.SKIPPED, direct=False, **fields)
    own = compiled(0, Outcome.SKIPPED, direct=True, **fields)
    assert judge_program(recording((), [helper])).findings == ()
    assert len(judge_program(recording((), [own])).findings) == 1


def test_a_refused_frame_is_a_finding_where_it_is_what_was_compiled():
    refused = recording((), (), skips=(skip(), skip(for_good=False)))
    assert [finding.id for finding in judge_program(refused).findings] == ["eager-dispatch-mode"]


def test_a_stance_that_switches_compiling_off_is_a_finding_with_its_line():
    line = Location("/p/train.py", 4)
    stances = (Stance("force_eager", line), Stance("default", line))
    found = judge_program(recording((), made(), stances=stances)).findings
    assert [(finding.id, finding.written_by) for finding in found] == [("eager-disabled", line)]


def test_a_setting_that_switches_compiling_off_is_a_finding():
    environment = replace(ENVIRONMENT, settings={"TORCHDYNAMO_DISABLE": "1"})
    off = replace(recording((), made()), environment=environment)
    assert [finding.id for finding in judge_program(off).findings] == ["eager-disabled"]


def test_graph_breaks_of_one_line_are_one_finding():
    line = Location("/p/host.py", 9, "forward")
    breaks = (GraphBreak("print. More words", line),)
    found = judge_program(recording((), made(2, graph_breaks=breaks))).findings
    told = [(e.id, e.user_line, e.text, e.compiles) for e in found if e.id == "graph-break"]
    assert told == [("graph-break", line, "print", 3)]


def rank(number, compiles, size=2):
    program = Program(argv=("train.py",), rank=number, world_size=size)
    return judge_program(recording((), compiles, program=program))


def test_ranks_that_did_the_same_do_not_differ():
    report = merge([rank(1, made(1)), rank(0, made(1))])
    assert [audit.recording.program.rank for audit in report.audits] == [0]
    assert [found.ranks for found in report.classes] == [(0, 1)]
    assert report.differences == ()


def test_a_rank_that_recompiled_alone_is_a_finding_with_its_cause():
    found = merge([rank(0, made(0)), rank(1, made(2))]).differences
    assert [finding.id for finding in found] == ["ranks-differ"]
    assert tuple(map(rank_words, found[0].ranks)) == (
        "rank 0: 0 recompiles",
        "rank 1: 2 recompiles",
    )
    assert rank_causes(found[0].ranks) == "rank 1: float-specialized of self.alpha"


def test_a_frame_that_one_rank_never_compiled_is_a_difference():
    found = merge([rank(0, made()), rank(1, [*made(), *made(frame=OTHER)])]).differences
    assert (found[0].frame, rank_words(found[0].ranks[0])) == (OTHER, "rank 0: not compiled")


def test_a_rank_that_left_nothing_is_named():
    assert missing_ranks(merge([rank(1, made(), size=3)])) == ("0", "2")
    assert missing_ranks(merge([rank(1, made(), size=10**15)])) == ("0", f"2 to {10**15 - 1}")


def test_a_window_holds_what_came_between_two_looks():
    before = recording((), made(1), lookups=Lookups(5, 1))
    after = recording((), made(3), lookups=Lookups(9, 3))
    between = window(before, after)
    assert [compile_.sequence for compile_ in between.compiles] == [2, 3]
    assert between.lookups == Lookups(4, 2)


def test_a_complaint_names_source_values_and_count():
    said = at_most(recording((), made(2)), 1)
    assert said.startswith("2 recompiles, 1 allowed\nfloat-specialized: self.alpha in Host")
    assert "0.5 -> 0.0, 0.1" in said


def test_a_complaint_counts_warm_up_calls_of_each_frame():
    assert at_most(recording((), made(2, runs=9)), 0, warm_up_calls=3) == ""
    assert at_most(recording((), made(2)), 0, 2).startswith("1 recompile after warm-up, 0 allowed")
    assert "no compiled code ran after warm-up" in at_most(recording((), made(2)), 0, 3)


def test_there_is_no_complaint_where_compiled_code_ran_within_bounds():
    assert at_most(recording((), made(2)), 2) == ""
    assert no_eager_fallback(recording((), made(2))) == ""


def test_a_recording_in_which_nothing_ran_compiled_is_a_complaint():
    assert at_most(recording(), 0).startswith("Not completed: no compiled code ran")
    assert no_eager_fallback(recording()).startswith("Not completed: no compiled code ran")


def test_the_limit_is_a_complaint_whatever_is_allowed():
    assert "the recompile limit was hit" in at_most(recording((), [*made(1), limit()]), 100)


def test_eager_execution_is_a_complaint_with_its_reason():
    said = no_eager_fallback(recording((), [*made(1), limit()]))
    assert said.startswith("Code that was compiled ran eagerly\neager-after-limit: Host.forward")


def test_a_broken_recorder_is_a_complaint():
    broken = recording((), made(), hook_errors=(HookError("compile", "Oops: no"),))
    for complain in (lambda: at_most(broken, 0), lambda: no_eager_fallback(broken)):
        assert complain() == (
            "Not completed: the recorder itself failed, so the evidence may be incomplete: Oops: no."
        )


def test_frames_keep_their_names():
    assert judge_program(recording((), made())).frames[0].frame == FRAME
