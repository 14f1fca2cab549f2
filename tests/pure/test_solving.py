"""Conditions over one value, solved for it; sources as paths."""

from __future__ import annotations

import pytest

from esper_audit.torch_text.plain_sources import plain_source, sources_of
from esper_audit.torch_text.solving import solved

P = "L['self'].p"
N = "L['x'].size()[0]"


@pytest.mark.parametrize(
    ("condition", "source", "wanted"),
    [
        (f"(1.0 + ((-1)*{P})) == 0.8", P, "0.2"),
        (f"(1.0 + ((-1)*{P})) == 0.95", P, "0.05"),
        (f"(1.0 + ((-1)*{P})) == 0.7", P, "0.3"),
        (f"0.5*{P} == 0.05", P, "0.1"),
        (f"({P} / 3.0) == 0.09999999999999999", P, "0.3"),
        (f"0.8 == 1.0 - {P}", P, "0.2"),
        (f"({P} / 2.0) <= 0.1", P, "<= 0.2"),
        (f"1.0 - {P} > 0.5", P, "< 0.5"),
        (f"3*{N} < 10", N, "<= 3"),
        (f"2*{N} > 10", N, ">= 6"),
        (f"2*{N} + 1 <= 10", N, "<= 4"),
        (f"10 <= 3*{N}", N, ">= 4"),
        (f"2*{N} != 8", N, "!= 4"),
        (f"2*{N} == 8", N, "4"),
        (f"2*{N} == {N} + 4", N, "4"),
    ],
)
def test_a_linear_condition_is_solved(condition, source, wanted):
    assert str(solved(condition, source, whole=source == N)) == wanted


@pytest.mark.parametrize(
    "condition",
    [
        f"{N} % 4 == 0",
        f"{N}*{N} == 16",
        f"2 <= 3*{N} <= 15",
        f"2*{N} == 7",
        f"{N} / {N} == 1",
        f"f({N}) == 2",
        f"{N} == L['y'].size()[0]",
        f"0*{N} == 1",
        "not an expression",
    ],
)
def test_any_other_condition_is_not(condition):
    assert solved(condition, N, whole=True) is None


@pytest.mark.parametrize(
    ("source", "wanted"),
    [
        ("___from_numpy(L['frame']).size()[0]", "L['frame'].size()[0]"),
        ("___as_tensor(L['s']).item()", "L['s']"),
        ("list.__getitem__(L['t'], 1)[0]", "L['t'][1][0]"),
        ("object.__getattribute__(L['self'], 'x').y", "L['self'].x.y"),
        ("L['self']._modules['a'].p", "L['self']._modules['a'].p"),
        ("type(L['self']).count", "type(L['self']).count"),
        ("<global state>", "<global state>"),
    ],
)
def test_a_source_is_a_path_where_it_can_be_one(source, wanted):
    assert plain_source(source) == wanted


def test_the_paths_that_a_condition_reads_are_found():
    text = f"2*___from_numpy(L['a']).size()[1] <= {P}*3  # y = f(x)  # x.py:3 in f"
    assert list(sources_of(text)) == ["L['a'].size()[1]", P]
