"""What a timeline shows, on tracks: spans that hold each other, and moments. In nanoseconds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

Args = dict[str, Any]

_SLACK = 1_000_000
"""By how much what lies inside may reach out of what it lies in: it is cut off there."""
_ROUNDED = 10_000
"""By how much one may begin before the one before it ends: times are rounded to microseconds."""


def nanoseconds(seconds: float) -> int:
    """Whole ones, so that sums are exact."""
    return round(seconds * 1e9)


@dataclass(slots=True)
class Moment:
    """Something at one time."""

    name: str
    kind: str
    at: int
    args: Args = field(default_factory=dict)


@dataclass(slots=True)
class Span:
    """Something from one time to another, with its parts, which lie inside of it.

    ``flow`` is a number that it shares with the span that led to it, or that it led to.
    """

    name: str
    kind: str
    began: int
    ended: int
    args: Args = field(default_factory=dict)
    parts: list[Span] = field(default_factory=list)
    flow: int = 0

    @property
    def length(self) -> int:
        """Never less than 0."""
        return max(0, self.ended - self.began)


@dataclass(slots=True)
class Track:
    """A row of a process: a thread, the steps, what runs eagerly."""

    name: str
    spans: list[Span] = field(default_factory=list)
    moments: list[Moment] = field(default_factory=list)

    def lanes(self) -> list[list[Span]]:
        """Its spans in as few rows as can be, so that in a row two are apart or one in the other.

        Nothing draws spans of one row that overlap in part. Each with its parts is in one row.
        """
        rows: list[_Lane] = []
        for span in sorted(self.spans, key=lambda span: (span.began, -span.ended)):
            row = next((row for row in rows if row.fits(span)), None)
            if row is None:
                row = _Lane()
                rows.append(row)
            row.add(span)
        return [row.spans for row in rows] or [[]]


class _Lane:
    def __init__(self) -> None:
        self.spans: list[Span] = []
        self._open: list[Span] = []

    def fits(self, span: Span) -> bool:
        """Whether it is apart from all of the row, or in one of them and apart from its parts."""
        around = [other for other in self._open if other.ended > span.began + _ROUNDED]
        if not around:
            return True
        inner = around[-1]
        return span.ended <= inner.ended + _SLACK and not any(
            part.began < span.ended and span.began < part.ended and not _holds(part, span)
            for part in inner.parts
        )

    def add(self, span: Span) -> None:
        for other in self._open:
            if span.began < other.ended <= span.began + _ROUNDED:
                other.ended = max(other.began, span.began)
                other.parts = cut(other.parts, other.began, other.ended)
        self._open = [other for other in self._open if other.ended > span.began]
        if self._open:
            span.ended = min(span.ended, self._open[-1].ended)
            span.parts = cut(span.parts, span.began, span.ended)
        self.spans.append(span)
        self._open.append(span)


def _holds(part: Span, span: Span) -> bool:
    return part.began <= span.began and span.ended <= part.ended


def cut(parts: Sequence[Span], began: int, ended: int) -> list[Span]:
    """Parts in order of their beginnings, cut so that each lies in what is around it."""
    kept: list[Span] = []
    around: list[int] = []
    for part in sorted(parts, key=lambda part: (part.began, -part.ended)):
        part.began = min(max(part.began, began), ended)
        around = [end for end in around if end > part.began]
        part.ended = max(part.began, min(part.ended, around[-1] if around else ended))
        around.append(part.ended)
        kept.append(part)
    return kept


def flattened(spans: Sequence[Span]) -> Iterator[Span]:
    """Each span, and after it its parts."""
    for span in spans:
        yield span
        yield from span.parts
