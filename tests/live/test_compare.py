"""A difference says where two results differ, how far, and beyond which tolerance."""

from __future__ import annotations

import pytest
import torch

from esper_audit.data.reasons import Reason, Why
from esper_audit.replay.compare import (
    DEFAULT_TOLERANCES,
    CannotCompare,
    difference,
    root_mean_square,
)
from esper_audit.report.words.reasons import in_words


@pytest.mark.parametrize(
    ("actual", "expected", "said"),
    [
        ({"a": torch.ones(2)}, {"a": torch.zeros(2)}, "output['a'] differs from eager by up to 1"),
        ({"a": 1}, {"b": 1}, "it has the keys ['a'] instead of ['b']"),
        ([1, 2], [1], "it has 2 items instead of 1"),
        (3, 4, "it is 3 instead of 4"),
        (None, torch.ones(1), "it is of type NoneType instead of Tensor"),
        (0.1, 0.2, "by 0.1 (0.1 instead of 0.2; it is outside rtol 0.0001, atol 1e-05)"),
        (torch.ones(2, dtype=torch.float64), torch.ones(2), "dtype float64 instead of float32"),
        (torch.ones(2), torch.ones(3), "it has the shape [2] instead of [3]"),
        (
            torch.tensor([[1.0, 2.0], [3.0, 9.0]]),
            torch.tensor([[1.0, 2.5], [3.0, 4.0]]),
            "up to 5 at index [1, 1] (9 instead of 4; 2 of 4 values are outside",
        ),
        (torch.tensor([1.0, float("nan")]), torch.ones(2), "up to inf at index [1] (nan instead"),
        (
            torch.tensor([True, False]),
            torch.tensor([True, True]),
            "up to 1 at index [1] (0 instead",
        ),
    ],
)
def test_a_difference_says_where_and_how_far(actual, expected, said):
    found = difference(actual, expected, DEFAULT_TOLERANCES)
    reason = Reason(why=Why.WRONG_OUTPUT, text="output", against="eager", difference=found)
    assert said in in_words(reason)


@pytest.mark.parametrize(
    ("actual", "expected"),
    [
        (torch.ones(2), torch.ones(2)),
        ([torch.ones(2), 3], (torch.ones(2), 3)),
        (None, None),
        (float("nan"), float("nan")),
        (0.1, 0.1000000001),
        (torch.full((2,), float("nan")), torch.full((2,), float("nan"))),
        (torch.nn.Linear, torch.nn.Linear),
        ({1, 2}, {2, 1}),
        (3, 3.0),
    ],
)
def test_equal_results_have_no_difference(actual, expected):
    assert difference(actual, expected, DEFAULT_TOLERANCES) is None


def sums(seed=0):
    """A gradient's like: large elements, and a small one that is the rest of a sum."""
    generator = torch.Generator().manual_seed(seed)
    found = torch.randn(432, generator=generator) * 3
    found[7] = 0.12
    return found


@pytest.mark.parametrize(
    ("change", "is_equal"),
    [
        (lambda right: right.index_add(0, torch.tensor([7]), torch.tensor([3e-4])), True),
        (lambda right: right.index_add(0, torch.tensor([7]), torch.tensor([6e-3])), False),
        (lambda right: right * 1.0003, False),
        (lambda right: right.index_fill(0, torch.tensor([7]), float("nan")), False),
        (lambda right: right.index_fill(0, torch.tensor([7]), 0.0), False),
    ],
)
def test_what_a_sum_loses_to_rounding_is_equal_and_nothing_else(change, is_equal):
    right = sums()
    assert (difference(change(right), right, DEFAULT_TOLERANCES) is None) is is_equal


def test_a_tolerance_of_the_users_own_without_a_relative_part_is_strict():
    right = sums()
    left = right + torch.where(right == right[7], 3e-4, 0.0)
    assert difference(left, right, {"float32": (0.0, 1e-5)}) is not None


def test_a_gradient_that_cancels_is_held_against_the_size_of_all_gradients():
    noise, other = torch.full((4,), 1e-5), torch.full((4,), 9e-5)
    assert difference(noise, other, DEFAULT_TOLERANCES) is not None
    assert difference(noise, other, DEFAULT_TOLERANCES, scale=3.0) is None
    assert difference(noise, other, DEFAULT_TOLERANCES, scale=0.5) is not None


def test_the_size_of_all_gradients_is_their_root_mean_square():
    assert root_mean_square([torch.tensor([3.0, 4.0]), None, torch.zeros(2)]) == 2.5
    assert root_mean_square([None]) == 0.0


INF = float("inf")


@pytest.mark.parametrize(
    ("actual", "expected"),
    [
        (torch.tensor([0.0, 123.0]), torch.tensor([-INF, 1.0])),
        (torch.full((3, 3), 7.0), torch.full((3, 3), -INF)),
        (torch.tensor([INF, 5.0]), torch.tensor([INF, 1.0])),
        (torch.tensor([6e4, 5.0]).half(), torch.tensor([INF, 5.0]).half()),
    ],
)
def test_infinity_is_no_size_that_a_difference_is_small_against(actual, expected):
    assert difference(actual, expected, DEFAULT_TOLERANCES) is not None
    assert difference(torch.ones(2), torch.zeros(2), DEFAULT_TOLERANCES, scale=INF) is not None


class Key:
    """Of no equality of its own."""


@pytest.mark.parametrize(
    "make",
    [
        lambda: {Key(): torch.ones(2)},
        lambda: {(1, "a"): torch.ones(2), torch.float32: 3},
        lambda: {torch.ones(2, requires_grad=True) * 2},
        lambda: {("a", 1), ("b", 2)},
        lambda: torch.eye(3).to_sparse(),
        lambda: torch.tensor([2**60, 3]),
    ],
)
def test_odd_results_are_equal_to_their_like(make):
    assert difference(make(), make(), DEFAULT_TOLERANCES) is None


@pytest.mark.parametrize(
    ("actual", "expected"),
    [
        ({Key(): torch.ones(2)}, {Key(): torch.zeros(2)}),
        ({torch.ones(2) * 2}, {torch.ones(2)}),
        (torch.eye(3).to_sparse(), torch.eye(3).to_sparse() * 2),
        (1, True),
        ({("a", 1)}, {("a", 2)}),
    ],
)
def test_odd_results_that_differ_do(actual, expected):
    assert difference(actual, expected, DEFAULT_TOLERANCES) is not None


def test_integers_beyond_a_float_are_told_apart_in_full():
    found = difference(torch.tensor([2**60]), torch.tensor([2**60 + 1]), DEFAULT_TOLERANCES)
    assert (found.actual, found.expected) == (str(2**60), str(2**60 + 1))


def test_sets_of_objects_without_order_cannot_be_compared():
    with pytest.raises(CannotCompare):
        difference({Key(), Key()}, {Key(), Key()}, DEFAULT_TOLERANCES)
