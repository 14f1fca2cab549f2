"""Storm, convergence, alternation, single; and what a storm will cost."""

from __future__ import annotations

from dataclasses import replace

from builders import compiled, failure, judged

from esper_audit.data.compiles import Outcome, Write
from esper_audit.data.findings import Pattern
from esper_audit.data.places import Location as Line
from esper_audit.data.reasons import Reason, Why
from esper_audit.data.stages import Seconds
from esper_audit.data.verdicts import StepVerdict
from esper_audit.diagnosis import root_causes
from esper_audit.report.blocks import details
from esper_audit.report.words.findings import during_words, forecast_words


def again(number, value, runs=1, before=None, source="self.alpha", expected="0.5", **fields):
    """Recompile ``number`` of a frame, whose graph ran so often afterwards."""
    guard = failure("0/0", source, expected=expected, actual=value)
    given = {"graph_runs": runs, "calls_before": number if before is None else before, **fields}
    return compiled(given.pop("step", number), Outcome.RECOMPILED, guard_failures=(guard,), **given)


def first(runs=1):
    return compiled(0, graph_runs=runs)


def pattern(compiles):
    return root_causes(compiles)[0].pattern


def test_a_recompile_at_each_call_is_a_storm():
    assert pattern([first(), *(again(n, f"0.{n}") for n in range(1, 5))]) is Pattern.STORM


def test_one_new_value_for_which_each_variant_compiles_again_is_single():
    assert pattern([first(), again(1, "0.1"), again(2, "0.1")]) is Pattern.SINGLE


def test_new_values_for_which_each_variant_compiles_again_are_a_storm():
    values = ("0.1", "0.1", "0.2", "0.2", "0.3", "0.3")
    calls = [again(n + 1, value) for n, value in enumerate(values)]
    assert pattern([first(), *calls]) is Pattern.STORM


def test_new_objects_that_look_alike_are_a_storm():
    calls = [again(n, "Foo object", source="self.mode", expected="Foo object") for n in (1, 2, 3)]
    assert pattern([first(), *calls]) is Pattern.STORM


def test_what_can_be_symbolic_converges_after_its_last_recompile():
    assert pattern([first(), again(1, "0.1"), again(2, "0.2", runs=50)]) is Pattern.CONVERGENCE


FLAGS = {"source": "self.mode", "expected": "'a'"}


def test_two_values_that_nothing_shows_to_return_are_variants():
    calls = [first(), again(1, "'b'", **FLAGS), again(2, "'c'", runs=50, **FLAGS)]
    assert pattern(calls) is Pattern.VARIANTS


def test_two_new_values_are_no_storm():
    assert pattern([first(), again(1, "0.1"), again(2, "0.2")]) is Pattern.VARIANTS


def test_a_value_whose_code_ran_again_makes_an_alternation():
    calls = [first(), again(1, "'b'", ran_after=2, **FLAGS), again(2, "'c'", **FLAGS)]
    assert pattern(calls) is Pattern.ALTERNATION


def test_code_that_runs_on_after_a_recompile_of_another_cause_did_not_come_back():
    size = compiled(2, Outcome.RECOMPILED, guard_failures=(failure("0/0", "x", actual="7"),))
    calls = [first(), again(1, "'b'", ran_after=2, **FLAGS), size]
    assert {f.source: f.pattern for f in root_causes(calls)}["self.mode"] is Pattern.SINGLE


def test_values_that_came_back_make_no_storm():
    back = [again(n, f"0.{n}", ran_after=4) for n in (1, 2)]
    assert pattern([first(), *back, again(3, "0.3"), again(4, "0.4")]) is Pattern.ALTERNATION


def test_three_values_that_never_came_back_are_a_storm_beside_one_that_did():
    new = [again(n, f"0.{n}") for n in (2, 3, 4)]
    assert pattern([first(), again(1, "0.1", ran_after=4), *new]) is Pattern.STORM


def test_values_that_took_turns_until_the_limit_are_no_storm():
    values = ("2", "1", "2", "1")
    turns = [again(n, value, expected="1") for n, value in enumerate(values, 1)]
    limit = compiled(5, Outcome.LIMIT, guard_failures=(failure(expected="1", actual="2"),))
    assert pattern([first(), *turns, limit]) is Pattern.ALTERNATION


def test_values_that_came_back_are_no_convergence():
    turns = [again(n, v, expected="1") for n, v in enumerate(("2", "1", "2"), 1)]
    assert pattern([first(), *turns[:2], replace(turns[2], graph_runs=90)]) is Pattern.ALTERNATION


