"""A page as plain lines for other tools: nothing is wrapped, padded or coloured."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.cells import cell_len

from esper_audit.report.sections import Code, Page, Table
from esper_audit.report.text.flow import Row, flow

_GAP = "  "


def plain(page: Page, width: int | None = None) -> str:
    """The whole page; columns are as wide as what they hold, unless a terminal has a ``width``."""
    if width is not None:
        from esper_audit.report.text.terminal import drawn  # what draws is slow to import

        return drawn(page, width, colours=False)
    return "".join(f"{text}\n" for found in flow(page) for text in _lines(found))


def _lines(found: Row | Table | Code) -> Iterator[str]:
    if isinstance(found, Code):
        yield found.text
    else:
        texts = _table(found) if isinstance(found, Table) else _row_lines(found)
        yield from (text.rstrip() for text in texts)


def _row_lines(found: Row) -> Iterator[str]:
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
