"""What a ticket and its reviews claim, point by point: a TOML file that people write and commit.

Each point is bound to what decides it, so that a ticket is answered and nothing is made up.
"""

from __future__ import annotations

import tomllib
from enum import StrEnum
from pathlib import Path
from typing import Any

import msgspec

from esper_audit.data.clean import clean
from esper_audit.data.misfits import misfit
from esper_audit.data.storage import read
from esper_audit.errors import UsageError


class Held(StrEnum):
    """When a point holds: all of its scenarios passed, or all failed."""

    PASSED = "passed"
    FAILED = "failed"


class Done(StrEnum):
    """When the box of a check is ticked: its claim is confirmed, or only tested."""

    CONFIRMED = "confirmed"
    TESTED = "tested"


class Place(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """Where the original saw it."""

    file: str = ""
    lines: str = ""
    function: str = ""


class State(msgspec.Struct, forbid_unknown_fields=True, frozen=True, rename={"name": "class"}):
    """``[subject]``: the attribute that the ticket is about, and its class."""

    name: str = ""
    attribute: str = ""


class Point(msgspec.Struct, forbid_unknown_fields=True, frozen=True, rename="kebab"):
    """One statement. It is decided by ``claim``, ``scenarios``, ``only-by`` or ``severity``.

    ``was`` is what the original came to. ``scenarios`` are names of those that decide it, by
    ``holds``; ``about`` are parameters in place of the ticket's. ``only-by``: no line writes the
    attribute but through functions of these names. ``untested`` says why nothing decides it,
    ``note`` what a reader must know of the evidence.
    """

    said: str
    was: str = ""
    claim: str = ""
    scenarios: tuple[str, ...] = ()
    holds: Held = Held.PASSED
    about: dict[str, str] = {}
    only_by: tuple[str, ...] = ()
    severity: str = ""
    untested: str = ""
    note: str = ""
    done: Done = Done.CONFIRMED


class Review(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """What one reviewer said."""

    reviewer: str
    verdict: str = ""
    points: tuple[Point, ...] = ()


class Points(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """A ticket's metadata and points. All may be left out. ``related`` are other tickets."""

    id: str = ""
    title: str = ""
    summary: str = ""
    severity: str = ""
    status: str = ""
    batch: str = ""
    agent: str = ""
    domain: str = ""
    assignee: str = ""
    created: str = ""
    report: str = ""
    section: str = ""
    location: Place = Place()
    subject: State = State()
    about: dict[str, str] = {}
    claims: tuple[Point, ...] = ()
    boxes: tuple[Point, ...] = ()
    reviews: tuple[Review, ...] = ()
    related: tuple[str, ...] = ()


_DECIDED_BY = ("claim", "scenarios", "only_by", "severity", "untested")


def load_points(path: Path) -> Points:
    """The points of a file; raises UsageError, with the key, for what isn't understood."""
    try:
        points = msgspec.convert(_table(path), Points)
    except msgspec.ValidationError as error:
        raise UsageError(f"{path} does not fit what a ticket takes: {misfit(error)}.") from None
    reviewed = (point for review in points.reviews for point in review.points)
    for point in (*points.claims, *points.boxes, *reviewed):
        given = [name for name in _DECIDED_BY if getattr(point, name)]
        if len(given) != 1:
            raise UsageError(
                f"{path}: the point {clean(point.said)!r} is decided by {len(given)} keys.",
                "Give it one of claim, scenarios, only-by, severity and untested.",
            )
    return points


def _table(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(read(path).decode())
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{path} is not TOML: {clean(str(error))}.") from None
