"""The verdict of a step follows from evidence alone, worst first."""

from __future__ import annotations

import pytest
from builders import FRAME, OTHER, compiled, recording, step, told

from esper_audit.data.comparisons import Comparison
from esper_audit.data.compiles import DeferredWork, Outcome, RunsAfter, SkippedFrame
from esper_audit.data.notices import LostEvidence
from esper_audit.data.places import Frame, Location
from esper_audit.data.verdicts import StepVerdict
from esper_audit.diagnosis import judge_steps

STALE = (Comparison("reference", "output", False),)
UNCOMPARED = (Comparison("eager", "output", None, why=told("can't be copied")),)


def verdicts(*args, **kwargs) -> list[str]:
    return [judged.verdict.value for judged in judge_steps(recording(*args, **kwargs))]


def test_a_matching_lookup_proves_reuse():
    assert verdicts([step(0, hits=1)]) == ["reused"]


def test_a_first_compile_is_compiled_and_a_later_one_recompiled():
    compiles = [compiled(0), compiled(1, Outcome.RECOMPILED)]
    assert verdicts([step(0), step(1, misses=1)], compiles) == ["compiled", "recompiled"]


def test_no_lookup_and_no_compile_is_eager():
    assert verdicts([step(0)]) == ["eager"]


def test_a_miss_that_no_compile_answers_is_eager():
    assert verdicts([step(0, hits=1, misses=1)]) == ["eager"]


def test_the_recompile_limit_is_eager_although_a_count_stands_still():
    limit = compiled(0, Outcome.LIMIT, runs_after=RunsAfter.CACHED_ONLY)
    assert verdicts([step(0, misses=1), step(1, misses=1)], [limit]) == ["eager", "eager"]


def test_an_old_value_still_reuses_after_the_limit():
    limit = compiled(0, Outcome.LIMIT, runs_after=RunsAfter.CACHED_ONLY)
    assert verdicts([step(0, misses=1), step(1, hits=1)], [limit]) == ["eager", "reused"]


def test_a_frame_skipped_for_good_stays_eager_even_if_callees_are_compiled():
    skipped = compiled(0, Outcome.SKIPPED, runs_after=RunsAfter.EAGER, cache_entries_before=0)
    callee = compiled(1, frame=OTHER)
    steps = [step(0), step(1), step(2, hits=1)]
    assert verdicts(steps, [skipped, callee]) == ["eager", "eager", "eager"]


def test_a_frame_refused_before_it_was_compiled_is_eager():
    skip = SkippedFrame(FRAME, "dispatch mode", step=0, for_good=True)
    assert verdicts([step(0), step(1, hits=1)], skips=(skip,)) == ["eager", "eager"]


def test_a_skipped_helper_does_not_make_its_caller_eager():
    helper = compiled(
        0, Outcome.SKIPPED, frame=OTHER, runs_after=RunsAfter.EAGER, cache_entries_before=0
    )
    assert verdicts([step(0), step(1, hits=1)], [compiled(0), helper]) == ["compiled", "reused"]


def test_a_failed_compile_is_eager():
    assert verdicts([step(0, misses=1)], [compiled(0, Outcome.FAILED)]) == ["eager"]


def test_compiled_code_without_an_operation_is_eager():
    empty = compiled(0, graph_ops=0)
    assert verdicts([step(0), step(1, hits=1)], [empty]) == ["eager", "eager"]


def test_wrong_output_outweighs_how_it_was_computed():
    assert verdicts([step(0, comparisons=STALE)]) == ["stale"]
    assert verdicts([step(0, hits=1, comparisons=STALE)]) == ["stale"]


def test_what_could_not_be_compared_proves_nothing():
    assert verdicts([step(0, hits=1, comparisons=UNCOMPARED)]) == ["unknown"]


def test_a_step_that_raised_proves_nothing():
    assert verdicts([step(0, hits=1, error="ValueError: no")]) == ["unknown"]


