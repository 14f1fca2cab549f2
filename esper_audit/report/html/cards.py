"""A cause as an article: the lines of the user, what changed, who wrote it, and what helps."""

from __future__ import annotations

from collections.abc import Iterator

from esper_audit.report.figures import Card
from esper_audit.report.html.addresses import Addresses
from esper_audit.report.html.blocks import code, folded, items, line, pre
from esper_audit.report.html.markup import NOTHING, Markup, tag, text, verbatim
from esper_audit.report.sections import Code, Item
from esper_audit.report.words.numbers import several


def card(found: Card, addresses: Addresses) -> Markup:
    """The article of a cause; its heading is one below that of its section."""
    place = addresses.place(found.anchor or found.title.text)
    named = addresses.new(f"{place}-title")
    title = tag("h3", line(found.title, addresses), id=named)
    return tag(
        "article",
        title,
        items(found.facts, addresses),
        source(found) if found.code is not None else NOTHING,
        _remedies(found, addresses),
        id=place,
        class_="card",
        aria_labelledby=named,
    )


def source(found: Card) -> Markup:
    """Numbered lines of source; the one to look at is marked by more than its colour."""
    lines = found.code.text.split("\n") if found.code is not None else []
    rows = (
        _source_line(number, row, found.marked) for number, row in enumerate(lines, found.first)
    )
    return pre(Markup("\n".join(rows)), "source")


def _source_line(number: int, row: str, marked: int) -> Markup:
    name = "mark" if number == marked else "span"
    return tag(name, verbatim(row), data_n=number)


def _remedies(found: Card, addresses: Addresses) -> Markup:
    if not found.remedies:
        return NOTHING
    shown = (part for remedy in found.remedies for part in _remedy(*remedy, addresses))
    title = text(several(len(found.remedies), "remedy"))
    return folded(title, *shown)


def _remedy(said: Item, diff: Code | None, addresses: Addresses) -> Iterator[Markup]:
    yield items((said,), addresses)
    if diff is not None:
        yield code(diff)
