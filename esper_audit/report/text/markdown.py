"""A page as Markdown, for a comment on a pull request: an answer, tables and collapsed details."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import groupby

from esper_audit.report.sections import Closing, Code, Item, Line, Page, Section, Span, Style, Table

LONGEST = 60_000
"""Characters: GitHub takes comments of 65,536."""

_OPEN = 1
"""Sections that are not collapsed."""

_MOST = (1_000_000, 300, 100, 30, 10, 3, 1, 0)
"""Rows and items of a section, fewer and fewer until the page is short enough."""

# What GitHub and GitLab make links, notifications or formulas of, escaped or not: they look for it
# in the text that is left after Markdown, except in code.
_LIVE = re.compile(
    r"(?P<live>(?:@|\$|://|(?<=www)\.|#(?=\d)|!(?=\d)|(?<!\w)GH-(?=\d))+)", re.IGNORECASE
)
_MARKUP = re.compile(rf"{_LIVE.pattern}|[\\`*_\[\]|~#]", re.IGNORECASE)
_AT_START = re.compile(r"^(?:[-+=/]|\d+(?=[.)] ))")
"""A list, a rule, or a command of GitLab."""

_MARKS = {Style.GOOD: "✓ ", Style.BAD: "✗ ", Style.DOUBTFUL: "! "}


def markdown(page: Page, _width: int | None = None) -> str:
    """The whole page, or as much as a comment holds. Starts with a comment for bots to find."""
    texts = ("\n".join(_page(page, most)) + "\n" for most in _MOST)
    return next((text for text in texts if len(text) <= LONGEST), _first_words(page))


def _first_words(page: Page) -> str:
    """Where not even the bare page fits: its first words."""
    return f"<!-- esper-audit -->\n### esper-audit\n\n{inline(page.headline[0].line.text[:1000])}\n"


def _page(page: Page, most: int) -> Iterator[str]:
    yield from ("<!-- esper-audit -->", "### esper-audit", "")
    for headline in page.headline:
        yield from (f"**{_mark(headline.line)}{inline(headline.line.text)}**", "")
        yield from _list(headline.under)
    for place, section in enumerate(page.sections):
        yield from _section(section, most, is_open=place < _OPEN)
    yield from _closing(page.closing)


def _mark(line: Line) -> str:
    """What a terminal says with colour."""
    return next((_MARKS[span.style] for span in line.spans if span.style in _MARKS), "")


def _section(section: Section, most: int, *, is_open: bool) -> Iterator[str]:
    if is_open:
        yield from (f"#### {inline(section.title)}", "")
    else:
        yield from ("<details>", f"<summary>{_html(section.title)}</summary>", "")
    items = [block for block in section.body if isinstance(block, Item)]
    tables = [block for block in section.body if isinstance(block, Table)]
    codes = [block for block in section.body if isinstance(block, Code)]
    for table in tables:
        yield from _table(table, most)
    if codes:
        yield from _mixed(section, most)
    else:
        yield from _list(items[:most])
    left = max(0, len(items) - most) + sum(max(0, len(table.rows) - most) for table in tables)
    left += len(codes) if not most else 0
    if left:
        yield from (f"{left} more to look at: this would be longer than a comment may be.", "")
    for note in section.notes:
        yield from (inline(note.text), "")
    if not is_open:
        yield from ("</details>", "")


def _mixed(section: Section, most: int) -> Iterator[str]:
    """Items and code in their order; code is whole, or left out where nothing else helps."""
    shown = 0
    for is_code, group in groupby(section.body, lambda block: isinstance(block, Code)):
        if is_code:
            codes = [block for block in group if isinstance(block, Code) and most]
            yield from (text for code in codes for text in (*fenced(code.text, code.language), ""))
        else:
            items = [block for block in group if isinstance(block, Item)]
            yield from _list(items[: max(0, most - shown)])
            shown += len(items)


def fenced(text: str, language: str) -> Iterator[str]:
    """A block of code, whatever is in it."""
    longest = max(map(len, re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    yield from (f"{fence}{language}", text, fence)


def _table(table: Table, most: int) -> Iterator[str]:
    columns = len(table.heads) or len(table.rows[0])
    yield _row([inline(head) for head in table.heads] or [""] * columns)
    yield _row(["--:" if place in table.numbers else "---" for place in range(columns)])
    for row in table.rows[:most]:
        yield _row([_line(cell) for cell in row])
    yield ""


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _list(items: Sequence[Item]) -> Iterator[str]:
    led = False  # by an item without a mark: those with one are its list
    for item in items:
        led = led or not item.mark
        is_under = led and item.mark == "-"
        yield from _item(replace(item, mark="") if is_under else item, "  " if is_under else "")
    if items:
        yield ""


def _item(item: Item, indent: str) -> Iterator[str]:
    mark = f"\\{item.mark} " if item.mark not in ("", "-") or (item.mark and indent) else ""
    yield f"{indent}- {mark}{_line(item.line).strip()}"
    for under in item.under:
        yield from _item(under, f"{indent}  ")


def _closing(closing: Closing) -> Iterator[str]:
    for found in (closing.facts, closing.about):
        if found is not None:
            yield from (inline(found.text), "")
    for place, following in enumerate(closing.commands):
        yield from ("",) if place else ()
        yield from (inline(following.lead), "", *fenced(following.command, "console"))


def _line(line: Line) -> str:
    spans = ((_span(span), span.style is Style.STRONG) for span in line.spans if span.text)
    return "".join(f"**{text}**" if strong else text for text, strong in spans)


def _span(span: Span) -> str:
    """A page of another tool, beside what was read, as a link."""
    said = inline(span.text)
    return f"[{said}](<{span.to}>)" if span.to.startswith("file://") else said


def _html(text: str) -> str:
    """Inside of an HTML block: no value becomes markup, a mention or a link."""
    return _LIVE.sub(r"<code>\g<0></code>", _escaped(text))


def inline(text: str) -> str:
    """Outside of an HTML block, what is markup to Markdown is escaped as well."""
    made = _MARKUP.sub(_escaped_markup, _escaped(text))
    return _AT_START.sub(_escaped_start, made)


def _escaped(text: str) -> str:
    return html.escape(re.sub(r"\s+", " ", text), quote=False)


def _escaped_markup(found: re.Match[str]) -> str:
    return f"`{found[0]}`" if found["live"] else f"\\{found[0]}"


def _escaped_start(found: re.Match[str]) -> str:
    return f"{found[0]}\\" if found[0][0].isdigit() else f"\\{found[0]}"
