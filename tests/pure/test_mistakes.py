"""A mistake in a scenario gets its own words; a scenario without one gets none."""

from __future__ import annotations

from dataclasses import replace

import pytest
from builders import OTHER, compiled, recording, step

from esper_audit.data.compiles import Outcome
from esper_audit.data.steps import Phase
from esper_audit.diagnosis.mistakes import scenario_mistake
from esper_audit.report.words.reasons import in_words

WARM = step(0, misses=1, phase=Phase.WARM_UP)
REUSED = step(1, hits=1)
FIRST = compiled(0, phase=Phase.WARM_UP)
OUTSIDE = compiled(None)


def mistake(found, number=None) -> str:
    return in_words(scenario_mistake(found, number))


def starts(text: str, found: str) -> bool:
    return found.startswith(text) and ": " in found  # and then what to do


@pytest.mark.parametrize(
    "compiles",
    [
        [compiled(0)],
        [compiled(0), compiled(1, Outcome.RECOMPILED)],
        [compiled(0, Outcome.FAILED), compiled(1)],
        [compiled(0), OUTSIDE],
    ],
    ids=["once", "and again", "after a failure", "and outside"],
)
def test_a_first_compile_without_any_warm_up_is_no_recompile(compiles):
    steps = [step(0, misses=1), step(1, hits=1)]
    found = mistake(recording(steps, compiles))
    assert starts("no step ran inside `with replay.warm_up():`", found)


@pytest.mark.parametrize("steps", [[WARM], [WARM, replace(REUSED, phase=Phase.WARM_UP)]])
def test_a_scenario_with_warm_up_alone_is_told_to_go_on(steps):
    found = mistake(recording(steps, [FIRST]))
    assert starts("every step ran inside `with replay.warm_up():`", found)


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (None, "no step ran, so there is nothing to audit"),
        (0, "it never calls `replay.compile`"),
        (1, "it never calls what `replay.compile` returned"),
        (2, "it never calls what `replay.compile` returned"),
    ],
)
def test_a_scenario_without_steps_is_told_what_it_lacks(number, words):
    assert starts(words, mistake(recording(), number))


@pytest.mark.parametrize("steps", [[], [WARM]], ids=["no step", "warm-up alone"])
@pytest.mark.parametrize("number", [None, 0, 1])
def test_code_that_is_compiled_past_the_replay_is_named(steps, number):
    found = mistake(recording(steps, [OUTSIDE]), number)
    assert starts("torch compiled Host.forward outside of every step", found)
    assert "instead of `torch.compile(...)`" in found


def test_names_of_code_outside_are_few_and_each_stands_once():
    frames = [replace(OTHER, name=name) for name in ("a", "b", "b", "c", "d")]
    made = [compiled(None, frame=frame) for frame in frames]
    assert "torch compiled a, b, c, … outside" in mistake(recording([], made))
    assert "torch compiled a, b outside" in mistake(recording([], made[:3]))


@pytest.mark.parametrize(
    ("steps", "compiles"),
    [
        ([WARM, REUSED], [FIRST]),
        ([WARM, REUSED], [FIRST, compiled(1, Outcome.RECOMPILED)]),
        ([WARM, REUSED], [FIRST, OUTSIDE]),
        ([WARM, REUSED], [FIRST, compiled(1)]),
        ([REUSED, WARM], [FIRST]),
        ([step(0, hits=1), REUSED], [OUTSIDE]),
        ([step(0), step(1)], []),
        ([step(0), step(1)], [compiled(0, Outcome.FAILED)]),
        ([step(0), step(1)], [compiled(0, Outcome.SKIPPED)]),
    ],
    ids=[
        "warm-up and reuse",
        "a recompile",
        "also something else compiled",
        "a frame that warm-up did not see",
        "warm-up late",
        "compiled before its steps",
        "eager",
        "a compile that failed",
        "a frame that torch skipped",
    ],
)
def test_what_is_no_mistake_gets_no_words(steps, compiles):
    assert mistake(recording(steps, compiles), 1) == ""
