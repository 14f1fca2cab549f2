"""Figures as HTML: each is a table, or has one beside it, so that none needs to be seen."""

from __future__ import annotations

from collections.abc import Iterator
from math import isfinite

from esper_audit.report.figures import (
    Card,
    Figure,
    GuardRow,
    GuardTable,
    HeatCell,
    HeatMap,
    Timeline,
)
from esper_audit.report.html.addresses import Addresses
from esper_audit.report.html.blocks import column, folded, line, linked, scrolling
from esper_audit.report.html.cards import card
from esper_audit.report.html.markup import NOTHING, Markup, tag, text, together
from esper_audit.report.html.timeline import timeline
from esper_audit.report.sections import Style
from esper_audit.report.words.numbers import several

HOTTEST = 9
"""Steps of heat, in the style sheet."""


def figure(found: Figure, title: str, addresses: Addresses) -> Markup:
    """A figure with its summary as caption, of a section with this title; a card is an article."""
    match found:
        case Card():
            return card(found, addresses)
        case HeatMap():
            drawn = _heat_map(found, title, addresses)
        case GuardTable():
            drawn = _guard_table(found, addresses)
        case _:
            drawn = timeline(found, title, addresses)
    said = line(found.summary, addresses)
    anchor = "" if isinstance(found, HeatMap) else found.anchor
    place = addresses.place(anchor) if anchor else None
    if isinstance(found, Timeline) and found.folded:
        # The place is inside: a link to it unfolds what holds it, also without a script.
        return folded(said, tag("figure", drawn, id=place))
    return tag("figure", tag("figcaption", said), drawn, id=place)


def _heat_map(found: HeatMap, title: str, addresses: Addresses) -> Markup:
    heads = (column(name) for name in (found.corner, *found.heads))
    rows = (
        tag(
            "tr",
            tag("th", line(name, addresses), scope="row"),
            *(_heat_cell(cell, addresses) for cell in cells),
        )
        for name, cells in found.rows
    )
    parts = (tag("thead", tag("tr", *heads)), tag("tbody", *rows))
    return scrolling(title, *parts, class_="heat")


def _heat_cell(cell: HeatCell, addresses: Addresses) -> Markup:
    said = linked(line(cell.line, addresses), cell.to, addresses)
    step = heat_step(cell.heat)
    kind = cell.style.value if cell.style is not Style.PLAIN else ""
    return tag("td", said, class_=f"{kind} h{step}".strip() if step else kind)


def heat_step(heat: float) -> int:
    """The step of the style sheet; what is warm at all is at least one step warm."""
    if not isfinite(heat) or heat <= 0:
        return 0
    return max(1, round(min(heat, 1.0) * HOTTEST))


def _guard_table(found: GuardTable, addresses: Addresses) -> Markup:
    varied = [row for row in found.rows if row.varied]
    held = [row for row in found.rows if not row.varied]
    return together(
        (
            _guards(found, varied, f"Varied in {found.frame}", addresses) if varied else NOTHING,
            folded(
                text(f"{several(len(held), 'guard')} held"),
                _guards(found, held, f"Held in {found.frame}", addresses),
            )
            if held
            else NOTHING,
        )
    )


def _guards(found: GuardTable, rows: list[GuardRow], caption: str, addresses: Addresses) -> Markup:
    heads = (column(name) for name in ("guard", *found.entries))
    body = (tag("tr", *_guard_cells(row, addresses), class_=_VARIED[row.varied]) for row in rows)
    return scrolling(
        caption,
        tag("thead", tag("tr", *heads)),
        tag("tbody", *body),
        class_="guards",
        shown=True,
    )


_VARIED = {True: "varied", False: ""}


def _guard_cells(row: GuardRow, addresses: Addresses) -> Iterator[Markup]:
    sign = (
        tag("span", "≠\N{NO-BREAK SPACE}", class_="bad", title="varied") if row.varied else NOTHING
    )
    yield tag("th", sign, line(row.source, addresses), scope="row")
    for wanted in row.wanted:
        yield tag("td", line(wanted, addresses) or tag("span", "–", class_="muted"))
