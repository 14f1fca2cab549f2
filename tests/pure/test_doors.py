"""One recording, one answer: exec, the gate, assertions and tables ask the same judgement."""

from __future__ import annotations

from dataclasses import replace

import pytest
from builders import FRAME, OTHER, compiled, recording, replay, step
from test_program import limit, made

from esper_audit.data.audits import ProgramReport, Report
from esper_audit.data.compiles import DeferredWork, GraphBreak, Outcome, RunsAfter, Stance
from esper_audit.data.expectations import ProgramBudget
from esper_audit.data.places import Location
from esper_audit.data.recording import Recording
from esper_audit.data.steps import Lookups, Phase
from esper_audit.data.verdicts import AuditVerdict
from esper_audit.diagnosis import EAGER, count, judge, judge_program
from esper_audit.diagnosis.phases import window
from esper_audit.gate import hold_against, measure, verdict_of
from esper_audit.report.complaints import at_most, no_eager_fallback
from esper_audit.report.words.findings import since_words
from esper_audit.report.words.reasons import all_in_words, in_words

REUSING = Lookups(9, 0)


def failed(number=0, **fields):
    """An attempt whose error reached the caller."""
    return compiled(
        number,
        Outcome.FAILED,
        **{"cache_entries_before": 0, "raised": True, "reason": "Unsupported: print", **fields},
    )


def refused(number, by="error_on_recompile", **fields):
    return compiled(number, Outcome.REFUSED, refused_by=by, raised=True, **fields)


AGAIN = compiled(5, phase=Phase.STEADY, graph_runs=3)
BACKWARD = DeferredWork("backward", "0/9", None, 0.2, phase=Phase.STEADY)

RECORDINGS: dict[str, Recording] = {
    "reused": recording((), made(), lookups=REUSING),
    "recompiled": recording((), made(2), lookups=REUSING),
    "compiled again after a reset": recording((), [*made(), AGAIN], lookups=REUSING),
    "backward after warm-up": recording((), made(), deferred=(BACKWARD,), lookups=REUSING),
    "limit hit": recording((), [*made(1), limit()], lookups=REUSING),
    "accumulated limit hit": recording(
        (), [*made(1), replace(limit(), limit="accumulated_recompile_limit")], lookups=REUSING
    ),
    "failed": recording((), [*made(), failed(1, frame=OTHER), failed(2, frame=OTHER)]),
    "failed and suppressed": recording(
        (), [*made(), failed(1, frame=OTHER, raised=False, runs_after=RunsAfter.EAGER)]
    ),
    "refused": recording((), [*made(), refused(1), refused(2)], lookups=REUSING),
    "refused its first compile": recording(
        (), [*made(), refused(1, frame=OTHER, cache_entries_before=0)], lookups=REUSING
    ),
    "refused at the limit": recording(
        (), [*made(1), refused(3, "fullgraph", limit="recompile_limit")], lookups=REUSING
    ),
    "matched nothing": recording((), made(), lookups=Lookups(9, 4)),
    "nothing compiled": recording(),
    "unfinished": recording((), made(), lookups=REUSING, complete=False),
}
"""What each says to a bound of no recompiles, and whether code ran eagerly in it."""

ANSWERS = {
    "reused": ("passed", "passed"),
    "recompiled": ("failed", "passed"),
    "compiled again after a reset": ("passed", "passed"),
    "backward after warm-up": ("passed", "passed"),
    "limit hit": ("failed", "failed"),
    "accumulated limit hit": ("failed", "failed"),
    "failed": ("failed", "failed"),
    "failed and suppressed": ("failed", "failed"),
    "refused": ("failed", "passed"),
    "refused its first compile": ("failed", "passed"),
    "refused at the limit": ("failed", "passed"),
    "matched nothing": ("failed", "failed"),
    "nothing compiled": ("error", "error"),
    "unfinished": ("error", "error"),
}


@pytest.mark.parametrize("name", RECORDINGS)
def test_a_bound_of_no_recompiles_gets_one_answer_through_every_door(name):
    found, wanted = RECORDINGS[name], ANSWERS[name][0]
    audit = judge_program(found, ProgramBudget(recompiles=0))
    assert audit.verdict == wanted, audit.reasons
    assert (at_most(found, 0) == "") is (wanted == "passed")
    [measured] = measure([ProgramReport(audits=(audit,))])
    assert measured.verdict == wanted


