"""A timeline as SVG, with the same content as a table below it.

Places are in per cent of the width, so that a drawing is as wide as its page, and its text is not
scaled. A drawing is hidden from screen readers: they read the table.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import floor, isfinite, log10

from esper_audit.report.figures import Lane, Span, Timeline
from esper_audit.report.html.addresses import Addresses
from esper_audit.report.html.blocks import column, folded, line, linked, scrolling
from esper_audit.report.html.markup import NOTHING, Markup, tag, text
from esper_audit.report.sections import Style
from esper_audit.report.words.numbers import several

_TICKS = 8
_STEPS = (1, 2, 5, 10)
_SLIM = 0.2
"""Per cent of the width: what is slimmer may be drawn as one with a neighbour of its style."""

_GAP = 0.05
_READABLE = 4.0
"""Per cent of the width: what is wider has room for words."""

_ON_TOP = (Style.BAD, Style.WRONG)
"""What no other span may cover."""

_MOST_ROWS = 2000

_SHORTEST, _LONGEST = 1e-12, 1e100
"""Of an axis with ticks: floats have none to tell apart outside of these."""


_SURE_LETTERS = 1.3
"""That a percent holds in a window of 1,280 pixels."""

_LETTERS = 3
"""That a percent of a wide window holds: more would be cut off, and makes a page large."""


@dataclass(frozen=True, slots=True)
class Axis:
    """From the first moment to the last; ``at`` says where a moment is, in per cent."""

    began: float
    ended: float

    def at(self, moment: float) -> float:
        """Between 0 and 100."""
        whole = self.ended - self.began
        return 100 * min(max((moment - self.began) / whole, 0.0), 1.0) if whole > 0 else 0.0

    def ticks(self) -> list[float]:
        """Round moments, about eight."""
        whole = self.ended - self.began
        if not _SHORTEST < whole < _LONGEST:
            return [self.began]
        rough = whole / _TICKS
        unit = 10.0 ** floor(log10(rough))
        step = next(unit * factor for factor in _STEPS if unit * factor >= rough * 0.999)
        first = floor(self.began / step + 0.999)
        count = floor((self.ended - first * step) / step + 0.001) + 1
        return [(first + place) * step for place in range(min(count, 2 * _TICKS))]


def timeline(found: Timeline, title: str, addresses: Addresses) -> Markup:
    """The drawing, and its table."""
    lanes = [Lane(lane.name, tuple(filter(_is_placed, lane.spans))) for lane in found.lanes]
    spans = [span for lane in lanes for span in lane.spans]
    if not spans:
        return _table(found, title, addresses)
    axis = Axis(min(span.began for span in spans), max(span.ended for span in spans))
    drawn = (_lane(lane, axis, addresses) for lane in lanes)
    parts = (_grid(axis), *drawn, _axis(axis, found.unit))
    picture = tag("div", *parts, class_="timeline", aria_hidden="true")
    return Markup(picture + _table(found, title, addresses))


def _is_placed(span: Span) -> bool:
    return isfinite(span.began) and isfinite(span.ended)


def _grid(axis: Axis) -> Markup:
    """Lines through all lanes at the marks of the axis."""
    places = (_percent(axis.at(tick)) for tick in axis.ticks())
    lines = (tag("line", x1=place, x2=place, y1=0, y2="100%") for place in places)
    return tag("svg", *lines, class_="grid")


def _lane(lane: Lane, axis: Axis, addresses: Addresses) -> Markup:
    in_order = sorted(merged(lane.spans, axis), key=lambda drawn: drawn[0].style in _ON_TOP)
    spans = (_span(drawn, axis, addresses) for drawn in in_order)
    return Markup(tag("p", lane.name) + tag("svg", *spans))


def _percent(number: float) -> str:
    return f"{number:.2f}".rstrip("0").rstrip(".") + "%"


def merged(spans: Sequence[Span], axis: Axis) -> Iterator[tuple[Span, int]]:
    """Spans as they are drawn, each with how many it stands for: slim ones side by side are one."""
    last: Span | None = None
    count = 0
    for span in sorted(spans, key=lambda one: one.began):
        if last is not None and _is_one(last, span, axis, is_slim=count > 1):
            last = Span(last.began, max(last.ended, span.ended), last.line, last.style, last.to)
            count += 1
            continue
        if last is not None:
            yield last, count
        last, count = span, 1
    if last is not None:
        yield last, count


def _is_one(last: Span, span: Span, axis: Axis, *, is_slim: bool) -> bool:
    near = axis.at(span.began) - axis.at(last.ended) < _GAP
    slim = _is_slim(span, axis) and (is_slim or _is_slim(last, axis))
    return near and slim and span.style is last.style


def _is_slim(span: Span, axis: Axis) -> bool:
    return axis.at(span.ended) - axis.at(span.began) < _SLIM


def _span(drawn: tuple[Span, int], axis: Axis, addresses: Addresses) -> Markup:
    span, count = drawn
    at, end = axis.at(span.began), axis.at(span.ended)
    more = f" and {count - 1:,} more" if count > 1 else ""
    title = tag("title", f"{_moment(span.began)}–{_moment(span.ended)}: {span.line.text}{more}")
    style = span.style.value if span.style is not Style.PLAIN else ""
    place = {"x": _percent(at), "width": _percent(end - at), "class_": style}
    if end - at < _READABLE:
        return linked(tag("rect", title, **place), span.to, addresses, drawn=True)
    said = tag("text", fitted(span.line.text, end - at))
    bar = tag("svg", title, tag("rect"), said, **place)
    return linked(bar, span.to, addresses, drawn=True)


def fitted(words: str, percent: float) -> str:
    """The words that have room in a narrow window; of a first word that has none, its beginning."""
    most = int(percent * _SURE_LETTERS)
    if len(words) <= most:
        return words
    whole = words[: most + 1].rpartition(" ")[0].rstrip(" ,:")
    return whole or words[: int(percent * _LETTERS) + 1]


def _axis(axis: Axis, unit: str) -> Markup:
    ticks = axis.ticks()
    marks = (_tick(tick, axis.at(tick)) for tick in ticks)
    return Markup(tag("p", unit) + tag("svg", *marks, class_="axis"))


def _tick(tick: float, at: float) -> Markup:
    anchor = "start" if at < 3 else "end" if at > 97 else "middle"
    return tag("text", _moment(tick), x=_percent(at), y=14, class_=anchor)


def _moment(number: float) -> str:
    return f"{number:,.3f}".rstrip("0").rstrip(".") if isfinite(number) else "unknown"


def _table(found: Timeline, title: str, addresses: Addresses) -> Markup:
    rows = [(lane.name, span) for lane in found.lanes for span in lane.spans]
    heads = {"lane": False, "from": True, "to": True, "what": False}
    head = tag("tr", *(column(name, is_number=number) for name, number in heads.items()))
    body = (_row(name, span, addresses) for name, span in rows[:_MOST_ROWS])
    left = len(rows) - _MOST_ROWS
    rest = tag("p", f"{left:,} more are in the JSON of this report.") if left > 0 else NOTHING
    made = scrolling(f"{title}, in {found.unit}", tag("thead", head), tag("tbody", *body))
    return folded(text(f"As a table: {several(len(rows), 'row')}"), made, rest)


def _row(lane: str, span: Span, addresses: Addresses) -> Markup:
    said = linked(line(span.line, addresses), span.to, addresses)
    moments = (tag("td", _moment(at), class_="n") for at in (span.began, span.ended))
    return tag("tr", tag("td", lane), *moments, tag("td", said))