def test_the_members_of_an_enum_are_no_storm():
    calls = [again(n, f"Mode.{name}", expected="Mode.A") for n, name in enumerate("BCDE", 1)]
    assert pattern([first(), *calls]) is Pattern.VARIANTS


def sized(number, actual, **fields):
    guard = failure(
        source="L['x'].size()[0]", kind="SHAPE_EXPRESSION", expected=">= 2", actual=actual
    )
    return compiled(number, Outcome.RECOMPILED, guard_failures=(guard,), **fields)


def test_sizes_0_and_1_are_no_storm_even_at_the_limit():
    limit = sized(3, "1")
    found = root_causes([first(), sized(1, "1", limit="recompile_limit"), sized(2, "0"), limit])[0]
    assert (found.pattern, found.forecast) == (Pattern.ALTERNATION, None)


def test_grad_mode_has_two_values_and_no_forecast():
    fields = {"kind": "GLOBAL_STATE", "source": "<global state>"}
    guards = [failure(actual=f"changed: grad_mode {n}", **fields) for n in range(4)]
    made = [
        compiled(n, Outcome.RECOMPILED, guard_failures=(guard,), recompiles_left=3)
        for n, guard in enumerate(guards, 1)
    ]
    found = root_causes([first(), *made])[0]
    assert found.pattern is not Pattern.STORM
    assert found.forecast is None


def test_the_same_values_again_and_again_are_an_alternation():
    values = ("'b'", "'a'", "'b'", "'a'")
    calls = [again(n + 1, v, source="self.mode", expected="'x'") for n, v in enumerate(values)]
    assert pattern([first(), *calls]) is Pattern.ALTERNATION


def test_one_recompile_whose_old_variant_ran_again_is_an_alternation():
    flags = {"source": "self.training", "expected": "True"}
    before = compiled(0, id="0/0", ran_after=1)
    assert pattern([before, again(1, "False", **flags)]) is Pattern.ALTERNATION


def test_an_entry_that_was_compiled_for_the_old_value_later_is_an_alternation():
    flags = {"source": "self.training", "expected": "True", "actual": "False"}
    off = [failure("0/0", **flags), failure("0/2", **flags)]
    made = [
        compiled(n, Outcome.RECOMPILED, guard_failures=(g,))
        for n, g in zip((1, 3), off, strict=True)
    ]
    between = compiled(2, Outcome.RECOMPILED, guard_failures=(failure("0/0", "x"),))
    found = {f.source: f.pattern for f in root_causes([first(), made[0], between, made[1]])}
    assert found["self.training"] is Pattern.ALTERNATION


def test_one_recompile_whose_old_variant_did_not_run_again_is_single():
    flags = {"source": "self.training", "expected": "True"}
    before = compiled(0, id="0/0", ran_after=0)
    assert pattern([before, again(1, "False", **flags)]) is Pattern.SINGLE


def test_a_storm_says_how_many_changes_are_left_and_what_they_cost():
    calls = [
        again(n, f"0.{n}", recompiles_left=8 - n, seconds=Seconds(2.0), before=n) for n in (1, 2, 3)
    ]
    said = forecast_words(root_causes([first(), *calls])[0].forecast)
    assert said.startswith("5 more values at 2 s each (10.0 s) until the recompile limit")


def test_a_forecast_counts_values_and_not_recompiles():
    values = ("0.1", "0.1", "0.2", "0.2", "0.3", "0.3")
    calls = [
        again(n, value, recompiles_left=12 - n, seconds=Seconds(2.0))
        for n, value in enumerate(values, 1)
    ]
    said = forecast_words(root_causes([first(), *calls])[0].forecast)
    assert said.startswith("3 more values at 4 s each (12.0 s) until the recompile limit")


def test_a_storm_at_the_limit_says_that_the_rest_runs_eagerly():
    limit = compiled(2, Outcome.LIMIT, guard_failures=(failure(actual="0.9"),))
    said = forecast_words(root_causes([first(), again(1, "0.1"), limit])[0].forecast)
    assert said == "each further value runs eagerly"


def test_nothing_else_has_a_forecast():
    assert root_causes([first(), again(1, "0.1")])[0].forecast is None


WRITER = Line("/p/slot.py", 120, "Slot.set_alpha")
CALLER = Line("/p/train.py", 88, "main")
CALL = Line("/p/train.py", 90, "main")


def test_a_finding_names_the_writer_and_its_caller():
    write = Write("self.alpha", WRITER, CALLER)
    found = root_causes([first(), again(1, "0.1", writes=(write,), stack=(CALL,))])[0]
    assert (found.written_by, found.called_from, found.no_writer) == (WRITER, CALLER, None)


