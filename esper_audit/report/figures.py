"""What a page shows as a picture, as data: no layout, no colour. Formats of text leave them out.

A figure stands beside the words of its section and never in their place: what it shows is told in
the section's body, or in its own ``summary``, for whoever can't see it.
"""

from __future__ import annotations

from dataclasses import dataclass

from esper_audit.report.sections import Code, Item, Line, Style


@dataclass(frozen=True, slots=True)
class HeatCell:
    """A cell: its words, what they mean, how hot it is from 0 to 1, the anchor that it leads to."""

    line: Line
    style: Style
    heat: float = 0.0
    to: str = ""


@dataclass(frozen=True, slots=True)
class HeatMap:
    """Rows against columns: scenarios against strategies, or frames against what they cost."""

    summary: Line
    corner: str
    heads: tuple[str, ...]
    rows: tuple[tuple[Line, tuple[HeatCell, ...]], ...]


@dataclass(frozen=True, slots=True)
class Span:
    """Something from one moment to another, on a lane of a timeline; ``to`` is an anchor."""

    began: float
    ended: float
    line: Line
    style: Style
    to: str = ""


@dataclass(frozen=True, slots=True)
class Lane:
    """A row of a timeline: compiles, steps, eager spans, the marked value."""

    name: str
    spans: tuple[Span, ...]


@dataclass(frozen=True, slots=True)
class Timeline:
    """Lanes on one axis, in ``unit``: seconds since the beginning, or numbers of steps.

    ``folded``: only its summary is shown until a reader asks for the rest.
    """

    summary: Line
    unit: str
    lanes: tuple[Lane, ...]
    anchor: str = ""
    folded: bool = False


@dataclass(frozen=True, slots=True)
class GuardRow:
    """A guard of a frame, and what each cache entry wanted of it; empty where it has none."""

    source: Line
    wanted: tuple[Line, ...]
    varied: bool


@dataclass(frozen=True, slots=True)
class GuardTable:
    """The guards of a frame by its cache entries: what held, and what varied."""

    summary: Line
    frame: str
    entries: tuple[str, ...]
    rows: tuple[GuardRow, ...]
    anchor: str = ""


@dataclass(frozen=True, slots=True)
class Card:
    """One cause: the user's lines with the failing one marked, what changed, who wrote it.

    ``code`` are source lines, ``first`` the number of the first one, ``marked`` that of the line
    to look at. ``remedies`` are each a line, what is under it, and a diff where there is one.
    """

    anchor: str
    title: Line
    facts: tuple[Item, ...]
    code: Code | None = None
    first: int = 1
    marked: int = 0
    remedies: tuple[tuple[Item, Code | None], ...] = ()


Figure = HeatMap | Timeline | GuardTable | Card
