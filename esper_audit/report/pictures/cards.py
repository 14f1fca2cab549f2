"""Cause cards: the user's lines, what changed, who wrote it, what helps."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from esper_audit.data.diagnoses import MEANINGS, Diagnosis
from esper_audit.data.findings import Finding
from esper_audit.data.places import Location, is_cell
from esper_audit.report.figures import Card
from esper_audit.report.manual import Rule
from esper_audit.report.pictures.anchors import Anchors, about, cause_key
from esper_audit.report.pictures.tlparse import PagesOfCauses, pages_item
from esper_audit.report.program import finding_item
from esper_audit.report.run import cause_item
from esper_audit.report.sections import Code, Item, Line, Span, Style, item, line, words
from esper_audit.report.shared_causes import Cause
from esper_audit.report.words.advice import advised, to_try
from esper_audit.report.words.changes import change, guarded
from esper_audit.report.words.commands import explained
from esper_audit.report.words.excerpts import CHANGED, missing_words
from esper_audit.report.words.findings import forecast_words
from esper_audit.report.words.guards import shortened
from esper_audit.report.words.paths import is_own, place
from esper_audit.source.excerpts import Excerpt, SourceLines

MOST_CARDS = 40
MOST_VALUES = 16


class CardMaker:
    """Makes the cards of one page, for which each file is read once."""

    def __init__(
        self,
        root: str,
        anchors: Anchors,
        began_at: float | None,
        pages: PagesOfCauses | None = None,
    ) -> None:
        """``began_at`` is when the earliest recording began, where that is known."""
        self._root, self._anchors, self._began_at = root, anchors, began_at
        self._pages = pages or {}
        self._sources = SourceLines(root)

    def of_cause(self, cause: Cause) -> Card:
        """A cause over several audits."""
        told = cause_item(cause, self._root)
        means = item(MEANINGS[cause.finding.id].what)
        forecast = forecast_words(cause.finding.forecast)
        more = [item(forecast)] if forecast else []
        advice = item(to_try(advised(cause.finding)))
        facts = (means, *_values_of(cause), *told.under, *more, advice)
        return self._card(cause.finding, told.line, facts)

    def of_finding(self, finding: Finding) -> Card:
        """A finding of a program."""
        told = finding_item(finding, self._root)
        facts = list(told.under)
        facts[1:1] = _values(finding, finding.values)
        return self._card(finding, told.line, facts)

    def _card(self, finding: Finding, title: Line, facts: Iterable[Item]) -> Card:
        excerpt, note = self._excerpt(finding)
        code = Code("\n".join(excerpt.lines), "python") if excerpt is not None else None
        return Card(
            anchor=self._anchors.of_cause(finding),
            title=_led(title, finding.id),
            facts=(*facts, *self._further(finding), *(item(_muted(text)) for text in note)),
            code=code,
            first=excerpt.first if excerpt is not None else 1,
            marked=excerpt.marked if excerpt is not None else 0,
        )

    def _further(self, finding: Finding) -> Iterator[Item]:
        anchor = self._anchors.of_frame(finding.frame.key)
        if anchor:
            named = f"the guards of {finding.frame.name} by cache entry"
            yield item(line("see ", Span(named, Style.PLAIN, anchor)))
        if pages := self._pages.get(cause_key(finding)):
            yield pages_item(pages)

    def _excerpt(self, finding: Finding) -> tuple[Excerpt | None, list[str]]:
        """The lines around the one to look at, and what a reader must know of them."""
        where = line_of(finding, self._root)
        if where is None:
            return None, []
        found = self._sources.around(where, self._began_at)
        if isinstance(found, Excerpt):
            return found, [f"{place(where, self._root)}: {CHANGED}"] if found.changed else []
        return None, [f"{place(where, self._root)}: {missing_words(found)}"]


def _muted(text: str) -> Line:
    return line(text, style=Style.MUTED)


def line_of(finding: Finding, root: str = "") -> Location | None:
    """The line that made the guard; else the one where it went wrong, or that led there.

    A line of the project's own comes before one of a library, which its user can't change.
    """
    known = (finding.user_line, finding.stopped_at, finding.written_by, finding.called_from)
    found = [line for line in known if line is not None]
    own = (line for line in found if is_cell(line.file) or is_own(line.file, root))
    return next(own, found[0] if found else None)


def _led(title: Line, diagnosis: Diagnosis) -> Line:
    """The title, its diagnosis as a link to what that means."""
    name, *rest = title.spans
    return Line((Span(name.text, name.style, about(diagnosis)), *rest))


def _values_of(cause: Cause) -> Iterator[Item]:
    """Of one audit in order; of several, which have no common order, by the old value."""
    if len(cause.parts) == 1 and cause.audits == 1:
        yield from _values(cause.finding, cause.values)
        return
    for part in cause.parts:
        if len(part.values) > _TOLD:
            yield item(line("all values: ", words(change(part, shown=MOST_VALUES), Style.STRONG)))


def _values(finding: Finding, values: Sequence[str]) -> Iterator[Item]:
    """Old and new values in their order, where there are more than the title tells."""
    told = list(dict.fromkeys(value for value in (finding.expected, *values) if value))
    if len(told) > _TOLD:
        shown = (shortened(guarded(finding.kind, value)) for value in told[:MOST_VALUES])
        more = f", … ({len(told)} values)" if len(told) > MOST_VALUES else ""
        chain = words(" -> ".join(shown), Style.STRONG)
        yield item(line("values as they came, each once: ", chain, more))


_TOLD = 3


def meanings(found: Iterable[Diagnosis]) -> tuple[Card, ...]:
    """What each diagnosis means, and where to read all of it."""
    return tuple(map(_meaning, dict.fromkeys(found)))


def _meaning(diagnosis: Diagnosis) -> Card:
    rule = Rule(diagnosis)
    more = Span(explained(diagnosis), Style.STRONG, rule.url)
    title = line(words(diagnosis.value, Style.STRONG))
    facts = (
        item(rule.what),
        item(rule.advice.replace("`", "")),
        item(line("All about it: ", more)),
    )
    return Card(about(diagnosis), title, facts)


def began(recordings: Iterable[float | None]) -> float | None:
    """When the earliest of the recordings began, as far as known."""
    return min((at for at in recordings if at is not None), default=None)
