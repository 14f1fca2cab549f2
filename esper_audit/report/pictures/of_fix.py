"""The page of remedies: what each one showed in each case, and a card for each group of cases."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

from esper_audit.data.remedies import Fix, FixReport, RemedyState, Trial
from esper_audit.report.figures import Card, HeatCell, HeatMap
from esper_audit.report.fix import best_of
from esper_audit.report.pictures.assembling import about_section
from esper_audit.report.pictures.environment import environment
from esper_audit.report.sections import Code, Item, Line, Page, Section, Style, item, line, words
from esper_audit.report.words.levers import lever_code
from esper_audit.report.words.numbers import agree, several, share
from esper_audit.report.words.remedies import (
    before_words,
    cause_words,
    gain_words,
    name_of,
    reach_words,
    state_words,
)

MOST_ROWS = 200
MOST_CARDS = 60
_STYLES = {
    RemedyState.PROVEN: Style.GOOD,
    RemedyState.CONVERGES: Style.NEW,
    RemedyState.SLOWER: Style.SLOW,
    RemedyState.UNPROVEN: Style.DOUBTFUL,
    RemedyState.HIDES: Style.WRONG,
    RemedyState.BREAKS: Style.WRONG,
    RemedyState.NO_EFFECT: Style.PLAIN,
    RemedyState.NOT_TRIED: Style.MUTED,
}


def fix_pictures(report: FixReport, page: Page) -> Page:
    """Remedies by case first, then what is told in words, then a card for each case."""
    drawn = _heat(report)
    first = () if drawn is None else (Section(_BY_CASE, (), figures=(drawn,)),)
    cards = tuple(_card(number, fix, report.root) for number, fix in _carded(report))
    left = len(report.fixes) - len(cards)
    notes = (line(f"{several(left, 'more case')} left out"),) if left else ()
    own = (Section("Each case", (), notes, cards),) if cards else ()
    about = about_section(cause.id for fix in report.fixes for cause in fix.causes)
    last = environment(report.environment, root=report.root)
    return replace(page, sections=(*first, *page.sections, *own, *about, last))


_BY_CASE = "Remedies by case"


def _carded(report: FixReport) -> list[tuple[int, Fix]]:
    return list(enumerate(report.fixes, 1))[:MOST_CARDS]


def _heat(report: FixReport) -> HeatMap | None:
    """Failed cases against remedies; a cell is the state that the trial showed."""
    chosen = Counter(best.id for best in map(best_of, report.fixes) if best is not None)
    tried = dict.fromkeys(trial.id for fix in report.fixes for trial in fix.trials)
    names = sorted(tried, key=lambda name: -chosen[name])
    if not names:
        return None
    rows = tuple(
        (line(_name(fix)), tuple(_cell(number, fix, name) for name in names))
        for number, fix in list(enumerate(report.fixes, 1))[:MOST_ROWS]
    )
    proven = sum(best_of(fix) is not None for fix in report.fixes)
    said = f"{share(proven, len(report.fixes), 'failed case')} {agree(proven, 'has', 'have')}"
    said += " a proven remedy. ★ stands for the one to take; a cell leads to its case."
    left = len(report.fixes) - MOST_ROWS
    said += f" {several(left, 'more row')} left out." if left > 0 else ""
    return HeatMap(line(said), "case", tuple(names), rows)


def _name(fix: Fix) -> str:
    return f"{fix.title} {fix.backend}".strip()


def _cell(number: int, fix: Fix, name: str) -> HeatCell:
    """Of several trials of one remedy, the best; the one that is recommended is strong."""
    found = [trial for trial in fix.trials if trial.id == name]
    if not found:
        return HeatCell(line(), Style.MUTED)
    order = list(RemedyState)
    trial = min(found, key=lambda one: order.index(one.state))
    style = _STYLES.get(trial.state, Style.BAD)
    said = trial.state.value.replace("-", " ")
    mark = "★ " if trial is best_of(fix) else ""
    to = _anchor(number) if number <= MOST_CARDS else ""
    return HeatCell(line(words(f"{mark}{said}", style)), style, 0.0, to)


def _anchor(number: int) -> str:
    return f"case-{number}"


def _card(number: int, fix: Fix, root: str) -> Card:
    """The best remedy first, then what else was tried, in its order."""
    best = best_of(fix)
    ordered = sorted(fix.trials, key=lambda trial: trial is not best)
    facts = [item(before_words(fix))]
    facts += [item(f"{cause_words(cause)} in {cause.frame.name}") for cause in fix.causes]
    return Card(
        anchor=_anchor(number),
        title=line(words(_name(fix), Style.STRONG)),
        facts=tuple(facts),
        remedies=tuple((_told(trial, root), _script(trial)) for trial in ordered),
    )


def _told(trial: Trial, root: str) -> Item:
    head = line(name_of(trial), ": ", words(state_words(trial, root), _style(trial)))
    return item(head, *map(item, _details(trial)))


def _style(trial: Trial) -> Style:
    return _STYLES.get(trial.state, Style.BAD)


def _details(trial: Trial) -> Iterator[Line]:
    if trial.reach is not None:
        yield line(reach_words(trial))
    yield from map(line, gain_words(trial.gain))


def _script(trial: Trial) -> Code | None:
    """The diff; of a remedy without one, the lines of code that pull its levers."""
    if trial.diff:
        return Code(trial.diff, "diff")
    return Code(lever_code(trial.levers), "python") if trial.levers else None