@pytest.mark.parametrize("name", RECORDINGS)
def test_eager_code_gets_one_answer_through_every_door(name):
    found, wanted = RECORDINGS[name], ANSWERS[name][1]
    audit = judge_program(found, ProgramBudget(fail_on=("eager",)))
    assert audit.verdict == wanted, audit.reasons
    assert (no_eager_fallback(found) == "") is (wanted == "passed")
    assert any(finding.id in EAGER for finding in audit.findings) is (wanted == "failed")


@pytest.mark.parametrize("name", RECORDINGS)
def test_table_and_baseline_hold_the_same_counts(name):
    found = RECORDINGS[name]
    counts = count(found)
    audit = judge_program(found)
    [measured] = measure([ProgramReport(audits=(audit,))])
    assert sum(frame.compiles for frame in audit.frames) == counts.compiles
    assert sum(frame.recompiles for frame in audit.frames) == counts.recompiles
    assert measured.audit.in_warm_up == counts.compiles_in_warm_up
    assert measured.audit.after_warm_up == counts.compiles_after_warm_up
    causes = [finding for finding in audit.findings if finding.pattern is not None]
    assert sum(finding.compiles for finding in causes) == counts.recompiles


def test_a_compile_after_a_reset_is_one_after_warm_up_and_no_recompile():
    counts = count(RECORDINGS["compiled again after a reset"])
    assert (counts.recompiles, counts.recompiles_after_warm_up) == (0, 0)
    assert (counts.compiles, counts.compiles_after_warm_up) == (2, 1)
    found = replace(RECORDINGS["compiled again after a reset"], steady_at=0.1, steady_hits=1)
    bound = ProgramBudget(compiles_after_warm_up=0)
    assert tuple(map(in_words, judge_program(found, bound).reasons)) == (
        "1 compile after warm-up, 0 allowed",
    )
    assert judge_program(found, ProgramBudget(recompiles_after_warm_up=0)).verdict == "passed"


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("limit hit", "the recompile limit was hit by Host.forward"),
        ("accumulated limit hit", "the accumulated recompile limit was hit by Host.forward"),
        ("refused at the limit", "the recompile limit was hit by Host.forward"),
        ("failed", "helper failed to compile"),
        ("refused", "0 recompiles and 2 refused, 0 allowed"),
        ("refused its first compile", "helper was refused its first compile"),
        ("matched nothing", "4 calls matched no cache entry and nothing was compiled"),
    ],
)
def test_a_failure_says_what_happened(name, said):
    assert said in all_in_words(
        judge_program(RECORDINGS[name], ProgramBudget(recompiles=0)).reasons
    )


def test_attempts_that_failed_or_were_refused_are_counted_with_their_reason():
    [finding] = [e for e in judge_program(RECORDINGS["failed"]).findings if e.attempts]
    assert (finding.id, finding.frame, finding.attempts) == ("compile-failed", OTHER, 2)
    assert (finding.text, finding.raised) == ("Unsupported: print", True)
    [finding] = [e for e in judge_program(RECORDINGS["refused"]).findings if e.attempts]
    assert (finding.id, finding.attempts) == ("compile-refused", 2)


def test_a_call_that_a_stance_refused_names_the_line_that_set_it():
    line = Location("/p/serve.py", 12)
    stances = (Stance("fail_on_recompile", line, at=0.0),)
    found = recording((), [*made(), refused(1, "fail_on_recompile")], stances=stances)
    [finding] = [finding for finding in judge_program(found).findings if finding.attempts]
    assert (finding.refused_by, finding.written_by) == ("fail_on_recompile", line)


def test_a_failed_compile_that_torch_gave_up_on_is_told_once():
    given_up = failed(1, frame=OTHER, runs_after=RunsAfter.EAGER, unsupported=True)
    ids = [finding.id for finding in judge_program(recording((), [*made(), given_up])).findings]
    assert ids == ["eager-unsupported"]


# --- replays, at the gate ---

WARM = step(0, phase=Phase.WARM_UP)
FIRST = compiled(0, phase=Phase.WARM_UP)


def judged(steps, compiles=(), **fields):
    found = recording(steps, compiles, **fields)
    return judge(replay(found), found.environment)


