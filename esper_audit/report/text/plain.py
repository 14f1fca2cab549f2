"""A page as plain lines for other tools: nothing is wrapped, padded or coloured."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.cells import cell_len

from esper_audit.report.sections import Page, Table
from esper_audit.report.text.flow import Row, flow
from esper_audit.report.text.terminal import drawn

_GAP = "  "


def plain(page: Page, width: int | None = None) -> str:
    """The whole page; columns are as wide as what they hold, unless a terminal has a ``width``."""
    if width is not None:
        return drawn(page, width, colours=False)
    made = (part for found in flow(page) for part in _lines(found))
    return "".join(f"{text.rstrip()}\n" for text in made)


def _lines(found: Row | Table) -> Iterator[str]:
    if isinstance(found, Table):
        yield from _table(found)
        return
    first = " " * found.indent + (f"{found.mark} " if found.mark else "")
    for place, text in enumerate(found.line.text.split("\n")):
        yield (" " * len(first) if place else first) + text


def _table(table: Table) -> Iterator[str]:
    rows = [[" ".join(cell.text.split("\n")) for cell in row] for row in table.rows]
    heads = [list(table.heads)] if table.heads else []
    columns = zip(*heads, *rows, strict=True)
    widths = [max(map(cell_len, column)) for column in columns]
    for head in heads:
        yield _row(head, widths, table.numbers)
        yield "─" * (sum(widths) + len(_GAP) * (len(widths) - 1))
    for row in rows:
        yield _row(row, widths, table.numbers)


def _row(cells: Sequence[str], widths: Sequence[int], numbers: frozenset[int]) -> str:
    padded = (
        _padded(cell, width, place in numbers)
        for place, (cell, width) in enumerate(zip(cells, widths, strict=True))
    )
    return _GAP.join(padded)


def _padded(cell: str, width: int, is_number: bool) -> str:
    space = " " * (width - cell_len(cell))
    return space + cell if is_number else cell + space