def test_without_lookups_no_step_is_called_reused():
    lost = LostEvidence(
        "torch._C._dynamo.eval_frame.set_guard_complete_hook", "2.99", "x", "lookup"
    )
    assert verdicts([step(0)], lost=(lost,)) == ["unknown"]


def test_two_callables_have_roots_of_their_own():
    skipped = compiled(0, Outcome.SKIPPED, runs_after=RunsAfter.EAGER, cache_entries_before=0)
    second = compiled(1, frame=OTHER)
    steps = [step(0), step(1, callable_index=1), step(2, hits=1, callable_index=1), step(3)]
    assert verdicts(steps, [skipped, second]) == ["eager", "compiled", "reused", "eager"]


@pytest.mark.parametrize("verdict", StepVerdict)
def test_every_verdict_says_why(verdict):
    compiles = [compiled(1), compiled(2, Outcome.RECOMPILED)]
    steps = [
        step(0, comparisons=STALE),
        step(1),
        step(2, misses=1),
        step(3, hits=1),
        step(4),
        step(5, hits=1, comparisons=UNCOMPARED),
    ]
    found = [
        judged for judged in judge_steps(recording(steps, compiles)) if judged.verdict is verdict
    ]
    assert found
    assert all(judged.because for judged in found)


RESUME = Frame(
    "Host.torch_dynamo_resume_in_forward_at_13",
    "/p/host.py",
    7,
    "host.py:Host.torch_dynamo_resume_in_forward",
    "Host.torch_dynamo_resume_in_forward_at_13",
)


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        (Location("/p/host.py", 14, "Host.forward"), "eager"),
        (Location("/p/host.py", 12, "Host.forward"), "reused"),
        (Location("/p/host.py", 14, "Host.other"), "reused"),
        (Location("/p/elsewhere.py", 14, "Host.forward"), "reused"),
    ],
)
def test_operations_in_a_resume_function_that_torch_gave_up_make_a_step_eager(line, wanted):
    given_up = compiled(
        0, Outcome.SKIPPED, frame=RESUME, runs_after=RunsAfter.EAGER, cache_entries_before=0
    )
    steps = [step(0), step(1, hits=1, operations=(line,))]
    assert verdicts(steps, [compiled(0), given_up]) == ["compiled", wanted]


def test_code_that_torch_gave_up_for_one_callable_is_eager_for_another():
    skipped = compiled(0, Outcome.SKIPPED, runs_after=RunsAfter.EAGER, cache_entries_before=0)
    inner = compiled(1, frame=OTHER)
    line = Location(FRAME.file, 8, FRAME.raw_name)
    steps = [
        step(0),
        step(1, callable_index=1, operations=(line,)),
        step(2, hits=1, callable_index=1, operations=(line,)),
    ]
    assert verdicts(steps, [skipped, inner]) == ["eager", "eager", "eager"]


def test_a_root_refused_before_its_callees_compiled_is_the_root():
    skip = SkippedFrame(FRAME, "disabled", step=0, for_good=True, sequence=0)
    callee = compiled(0, frame=OTHER)
    assert verdicts([step(0), step(1, hits=1)], [callee], skips=(skip,)) == ["eager", "eager"]


def test_a_helper_refused_after_its_caller_compiled_is_no_root():
    skip = SkippedFrame(OTHER, "disabled", step=0, for_good=True, sequence=1)
    found = verdicts([step(0), step(1, hits=1)], [compiled(0)], skips=(skip,))
    assert found == ["compiled", "reused"]


def test_a_backward_that_is_compiled_in_a_step_is_a_compile():
    rows = (DeferredWork("backward", "0/0", 0, 0.1), DeferredWork("runtime", "0/0", 1, 0.1))
    assert verdicts([step(0, hits=1), step(1, hits=1)], deferred=rows) == ["compiled", "reused"]
