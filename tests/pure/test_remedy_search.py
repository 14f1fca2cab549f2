from __future__ import annotations

from dataclasses import replace

from builders import compiled, failure, judged
from remedy_builders import (
    PASSED,
    STORM,
    TEXT,
    C,
    E,
    R,
    S,
    cause,
    edit,
    finding,
    lever,
    ran,
)

from esper_audit.data.comparisons import Comparison
from esper_audit.data.compiles import Outcome
from esper_audit.data.diagnoses import Diagnosis
from esper_audit.data.findings import Pattern
from esper_audit.data.remedies import Because, Ground, LeverKind, NotMade, Reach, RemedyState
from esper_audit.remedies import combined
from esper_audit.remedies.candidates import Candidates, candidates_of, causes_of, group_of
from esper_audit.remedies.search import Search

PROCESS = lever("recompile_limit", Reach.PROCESS, LeverKind.CONFIG, "64")
SOURCE = lever("dynamic_sources", Reach.SOURCE, LeverKind.CONFIG, "'a'")
REHEARSAL = lever("warm-up", Reach.PROCESS, LeverKind.WARM_UP, "")
UNSAFE = lever("drop", Reach.SOURCE, LeverKind.DROP_GUARD, "x", unsafe=True)
OTHER = ran(*(C, R) * 4, findings=[finding("self.beta")])


def search(*remedies, before=STORM, follow_ups=(), **fields):
    """A search whose candidates are these; ``follow_ups`` for what a remedy leaves."""

    def make(audit, texts):
        return Candidates(tuple(follow_ups if audit is not before else remedies))

    found = Search(before, make, **fields)
    found.begin()
    return found


def run(found: Search, results) -> list[list[str]]:
    """Drive a search by the audit that each remedy gives; the waves, by names."""
    waves: list[list[str]] = []
    while True:
        wave = found.wave()
        if not wave:
            following = found.to_follow()
            if following is None:
                return waves
            assert following.after is not None
            found.follow(following, following.after)
            continue
        waves.append([tried.remedy.id for tried in wave])
        for tried in wave:
            found.learn(tried, results.get(tried.remedy.id, STORM))
        for tried in found.to_settle():
            tried.settled = True


def states(fix):
    return [(trial.id, trial.state) for trial in fix.trials]


# --- the order ---


def test_candidates_come_cheapest_and_safest_first():
    given = [UNSAFE, REHEARSAL, PROCESS, edit(), lever(), SOURCE]
    found = candidates_of(STORM, [lambda *_: given]).remedies
    assert [group_of(one) for one in found] == [0, 0, 1, 2, 3, 4]
    assert [one.id for one in found][:2] == ["dynamic_sources", "dynamic"]


def test_two_causes_that_ask_for_one_remedy_share_it():
    case = ran(C, R, findings=[finding(), finding("self.beta")])
    found = candidates_of(case, [lambda own, _: [lever(covers=(own,))]]).remedies
    assert len(found) == 1
    assert [one.source for one in found[0].covers] == ["self.alpha", "self.beta"]


def test_sources_that_fail_together_are_freed_together_first():
    case = ran(C, R, findings=[finding(sources=("self.alpha", "self.beta"))])

    def make(own, _):
        name = repr(own.source)
        return [lever("dynamic_sources", Reach.SOURCE, LeverKind.CONFIG, name, covers=(own,))]

    first, *_ = candidates_of(case, [make]).remedies
    assert first.levers[0].value == "'self.alpha,self.beta'"
    assert len(first.covers) == 2


def test_a_cause_knows_the_name_that_torch_gives_its_source():
    failed = failure(source="self.alpha", torch_source="L['self'].alpha")
    made = compiled(2, Outcome.RECOMPILED, guard_failures=(failed,))
    (found,) = causes_of(ran(C, R, findings=[finding()], compiles=(made,)))
    assert found.torch_source == "L['self'].alpha"