def test_a_finding_without_a_writer_names_the_call_and_says_why():
    write = Write("self.alpha", unknown=Reason(why=Why.OTHER_TRACER))
    found = root_causes([first(), again(1, "0.1", writes=(write,), stack=(CALL,))])[0]
    assert (found.written_by, found.called_from) == (None, CALL)
    assert found.no_writer == Reason(why=Why.OTHER_TRACER)


def test_a_recording_that_was_not_watched_says_so():
    found = root_causes([first(), again(1, "0.1")])[0]
    assert found.no_writer == Reason(why=Why.NOT_RECORDED)


def test_of_several_writers_the_first_that_is_known_is_named():
    nobody = Write("self.alpha", unknown=Reason(why=Why.SEVERAL_THREADS))
    first_known, later = Write("self.alpha", WRITER), Write("self.alpha", CALL)
    writes = ((1, nobody), (2, first_known), (3, later))
    calls = [again(n, f"0.{n}", writes=(write,)) for n, write in writes]
    assert root_causes([first(), *calls])[0].written_by == WRITER


def test_each_line_that_wrote_is_named_with_its_recompiles():
    lines = (WRITER, CALL, WRITER, CALLER, replace(CALL, line=91))
    calls = [
        again(n, f"0.{n}", writes=(Write("self.alpha", line, CALL),))
        for n, line in enumerate(lines, 1)
    ]
    found = root_causes([first(), *calls])[0]
    assert [(writer.location.line, writer.recompiles) for writer in found.writers] == [
        *((120, 2), (90, 1), (88, 1), (91, 1))
    ]
    told = [line for line in details(found) if "written by" in line or "more line" in line]
    assert told[0].endswith("called from /p/train.py:90 in main: 2 recompiles")
    assert told[3:] == ["and by 1 more line"]


def in_step(number, label):
    return again(number, f"0.{number}", step=number, label=label)


def test_a_cause_names_the_steps_of_the_program_in_which_it_recompiled():
    made = [first(), *(in_step(n, f"epoch {n}") for n in (1, 2))]
    found = root_causes(made, after_warm_up_only=False)[0]
    assert during_words(found.during) == "in steps 'epoch 1', 'epoch 2'"


def test_of_many_steps_the_first_are_named_and_all_are_kept():
    found = root_causes([first(), *(in_step(n, f"epoch {n}") for n in range(1, 8))])[0]
    assert during_words(found.during).endswith("'epoch 4', … (7 steps)")
    assert [step.label for step in found.during][-1] == "epoch 7"


def test_a_step_of_a_replay_is_named_by_what_happened_before_it():
    steps = [judged(1, StepVerdict.RECOMPILED, label="set_alpha(0.1)")]
    found = root_causes([again(1, "0.1")], steps)[0]
    assert during_words(found.during) == "in step 1 after set_alpha(0.1)"


def test_outside_of_every_step_none_is_named():
    made = compiled(None, Outcome.RECOMPILED, guard_failures=(failure(),))
    assert during_words(root_causes([made])[0].during) == ""


def test_threads_that_compile_at_once_are_no_storm():
    race = failure(kind="CONCURRENT", source="<another thread>", expected="", actual="", text="")
    made = [compiled(number, Outcome.RECOMPILED, guard_failures=(race,)) for number in range(4)]
    [found] = root_causes(made)
    assert (found.pattern, found.forecast, found.compiles) == (Pattern.SINGLE, None, 4)


def test_a_writer_of_some_recompiles_is_not_told_as_that_of_all():
    calls = [again(n, f"0.{n}", writes=(Write("self.alpha", WRITER),)) for n in (1, 2)]
    found = root_causes([first(), *calls, again(3, "0.3")])[0]
    assert any(line.endswith(": 2 of 3 recompiles") for line in details(found))


def test_the_step_that_the_limit_refused_is_no_step_of_a_recompile():
    guard = failure("0/0", actual="0.9")
    limit = compiled(3, Outcome.LIMIT, guard_failures=(guard,), label="epoch 3")
    found = root_causes([first(), in_step(1, "epoch 1"), limit])[0]
    assert [step.label for step in found.during] == ["epoch 1"]


def test_each_call_that_passed_an_argument_is_named():
    passed = Write("self.alpha", unknown=Reason(why=Why.IS_ARGUMENT))
    calls = [
        again(n, f"0.{n}", writes=(passed,), stack=(line,))
        for n, line in enumerate((CALL, CALLER, CALL), 1)
    ]
    found = root_causes([first(), *calls])[0]
    told = [line for line in details(found) if "passed by" in line]
    assert told[0].endswith("train.py:90 in main: 2 recompiles")
    assert told[1].endswith("train.py:88 in main: 1 recompile")
