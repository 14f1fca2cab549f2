"""Parts of Markdown files that people read as text, too: little is escaped that need not be."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from esper_audit.data.clean import clean
from esper_audit.report.text.markdown import inline

_BETWEEN_LETTERS = re.compile(r"(?<=\w)\\_(?=\w)")


def text(said: str) -> str:
    """Plain words as Markdown; an underscore between letters is no markup."""
    return _BETWEEN_LETTERS.sub("_", inline(clean(" ".join(said.split()))))


def code(said: str) -> str:
    """A name or a path as code, also in a table."""
    plain = clean(" ".join(said.split()))
    fence = "`" * (1 + max(map(len, re.findall("`+", plain)), default=0))
    pad = " " if "`" in plain else ""
    return f"{fence}{pad}{plain}{pad}{fence}".replace("|", "\\|") if plain else ""


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Heads and cells are Markdown already."""
    yield f"| {' | '.join(heads)} |"
    yield f"|{'|'.join('-' * (len(head) + 2) for head in heads)}|"
    yield from (f"| {' | '.join(row)} |" for row in rows)
    yield ""


def fields(rows: Sequence[tuple[str, str]]) -> Iterator[str]:
    yield from table(("Field", "Value"), [(f"**{name}**", value) for name, value in rows])
