"""The order in which a page is read, as one row after the other: what its renderers share."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from esper_audit.report.sections import (
    Closing,
    Code,
    Item,
    Line,
    Page,
    Section,
    Span,
    Style,
    Table,
    line,
)

_INDENT = 4
_UNDER_HEADLINE = 2


@dataclass(frozen=True, slots=True)
class Row:
    """A line, how far it is indented, and the mark before it. ``strong``: an answer."""

    line: Line
    indent: int = 0
    mark: str = ""
    strong: bool = False


BLANK = Row(line())


def flow(page: Page) -> Iterator[Row | Table | Code]:
    """Everything on a page, from its headline to its command."""
    for headline in page.headline:
        yield Row(headline.line, strong=True)
        for under in headline.under:
            yield from _rows(under, _UNDER_HEADLINE)
    for section in page.sections:
        yield BLANK
        yield from _section(section)
    yield from _closing(page.closing)


def _section(section: Section) -> Iterator[Row | Table | Code]:
    yield Row(line(section.title, style=Style.STRONG))
    for place, block in enumerate(section.body):
        if isinstance(block, Code):
            yield from (BLANK, block)
            after = section.body[place + 1 : place + 2]
            yield from [BLANK] if after and not isinstance(after[0], Code) else []
        elif isinstance(block, Table):
            if place:
                yield BLANK
            yield block
        else:
            yield from _rows(block)
    yield from (Row(muted(note)) for note in section.notes)


def _rows(found: Item, indent: int = 0) -> Iterator[Row]:
    yield Row(found.line, indent, found.mark)
    for under in found.under:
        yield from _rows(under, indent + _INDENT)


def _closing(closing: Closing) -> Iterator[Row]:
    if said := [found for found in (closing.facts, closing.about) if found is not None]:
        yield from (BLANK, *(Row(muted(found)) for found in said))
    if closing.verdict is not None:
        yield from (BLANK, Row(closing.verdict, strong=True))
    if closing.commands and closing.verdict is None:
        yield BLANK
    for following in closing.commands:
        command = Span(following.command, Style.STRONG)
        yield from (Row(line(following.lead)), Row(Line((command,), verbatim=True)))


def muted(found: Line) -> Line:
    """The line, muted where it has no style of its own."""
    spans = (
        replace(span, style=Style.MUTED) if span.style is Style.PLAIN else span
        for span in found.spans
    )
    return replace(found, spans=tuple(spans))