def gated(now, before, *fail_on):
    def measured(audit):
        return measure(
            [
                Report(
                    environment=audit.recording.environment,
                    verdict=AuditVerdict.PASSED,
                    audits=(audit,),
                )
            ]
        )

    baseline = [entry for audit in measured(before) for entry in audit.entries]
    return verdict_of(hold_against(measured(now), baseline, fail_on or None)).value


WHOLE = judged([WARM, step(1, hits=1)], [FIRST])
BROKEN = judged(
    [WARM, step(1, hits=1)], [replace(FIRST, graph_breaks=(GraphBreak("print", None),))]
)
EAGERLY = judged([WARM, step(1)], [FIRST])
LIMITED = judged([WARM, step(1, misses=1)], [FIRST, replace(limit(), step=1, phase=Phase.STEADY)])
FAILING = judged([WARM, step(1)], [FIRST, failed(1)])


@pytest.mark.parametrize(
    ("now", "kind"),
    [
        (BROKEN, "graph-break"),
        (EAGERLY, "eager"),
        (EAGERLY, "eager-unexplained"),
        (LIMITED, "eager"),
        (LIMITED, "limit"),
        (FAILING, "eager"),
        (FAILING, "compile-failed"),
    ],
)
def test_the_gate_fails_on_the_kind_that_was_asked_for(now, kind):
    assert gated(now, WHOLE, kind) == "failed"
    assert gated(now, WHOLE, "size-changed") != "failed"


def test_graph_breaks_and_eager_steps_of_a_replay_are_findings():
    assert [found.id for found in BROKEN.findings] == ["graph-break"]
    [finding] = EAGERLY.findings
    assert (finding.id, finding.frame, since_words(finding.since)) == (
        "eager-unexplained",
        FRAME,
        "step 1",
    )


@pytest.mark.parametrize("name", ["recompile_limit", "accumulated_recompile_limit"])
@pytest.mark.parametrize("place", [0, 1])
def test_a_limit_never_passes_in_a_replay_not_even_in_warm_up(name, place):
    hit = replace(limit(), step=place, limit=name)
    audit = judged([step(0, misses=1, phase=Phase.WARM_UP), step(1, hits=1)], [FIRST, hit])
    assert audit.verdict == "failed"
    assert ("accumulated" in all_in_words(audit.reasons)) is (name == "accumulated_recompile_limit")


def test_a_refused_recompile_fails_a_replay():
    steps = [WARM, step(1, misses=1, error="RecompileError"), step(2, hits=1)]
    audit = judged(steps, [FIRST, refused(1)])
    assert audit.verdict == "failed"
    assert "0 compiles and 1 refused after warm-up, 0 allowed" in all_in_words(audit.reasons)


def test_a_stance_that_leaves_calls_eager_leaves_no_bound_of_recompiles_proven():
    line = Location("/p/serve.py", 12)
    late = {"stances": (Stance("eager_on_recompile", line),), "lookups": Lookups(9, 4)}
    found = recording((), made(), **late)
    assert judge_program(found, ProgramBudget(recompiles=0)).verdict == "failed"
    assert "set_stance('eager_on_recompile'): 4 calls matched no cache entry" in at_most(found, 0)
    unrelated = replace(found, stances=(Stance("force_eager", line),))
    assert "4 calls matched no cache entry" in at_most(unrelated, 0)


def test_a_frame_without_a_graph_is_no_proof_though_it_matches():
    hits = recording(lookups=REUSING, graphs_before=0)
    assert at_most(hits, 0).startswith("Not completed")
    assert at_most(replace(hits, graphs_before=3), 0) == ""
    empty = compiled(7, graph_runs=None, phase=Phase.WARM_UP)
    late = {"steady_at": 0.1, "steady_hits": 1, "steady_runs": 1, "graphs_before": 0}
    found = recording((), [*made(), empty], lookups=REUSING, **late)
    bound = ProgramBudget(recompiles_after_warm_up=0)
    assert judge_program(found, bound).verdict == "error"
    assert judge_program(replace(found, steady_runs=0), bound).verdict == "passed"


def test_a_part_of_a_recording_is_proven_by_graphs_that_were_compiled_before_it():
    before = recording((), made(runs=2), lookups=Lookups(1, 0), graphs_before=0)
    ran = recording((), made(runs=5), lookups=Lookups(4, 0), graphs_before=0)
    assert at_most(window(before, ran), 0) == ""
    idle = replace(before, lookups=Lookups(4, 0))
    assert at_most(window(before, idle), 0).startswith("Not completed")
