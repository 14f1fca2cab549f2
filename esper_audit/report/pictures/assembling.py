"""Parts of a page with figures that several kinds of report share."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from esper_audit.data.diagnoses import Diagnosis
from esper_audit.report.figures import Card, Figure
from esper_audit.report.pictures.cards import meanings
from esper_audit.report.pictures.guard_tables import MOST_FRAMES, Recorded, guard_tables
from esper_audit.report.sections import Part, Section, line
from esper_audit.report.words.numbers import several


def with_figure(section: Section, figure: Figure | None) -> Section:
    """The figure in place of the section's table, of which it tells all."""
    return section if figure is None else replace(section, body=(), figures=(figure,))


def with_cards(section: Section, cards: Sequence[Card]) -> Section:
    """A card in place of each of the first items; the others stay as they are."""
    return replace(section, body=section.body[len(cards) :], figures=tuple(cards))


def guard_section(recordings: Iterable[Recorded]) -> Iterator[Section]:
    """The guards of each frame that recompiled; nothing where none did."""
    found = guard_tables(recordings)
    left = len(found) - MOST_FRAMES
    notes = [line(f"guards of {several(left, 'more frame')} left out")] if left > 0 else []
    if found:
        yield Section(_GUARDS, (), (*notes, line(_HOW_TO_READ)), tuple(found[:MOST_FRAMES]))


_GUARDS = "Guards by cache entry"
_HOW_TO_READ = (
    "a column is a cache entry, or an attempt that made none; a cell is the value that it was"
    " compiled for; pale: the value that came, which no later lookup has tried"
)


def about_section(found: Iterable[Diagnosis]) -> Iterator[Section]:
    """What the diagnoses of a page mean, each once."""
    cards = meanings(found)
    if cards:
        yield Section("What the diagnoses mean", (), figures=cards)


def in_order(sections: Iterable[Section]) -> tuple[Section, ...]:
    """Notes last, wherever a report tells them."""
    found = list(sections)
    notes = [section for section in found if section.anchor == Part.NOTES]
    return (*(section for section in found if section not in notes), *notes)
