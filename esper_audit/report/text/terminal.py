"""A page on a terminal: in colour where it has any, and wrapped at its width."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Sequence

from rich import box
from rich import style as rich_style
from rich import table as rich_table
from rich.cells import cell_len
from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.text import Text

from esper_audit.report.sections import Code, Line, Page, Style, Table
from esper_audit.report.text.flow import Row, flow
from esper_audit.report.text.links import NO_LINKS, Links

WIDTH = 100
"""Columns of a page that is drawn without a terminal."""

STYLES = {
    Style.PLAIN: "",
    Style.STRONG: "bold",
    Style.MUTED: "dim",
    Style.GOOD: "green",
    Style.BAD: "red",
    Style.WRONG: "bold red",
    Style.DOUBTFUL: "yellow",
    Style.NEW: "cyan",
    Style.SLOW: "magenta",
}
_GAP = 2
_WORD = re.compile(r"(?:\S )?\S+")
_NARROWEST = 10


def print_page(page: Page, console: Console, links: Links = NO_LINKS) -> None:
    """Print the whole page; a verbatim line is left for the terminal to wrap."""
    for found in flow(page):
        if isinstance(found, Table):
            for place, part in enumerate(_parts(found, console.width)):
                if place:
                    console.print()
                console.print(_table(part, console.width, links))
        elif isinstance(found, Code):
            for coded in found.lines:
                console.print(_text(coded), soft_wrap=True)
        elif found.line.verbatim:
            console.print(_text(found.line), soft_wrap=True)
        else:
            console.print(_row(found, links))


def drawn(page: Page, width: int | None = None, *, colours: bool = True) -> str:
    """The page as a terminal of this width would show it."""
    stream = io.StringIO()
    console = Console(
        file=stream,
        width=width or WIDTH,
        highlight=False,
        force_terminal=colours,
        force_jupyter=False,  # rich would show each line in the cell of a notebook
        no_color=not colours,
        color_system="truecolor" if colours else None,
    )
    print_page(page, console)
    return stream.getvalue()


def _text(line: Line, links: Links = NO_LINKS) -> Text:
    made = Text.assemble(*((span.text, STYLES[span.style]) for span in line.spans))
    at = 0
    for span in line.spans:
        if links is not NO_LINKS and span.to.startswith("file://"):
            made.stylize(rich_style.Style(link=span.to), at, at + len(span.text))
        at += len(span.text)
    return made


def _row(row: Row, links: Links) -> RenderableType:
    text = links.add_to(_text(row.line, links))
    if row.strong:
        text.stylize("bold")
    if not text:
        return text
    if not row.mark:
        return Padding(text, (0, 0, 0, row.indent), expand=False)
    hanging = rich_table.Table(box=None, show_header=False, padding=(0, 1, 0, 0), pad_edge=False)
    hanging.add_column(width=row.indent + cell_len(row.mark))
    hanging.add_column(overflow="fold")
    hanging.add_row(" " * row.indent + row.mark, text)
    return hanging


def _table(table: Table, width: int, links: Links) -> rich_table.Table:
    has_heads = bool(table.heads)
    made = rich_table.Table(
        box=box.SIMPLE_HEAD if has_heads else None,
        show_edge=False,
        show_header=has_heads,
        pad_edge=False,
        # With heads, one space of the gap comes from the box.
        padding=(0, _GAP - has_heads, 0, 0),
        header_style="bold",
    )
    for place, column_width in enumerate(_widths(table, width)):
        made.add_column(
            Text(_head(table, place, column_width)),
            justify="right" if place in table.numbers else "left",
            overflow="fold",
            width=column_width,
        )
    for row in table.rows:
        made.add_row(*(links.add_to(_text(cell, links)) for cell in row))
    return made


def _widths(table: Table, width: int) -> list[int]:
    """Of the columns: as wide as what they hold; if that is too wide, the widest give way.

    A column keeps its longest word whole as long as another one has room to give.
    """
    columns = [_texts(table, place) for place in range(_columns(table))]
    widths = [max(map(cell_len, column), default=0) for column in columns]
    least = [
        min(found, _longest_word(column)) for found, column in zip(widths, columns, strict=True)
    ]
    room = max(width - _GAP * (len(widths) - 1), len(widths))
    while sum(widths) > room:
        places = [p for p in range(len(widths)) if widths[p] > least[p]] or range(len(widths))
        widths[max(places, key=widths.__getitem__)] -= 1
    return widths


def _texts(table: Table, place: int) -> list[str]:
    """What a column holds; a long head can be read in two lines."""
    heads = [table.heads[place].replace("_", "_ ", 1)] if table.heads else []
    return [*heads, *(row[place].text for row in table.rows)]


def _head(table: Table, place: int, width: int) -> str:
    head = table.heads[place] if table.heads else ""
    return head if cell_len(head) <= width else head.replace("_", "_\n", 1)


def _parts(table: Table, width: int) -> Iterator[Table]:
    """The table, or several of fewer columns."""
    count = _columns(table) - 1
    room = width - _longest_word(_texts(table, 0))
    fit = max(1, room // (_NARROWEST + _GAP)) if table.breaks else count
    for start in range(1, count + 1, fit or 1):
        part = [0, *range(start, min(start + fit, count + 1))]
        yield _chosen(table, part)


def _chosen(table: Table, columns: Sequence[int]) -> Table:
    return Table(
        rows=tuple(tuple(row[place] for place in columns) for row in table.rows),
        heads=tuple(table.heads[place] for place in columns) if table.heads else (),
        numbers=frozenset(new for new, old in enumerate(columns) if old in table.numbers),
    )


def _columns(table: Table) -> int:
    return len(table.heads) or len(table.rows[0])


def _longest_word(texts: Sequence[str]) -> int:
    """The width of it; a mark and the word after it are one."""
    return max((cell_len(word) for text in texts for word in _WORD.findall(text)), default=0)
