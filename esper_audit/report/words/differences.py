"""How far off a result is, in words."""

from __future__ import annotations

import math

from esper_audit.data.differences import Difference, DifferenceKind
from esper_audit.data.reasons import Reason

_IN = {
    DifferenceKind.SHAPE: "has the shape {actual} instead of {expected}",
    DifferenceKind.DTYPE: "has the dtype {actual} instead of {expected}",
    DifferenceKind.TYPE: "is of type {actual} instead of {expected}",
    DifferenceKind.KEYS: "has the keys {actual} instead of {expected}",
    DifferenceKind.LENGTH: "has {actual} items instead of {expected}",
    DifferenceKind.VALUE: "is {actual} instead of {expected}",
}


def differs(reason: Reason) -> str:
    """Of wrong output: what differs from what, by how much, where, and beyond which tolerance."""
    found, against = reason.difference, reason.against
    if found is None:  # of a recording made by hand
        return f"{reason.text} differs from {against}"
    if found.kind is DifferenceKind.VALUE and (found.values or found.largest is not None):
        return f"{found.where} differs from {against} by {_far_off(found)}"
    said = _IN[found.kind].format(actual=found.actual, expected=found.expected)
    return f"{found.where} differs from {against}: it {said}"


def _far_off(found: Difference) -> str:
    place = f" at index [{', '.join(map(str, found.index))}]" if found.index else ""
    several = "up to " if found.values > 1 else ""
    largest = math.inf if found.largest is None else found.largest  # JSON knows no infinity
    share = "it is"
    if found.values > 1:
        share = f"{found.outside} of {found.values} values {'is' if found.outside == 1 else 'are'}"
    return (
        f"{several}{largest:.3g}{place} ({found.actual} instead of {found.expected};"
        f" {share} outside rtol {found.rtol:g}, atol {found.atol:g})"
    )
