"""A report as data: what it says, in which order, and which words stand out. No layout.

Builders (``run``, ``program``, ``gate``) make a Page of judged data; a renderer turns any Page into
text. Neither knows of the other, so a new renderer shows every kind of report. Texts are cleaned as
they become part of a page, so that no builder and no renderer can forget it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from esper_audit.data.clean import clean, clean_code

if TYPE_CHECKING:
    from esper_audit.report.figures import Figure


class Part(StrEnum):
    """Anchors of the sections that a page with figures draws, or leads to."""

    SCENARIOS = "scenarios"
    STEPS = "steps"
    CAUSES = "causes"
    CLAIMS = "claims"
    FRAMES = "frames"
    EAGER = "eager"
    COMPARED = "compared"
    WRITERS = "writers"
    COSTS = "costs"
    NOTES = "notes"


class Style(StrEnum):
    """What words mean; a renderer decides what that looks like."""

    PLAIN = "plain"
    STRONG = "strong"
    MUTED = "muted"
    GOOD = "good"
    BAD = "bad"
    WRONG = "wrong"
    DOUBTFUL = "doubtful"
    NEW = "new"
    SLOW = "slow"


@dataclass(frozen=True, slots=True)
class Span:
    """Words of one style.

    ``to`` is where they lead: an anchor of the page, a file beside it, or an address of the web.
    Formats of text leave it out.
    """

    text: str
    style: Style = Style.PLAIN
    to: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "text", clean(self.text))


@dataclass(frozen=True, slots=True)
class Line:
    """Words that belong on one line, as far as it is long enough.

    ``verbatim``: there to be copied, so never wrapped.
    """

    spans: tuple[Span, ...]
    verbatim: bool = False

    @property
    def text(self) -> str:
        """The words without their styles."""
        return "".join(span.text for span in self.spans)


@dataclass(frozen=True, slots=True)
class Item:
    """A line with what belongs under it. ``mark`` stands before it: ``-``, ``+``."""

    line: Line
    under: tuple[Item, ...] = ()
    mark: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of as many cells as there are heads; without heads, a list in columns.

    ``numbers`` are the places of columns that are read from the right. ``breaks``: if it is too
    wide, its columns may stand in several tables, each with the first column.
    """

    rows: tuple[tuple[Line, ...], ...]
    heads: tuple[str, ...] = ()
    numbers: frozenset[int] = frozenset()
    breaks: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "heads", tuple(map(clean, self.heads)))


@dataclass(frozen=True, slots=True)
class Code:
    """Lines to be copied as they are: never wrapped, padded or indented.

    ``language``: ``diff``, ``python`` or ``console``.
    """

    text: str
    language: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "text", clean_code(self.text.removesuffix("\n")))

    @property
    def lines(self) -> tuple[Line, ...]:
        """Each line; in a diff, in the style of what it does."""
        is_diff = self.language == "diff"
        texts = self.text.split("\n")
        return tuple(
            _coded(text, _style_in_diff(text) if is_diff else Style.PLAIN) for text in texts
        )


_DIFF_STYLES = {"+": Style.GOOD, "-": Style.BAD, "@": Style.NEW}


def _style_in_diff(text: str) -> Style:
    if text.startswith(("--- ", "+++ ")):
        return Style.STRONG
    return _DIFF_STYLES.get(text[:1], Style.PLAIN)


def _coded(text: str, style: Style) -> Line:
    """A line of code, which is clean already, as it is: a span would make spaces of its tabs."""
    span = Span("", style)
    object.__setattr__(span, "text", text)
    return Line((span,), verbatim=True)


Block = Item | Table | Code


@dataclass(frozen=True, slots=True)
class Section:
    """A title, what stands under it, and notes on how to read that.

    ``figures`` are drawn above its body, where a format can draw. ``anchor`` is a name that other
    parts of the page lead to.
    """

    title: str
    body: tuple[Block, ...]
    notes: tuple[Line, ...] = ()
    figures: tuple[Figure, ...] = ()
    anchor: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "title", clean(self.title))


@dataclass(frozen=True, slots=True)
class Next:
    """A command to run next; ``lead`` says what it is for."""

    lead: str
    command: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "lead", clean(self.lead))
        object.__setattr__(self, "command", clean(self.command))


@dataclass(frozen=True, slots=True)
class Closing:
    """How a report ends: where it was made, the verdict, and the command to run next.

    ``about`` says where to read about what was found, ``lead`` what the command is for, ``then``
    is another one.
    """

    facts: Line | None = None
    about: Line | None = None
    verdict: Line | None = None
    lead: str = ""
    command: str = ""
    then: Next | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "lead", clean(self.lead))
        object.__setattr__(self, "command", clean(self.command))

    @property
    def commands(self) -> tuple[Next, ...]:
        """All commands, in order."""
        first = (Next(self.lead, self.command),) if self.command else ()
        return (*first, self.then) if self.then is not None else first


@dataclass(frozen=True, slots=True)
class Page:
    """A whole report. ``headline`` is the answer; of several programs, one for each."""

    headline: tuple[Item, ...]
    sections: tuple[Section, ...] = ()
    closing: Closing = Closing()


def words(text: str, style: Style = Style.PLAIN, to: str = "") -> Span:
    """A span of one style, and where it leads."""
    return Span(text, style, to)


def line(*parts: str | Span, style: Style = Style.PLAIN, verbatim: bool = False) -> Line:
    """A line of texts and spans; ``style`` is that of the texts."""
    spans = (words(part, style) if isinstance(part, str) else part for part in parts)
    return Line(tuple(spans), verbatim)


def item(text: str | Line, *under: str | Item, mark: str = "") -> Item:
    """An item of texts."""
    head = line(text) if isinstance(text, str) else text
    return Item(head, tuple(item(part) if isinstance(part, str) else part for part in under), mark)


def bullets(*texts: str) -> tuple[Item, ...]:
    """A list with an item for each text."""
    return tuple(item(text, mark="-") for text in texts)
