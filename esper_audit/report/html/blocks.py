"""What stands in a section, as HTML: lines, lists, tables and code."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import groupby, takewhile

from esper_audit.report.html.addresses import Addresses
from esper_audit.report.html.markup import NOTHING, Markup, tag, text, together, verbatim
from esper_audit.report.sections import Block, Code, Item, Line, Span, Style, Table

_FOLDED_FROM = 10
"""Lines under an item: from here on they are folded."""

_CODE_CLASSES = {Style.GOOD: "add", Style.BAD: "del", Style.NEW: "at", Style.STRONG: "of"}


def line(found: Line, addresses: Addresses) -> Markup:
    """Words with their styles and links; what is there to be copied as code."""
    said = together(_span(span, addresses) for span in found.spans)
    return tag("code", said) if found.verbatim and said else said


def _span(span: Span, addresses: Addresses) -> Markup:
    said = text(span.text)
    if span.style is Style.STRONG:
        said = tag("b", said)
    elif span.style is not Style.PLAIN and span.text:
        said = tag("span", said, class_=span.style.value)
    return linked(said, span.to, addresses)


def linked(said: Markup, target: str, addresses: Addresses, *, drawn: bool = False) -> Markup:
    """A link, where the target is one that a page may have. ``drawn``: the keyboard skips it."""
    address = addresses.to(target) if target and said else None
    if address is None:
        return said
    return tag("a", said, href=address, tabindex=-1 if drawn else None)


def blocks(found: Sequence[Block], title: str, addresses: Addresses) -> Iterator[Markup]:
    """All blocks of a section in their order, items that follow each other as one list."""
    for is_item, group in groupby(found, lambda block: isinstance(block, Item)):
        if is_item:
            yield items([block for block in group if isinstance(block, Item)], addresses)
            continue
        for block in group:
            if isinstance(block, Table):
                yield table(block, title, addresses)
            elif isinstance(block, Code):
                yield code(block)


def items(found: Sequence[Item], addresses: Addresses) -> Markup:
    """A list; bullets after an item without a mark belong under it."""
    rows = (_item(item, addresses) for item in _led(found))
    return tag("ul", *rows, class_="items") if found else NOTHING


def _led(found: Sequence[Item]) -> Iterator[Item]:
    """Items with the bullets that follow them as their own."""
    leader: Item | None = None
    for item in found:
        if leader is not None and item.mark == "-":
            leader = replace(leader, under=(*leader.under, item))
            continue
        if leader is not None:
            yield leader
        leader = None if item.mark else item
        if item.mark:
            yield item
    if leader is not None:
        yield leader


def _item(item: Item, addresses: Addresses) -> Markup:
    mark = tag("span", item.mark + " ", class_="mark") if item.mark not in ("", "-") else NOTHING
    said = together((mark, line(item.line, addresses)))
    if not item.under:
        return tag("li", said)
    under = tag("ul", *(_item(one, addresses) for one in item.under))
    return tag("li", folded(said, under) if size(item) > _FOLDED_FROM else together((said, under)))


def size(item: Item) -> int:
    """Lines under an item, at any depth."""
    return sum(1 + size(one) for one in item.under)


def folded(summary: Markup, *content: Markup, is_open: bool = False) -> Markup:
    """What is shown when its summary is pressed; needs no script."""
    return tag("details", tag("summary", summary), *content, open=is_open)


def table(found: Table, title: str, addresses: Addresses) -> Markup:
    """A table in a region of its own, which scrolls where the page is narrow."""
    head = NOTHING
    if found.heads:
        cells = (
            column(name, is_number=place in found.numbers) for place, name in enumerate(found.heads)
        )
        head = tag("thead", tag("tr", *cells))
    body = len(found.rows) - _sums(found)
    rows = [tag("tr", *_cells(found, row, addresses)) for row in found.rows]
    foot = tag("tfoot", *rows[body:]) if rows[body:] else NOTHING
    parts = (head, tag("tbody", *rows[:body]), foot)
    return scrolling(title, *parts, class_="" if found.heads else "plain")


def column(name: str, *, is_number: bool = False) -> Markup:
    """The head of a column; what has no name heads nothing."""
    kind = "n" if is_number else ""
    return tag("th", name, scope="col", class_=kind) if name.strip() else tag("td")


def _sums(found: Table) -> int:
    """How many rows at the end sum up the others, so that sorting leaves them there."""
    rows = reversed(found.rows if found.heads else ())
    return sum(1 for _ in takewhile(_is_sum, rows))


def _is_sum(row: Sequence[Line]) -> bool:
    spans = [span for cell in row for span in cell.spans if span.text]
    return bool(spans) and all(span.style in (Style.STRONG, Style.MUTED) for span in spans)


def _cells(found: Table, row: Sequence[Line], addresses: Addresses) -> Iterator[Markup]:
    for place, cell in enumerate(row):
        said = line(cell, addresses)
        if place == 0 and found.heads and said:
            yield tag("th", said, scope="row")
        else:
            yield tag("td", said, class_=_number(found, place))


def _number(found: Table, place: int) -> str:
    return "n" if place in found.numbers else ""


def scrolling(caption: str, *parts: Markup, class_: str = "", shown: bool = False) -> Markup:
    """A table that scrolls by itself; the keyboard reaches it. ``shown``: so is its caption."""
    said = tag("caption", caption, class_="" if shown else "unseen")
    made = tag("table", said, *parts, class_=class_)
    return tag("div", made, class_="scroll", role="group", aria_label=caption, tabindex=0)


def code(found: Code) -> Markup:
    """Lines to be copied; of a diff, in the style of what each does."""
    rows = (_code_line(one) for one in found.lines)
    return pre(Markup("\n".join(rows)), found.language)


def _code_line(found: Line) -> Markup:
    said = together(verbatim(span.text) for span in found.spans)
    kind = _CODE_CLASSES.get(found.spans[0].style) if found.spans else None
    return tag("span", said, class_=kind) if kind is not None else said


def pre(content: Markup, kind: str) -> Markup:
    """A block of code; the keyboard reaches and scrolls it."""
    known = kind if kind in ("diff", "python", "console", "source") else ""
    return tag("pre", tag("code", content), class_=known, tabindex=0)
