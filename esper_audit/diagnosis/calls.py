"""The calls of compiled code in two runs of one program, held against each other."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping

from esper_audit.data.calls import Calls, CompiledCall, Digest

_SAME = 1e-5
"""Of a digest's size: threads may add up in another order from run to run."""

_SHARES = {"float64": 1e-6, "float16": 1e-2, "bfloat16": 1.6e-2}
_SHARE = 2e-4
"""Of a digest's size, by dtype: what compiled and eager code may differ by."""

_SMALL = 0.05
"""Of a value: what is rounding at this size is rounding for what lies closer to zero."""


def differences(found: Calls, wanted: Calls, exact: bool = False) -> tuple[int, ...]:
    """The indices of the calls that differ, from 0.

    Calls that only one run has differ, and the state at the end is one call more. Of states, what
    both runs have under one name is compared: an edit may add a buffer. ``exact``: both runs
    executed the same code.
    """
    pairs = enumerate(zip(found.rows, wanted.rows, strict=False))
    differing = [place for place, pair in pairs if not _is_same_call(*pair, exact)]
    made = sorted((len(found.rows), len(wanted.rows)))
    differing += range(*made)
    if not _all_alike(found.last, wanted.last, exact):
        differing.append(made[1])
    return tuple(differing)


def reused_seconds(calls: Calls) -> list[float]:
    """Of the calls that ran compiled code and compiled nothing."""
    return [row.seconds for row in calls.rows if row.reused]


def later_seconds(calls: Calls) -> list[float]:
    """Of the calls past the first of each callable."""
    seen = Counter[int]()
    later = []
    for row in calls.rows:
        seen[row.number] += 1
        later += [row.seconds] if seen[row.number] > 1 else []
    return later


def _is_same_call(one: CompiledCall, other: CompiledCall, exact: bool) -> bool:
    return (
        one.error == other.error
        and _all_alike(one.before, other.before, exact)
        and _alike(one.output, other.output, exact)
        and _all_alike(one.after, other.after, exact)
    )


def _all_alike(one: Mapping[str, Digest], other: Mapping[str, Digest], exact: bool) -> bool:
    return all(_alike(one[name], other[name], exact) for name in one if name in other)


def _alike(one: Digest, other: Digest, exact: bool) -> bool:
    return one.kinds == other.kinds and all(
        _is_close(first, second, _allowed(kind, max(ours[-1], theirs[-1]), exact))
        for kind, ours, theirs in zip(one.kinds, one.sums, other.sums, strict=True)
        for first, second in zip(ours, theirs, strict=True)
    )


def _allowed(kind: str, size: float, exact: bool) -> float:
    """What two sums may differ by, of values whose absolute values add up to ``size``."""
    dtype, _, shape = kind.partition("[")
    share = _SHARES.get(dtype, _SHARE)
    if exact:
        return _SAME * size
    values = math.prod(int(length) for length in shape.rstrip("]").split(", ") if length)
    return share * size + share * _SMALL * math.sqrt(values)


def _is_close(one: float, other: float, allowed: float) -> bool:
    both_nan = math.isnan(one) and math.isnan(other)
    return one == other or both_nan or abs(one - other) <= allowed