def test_a_graph_break_that_is_allowed_is_no_cause():
    broken = finding("", Diagnosis.GRAPH_BREAK)
    assert causes_of(ran(C, findings=[broken])) == ()
    assert len(causes_of(ran(C, findings=[broken], fail_on=("graph-break",)))) == 1


# --- the search ---


def test_a_lever_and_a_patch_are_tried_side_by_side():
    found = search(SOURCE, lever(), edit())
    assert run(found, {}) == [["dynamic_sources", "buffer"], ["dynamic"]]


def test_of_two_that_prove_equal_the_edit_is_best():
    found = search(SOURCE, edit())
    run(found, {"dynamic_sources": PASSED, "buffer": PASSED})
    fix = found.fix("/p")
    assert fix.trials[fix.best].id == "buffer"
    assert fix.trials[fix.best].diff.startswith("--- a/host.py\n+++ b/host.py\n")


def test_of_two_levers_that_prove_equal_the_narrower_is_best():
    found = search(lever(), SOURCE)
    run(found, {"dynamic_sources": PASSED, "dynamic": PASSED})
    fix = found.fix("/p")
    assert fix.trials[fix.best].id == "dynamic_sources"


def test_of_two_patches_that_prove_equal_the_one_without_a_lever_is_best():
    marked = replace(edit(20, name="marked"), levers=SOURCE.levers)
    found = search(marked, edit(3))
    run(found, {"marked": PASSED, "buffer": PASSED})
    assert found.best.remedy.id == "buffer"


def test_what_can_make_output_wrong_is_best_only_where_nothing_else_is():
    found = search(UNSAFE, edit())
    run(found, {"drop": PASSED})
    assert found.best.remedy.id == "drop"
    found = search(UNSAFE, PROCESS)
    run(found, {"drop": PASSED, "recompile_limit": PASSED})
    assert found.best.remedy.id == "recompile_limit"


def test_what_can_make_output_wrong_waits_for_all_else():
    found = search(UNSAFE, edit(3), edit(20, name="other"), follow_ups=[PROCESS])
    waves = run(found, {"buffer": OTHER, "drop": PASSED})
    assert waves[0] == ["buffer", "other"]
    assert waves[-1] == ["drop"]
    assert ["buffer + recompile_limit"] in waves


def test_what_leaves_fewer_causes_is_followed_before_the_rest_is_tried():
    two = ran(*(C, R) * 4, findings=[finding(), finding("self.beta")])
    found = search(lever(), edit(), PROCESS, before=two)
    for tried in found.wave():
        found.learn(tried, OTHER if tried.remedy.edits else two)
    assert found.to_follow_now().remedy.id == "buffer"
    assert search(lever()).to_follow_now() is None


def test_no_kind_of_remedy_is_crowded_out_of_what_is_added():
    levers = [lever(f"k{n}", value=str(n)) for n in range(9)]
    found = search(SOURCE, follow_ups=[*levers, edit()])
    (tried,) = found.wave()
    found.learn(tried, OTHER)
    found.follow(tried, OTHER)
    names = [one.remedy.id for one in found.waiting]
    assert names[-1] == "dynamic_sources + buffer" and len(names) == 4


def test_the_first_wave_with_a_proof_ends_the_search():
    found = search(SOURCE, lever(), PROCESS)
    assert run(found, {"dynamic": PASSED}) == [["dynamic_sources", "dynamic"]]
    last = found.fix("/p").trials[-1]
    assert (last.id, last.state, last.because.ground) == (
        "recompile_limit",
        RemedyState.NOT_TRIED,
        Ground.NOT_NEEDED,
    )


def test_all_goes_on_after_a_proof():
    found = search(SOURCE, lever(), PROCESS, all_=True)
    assert run(found, {"dynamic": PASSED}) == [["dynamic_sources", "dynamic"], ["recompile_limit"]]


