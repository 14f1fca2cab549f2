"""The scenario API refuses what it can't run, where it is declared."""

from __future__ import annotations

import pytest

from esper_audit import Budget, ramp, scenario, skip
from esper_audit.errors import UsageError
from esper_audit.replay.scenario_api import SkipScenario, value_text


def test_a_bare_decorator_is_enough():
    @scenario
    def calm(replay):
        """Is it
        calm?

        More words.
        """

    assert (calm.name, calm.question, calm.params) == ("calm", "Is it calm?", {})


def test_what_is_declared_is_kept():
    @scenario(params={"n": (1, 2)}, budget=Budget(recompiles=3), time_limit=5)
    def counted(replay, n):
        """How many?"""

    assert counted.params == {"n": (1, 2)}
    assert (counted.budget.recompiles, counted.time_limit) == (3, 5)


@pytest.mark.parametrize("params", [{}, {"n": (1,), "m": (2,)}, {"m": (1,)}])
def test_parameters_must_be_those_of_the_function(params):
    with pytest.raises(UsageError, match=r"takes \['n'\] after replay"):

        @scenario(params=params)
        def counted(replay, n):
            """How many?"""


def test_a_parameter_without_values_is_refused():
    with pytest.raises(UsageError, match="has no values"):

        @scenario(params={"n": ()})
        def counted(replay, n):
            """How many?"""


def test_two_values_with_one_text_are_refused():
    with pytest.raises(UsageError, match="two values of f that read the same"):

        @scenario(params={"f": (lambda x: x, lambda x: x + 1)})
        def twins(replay, f):
            """Which?"""


def test_ramp_includes_both_ends():
    assert ramp(0.0, 1.0, 5) == (0.0, 0.25, 0.5, 0.75, 1.0)
    assert (ramp(0.3, 1.0, 1), ramp(0.3, 1.0, 0)) == ((0.3,), ())


def test_skip_carries_its_reason():
    with pytest.raises(SkipScenario, match="no GPU"):
        skip("no GPU")


def test_values_are_named_by_their_text():
    assert [value_text(value) for value in ("a", 1, 0.5, dict, None)] == [
        "a",
        "1",
        "0.5",
        "dict",
        "None",
    ]
