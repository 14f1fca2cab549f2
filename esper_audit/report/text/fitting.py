"""Lines in just so many columns, for a view that must not wrap by itself."""

from __future__ import annotations

from collections.abc import Iterator

from rich.cells import cell_len
from rich.text import Text

from esper_audit.report.sections import Line, line, words


def fit(text: str, width: int) -> str:
    """The text in just so many columns: cut with an ellipsis, or filled up."""
    made = Text(text)
    made.truncate(width, overflow="ellipsis", pad=True)
    return made.plain


def cut(row: Line, width: int) -> Line:
    """The line in at most so many columns."""
    if cell_len(row.text) <= width:
        return row
    spans, room = [], width
    for span in row.spans:
        if cell_len(span.text) > room:
            spans.append(words(fit(span.text, room).rstrip(), span.style))
            break
        spans.append(span)
        room -= cell_len(span.text)
    return Line(tuple(spans))


def wrapped(row: Line, width: int) -> Iterator[Line]:
    """The line in two where it is too long for one; what is too long for two is cut."""
    text = row.text
    if cell_len(text) <= width:
        yield row
        return
    at = _break(text, width)
    first, rest, place = [], [], 0
    for span in row.spans:
        cut = max(0, min(len(span.text), at - place))
        first.append(words(span.text[:cut], span.style))
        rest.append(words(span.text[cut:], span.style))
        place += len(span.text)
    yield Line(tuple(first))
    lead = next((n for n, span in enumerate(rest) if span.text.strip()), 0)
    stripped = [words(rest[lead].text.lstrip(), rest[lead].style), *rest[lead + 1 :]]
    yield line("  ", *stripped)


def _break(text: str, width: int) -> int:
    """The last place between two words up to which the text fits."""
    place, columns, last = 0, 0, 0
    for place, character in enumerate(text):
        columns += cell_len(character)
        if columns > width:
            return last or place
        if character == " ":
            last = place
    return last or place