def test_a_pass_that_was_not_settled_is_not_proven():
    found = search(lever())
    (tried,) = found.wave()
    found.learn(tried, PASSED)
    fix = found.fix("/p", interrupted=True)
    assert fix.best is None
    assert fix.trials[0].state is RemedyState.UNPROVEN
    assert fix.because.ground is Ground.INTERRUPTED


def test_what_a_remedy_leaves_is_tried_with_remedies_for_it():
    found = search(lever(), follow_ups=[PROCESS])
    results = {"dynamic": OTHER, "dynamic + recompile_limit": PASSED}
    assert run(found, results) == [["dynamic"], ["dynamic + recompile_limit"]]
    assert found.best.depth == 2


def test_three_are_the_most_that_are_combined():
    found = search(lever(), follow_ups=[PROCESS, SOURCE, edit()])
    waves = run(found, dict.fromkeys(("dynamic", "dynamic + recompile_limit"), OTHER))
    names = [name for wave in waves for name in wave]
    assert "dynamic + recompile_limit + dynamic_sources" in names
    assert max(name.count("+") for name in names) == 2


def test_a_follow_up_is_made_from_the_texts_that_the_first_leaves():
    seen = []

    def make(audit, texts):
        seen.append(dict(texts))
        return Candidates((edit(3),) if not texts else ())

    found = Search(STORM, make)
    found.begin()
    run(found, {"buffer": OTHER})
    assert seen == [{}, {"/p/host.py": TEXT.replace("line 3\n", "buffer 3\n")}]


def test_where_eager_execution_is_as_wrong_nothing_is_tried():
    wrong = (Comparison("eager", "output", True), Comparison("reference", "output", False))
    before = ran(R, S, findings=[finding("", Diagnosis.STALE_OUTPUT)])
    before = replace(before, steps=(*before.steps[:-1], judged(3, S, comparisons=wrong)))
    found = search(lever(), before=before)
    assert found.wave() == []
    assert found.fix("/p").because.ground is Ground.EAGER_IS_WRONG


def test_the_nearest_to_a_proof_says_why_there_is_none():
    found = search(lever(), PROCESS)
    converging = ran(C, *(R,) * 7, findings=[finding(pattern=Pattern.SINGLE)])
    run(found, {"recompile_limit": converging})
    fix = found.fix("/p")
    assert fix.best is None and fix.because.count == 1


def test_a_patch_that_could_not_be_made_says_why_there_is_no_remedy():
    why = Because(ground=Ground.WRITER_OUTSIDE)
    missing = NotMade(id="buffer", covers=(cause(),), because=why)
    found = Search(STORM, lambda *_: Candidates((), (missing,)))
    found.begin()
    fix = found.fix("/p")
    assert fix.because == why
    assert states(fix) == [("buffer", RemedyState.NOT_TRIED)]


def test_a_case_for_which_nothing_is_known_says_so():
    assert search().fix("/p").because.ground is Ground.NO_CANDIDATE


def test_a_fix_counts_the_compiles_and_eager_steps_of_its_case():
    fix = search(before=ran(C, C, E, findings=[finding()])).fix("/p")
    assert (fix.compiles, fix.eager, len(fix.causes)) == (2, 1, 1)


# --- combining ---


def test_edits_of_different_lines_combine_side_by_side():
    both = combined.together([edit(3), edit(20)])
    assert both.edits[0].after.count("buffer") == 2


def test_levers_that_ask_for_two_values_do_not_combine():
    other = lever("recompile_limit", Reach.PROCESS, LeverKind.CONFIG, "9")
    assert combined.together([PROCESS, other]) is None


def test_a_remedy_that_was_not_made_from_what_the_first_leaves_does_not_follow():
    assert combined.after(edit(3), edit(20)) is None


def test_a_combined_remedy_has_the_widest_reach_and_the_least_safety():
    both = combined.together([SOURCE, PROCESS, UNSAFE])
    assert (both.reach, both.unsafe) == (Reach.PROCESS, True)
    assert both.covers == (cause(),)
