"""Two audits side by side, as sections."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from esper_audit.data.changes import Change, ChangeKind, ComparedAudit, ComparisonReport, Entry
from esper_audit.report.closings import about
from esper_audit.report.gate import about_cause
from esper_audit.report.sections import (
    Closing,
    Item,
    Line,
    Page,
    Part,
    Section,
    Style,
    Table,
    bullets,
    item,
    line,
)
from esper_audit.report.words.marks import ANSWER_STYLES
from esper_audit.report.words.numbers import agree, several, share
from esper_audit.report.words.ranks import rank_names
from esper_audit.report.words.reasons import in_words


def comparison_answer(report: ComparisonReport) -> str:
    """One sentence: how many audits differ."""
    differing = [result for result in report.results if result.kind is not ChangeKind.SAME]
    if report.doubt is not None:
        return f"Not comparable: {in_words(report.doubt)}."
    if not report.results:
        return f"Not comparable: neither {report.first} nor {report.second} holds an audit."
    if not differing:
        same = several(len(report.results), "audit")
        return f"No difference between {report.first} and {report.second}: {same}."
    total = share(len(differing), len(report.results), "audit")
    verb = agree(len(differing), "differs", "differ")
    return f"{total} {verb} between {report.first} and {report.second}."


def comparison_page(report: ComparisonReport, verbosity: int = 0) -> Page:
    """Both sides of what differs; ``verbosity`` -1 leaves the answer, 1 shows the equal, too."""
    headline = (item(comparison_answer(report)),)
    shown = [r for r in report.results if r.kind is not ChangeKind.SAME or verbosity > 0]
    if verbosity < 0 or not (shown or report.notes):
        return Page(headline)
    shown, names = _folded(shown)
    rows = tuple(
        (line(name), side(r.before), side(r.after)) for r, name in zip(shown, names, strict=True)
    )
    table = Table(rows, ("audit", f"A: {report.first}", f"B: {report.second}"))
    sections = [Section("Audits", (table,), anchor=Part.COMPARED)] if rows else []
    found = tuple(
        _cause(c, report.root, name)
        for r, name in zip(shown, names, strict=True)
        for c in _of_causes(r)
    )
    if found:
        sections.append(Section("Causes that differ", found))
    if report.notes:
        said = [f"{told}." for told in map(in_words, report.notes)]
        sections.append(Section("Notes", bullets(*said)))
    found_in = (change.finding for r in shown for change in r.changes)
    closing = Closing(about=about(finding for finding in found_in if finding is not None))
    return Page(headline, tuple(sections), closing)


def _of_causes(result: ComparedAudit) -> Iterator[Change]:
    for change in result.changes:
        if change.finding or (change.before and change.before.id):
            yield change


_RANKED = re.compile(r"(.*) \(rank (\d{1,9})\)(, run \d{1,9})?", re.DOTALL)


def _folded(results: Sequence[ComparedAudit]) -> tuple[list[ComparedAudit], list[str]]:
    """Ranks that differ alike, told once: a result for each class of them, and its name."""
    found: dict[object, tuple[ComparedAudit, list[int]]] = {}
    for result in results:
        ranked = _RANKED.fullmatch(result.subject.title)
        key: object = result.subject.key
        if ranked:
            counts = (side(result.before).text, side(result.after).text)
            causes = (
                (about_cause(c, ""), c.kind, _number(c.before), _number(c.after))
                for c in _of_causes(result)
            )
            key = (ranked[1], ranked[3], result.subject.way, *counts, *causes)
        found.setdefault(key, (result, []))[1].extend([int(ranked[2])] if ranked else [])
    names = [_name_of(result, ranks) for result, ranks in found.values()]
    return [result for result, _ in found.values()], names


def _number(entry: Entry | None) -> int | None:
    return entry.after_warm_up if entry is not None else None


def _name_of(result: ComparedAudit, ranks: Sequence[int]) -> str:
    title = result.subject.title
    if len(ranks) > 1 and (ranked := _RANKED.fullmatch(title)):
        title = f"{ranked[1]} ({rank_names(ranks)}){ranked[3] or ''}"
    return f"{title} {result.subject.way}".strip()


def _cause(change: Change, root: str, name: str) -> Item:
    where = "in B alone" if change.before is None else "in A alone"
    where = in_words(change.reason) if change.before and change.after else where
    said = line(f"{where}: {name}", style=Style.MUTED)
    return item(about_cause(change, root), item(said))


def side(entry: Entry | None) -> Line:
    """Verdict and counts of one side, for a cell."""
    if entry is None:
        return line("absent", style=Style.MUTED)
    compiles = several(entry.in_warm_up + entry.after_warm_up, "compile")
    # A recorded program has no verdict, and seldom says that warm-up is over.
    is_silent = entry.verdict is None and not entry.after_warm_up
    parts = [compiles if is_silent else f"{compiles}, {entry.after_warm_up} after warm-up"]
    parts += [f"{entry.eager} eager"] if entry.eager else []
    parts += [f"{entry.stale} stale"] if entry.stale else []
    parts += [several(entry.graph_breaks, "graph break")] if entry.graph_breaks else []
    words = f"{entry.verdict.value}: " if entry.verdict is not None else ""
    style = ANSWER_STYLES.get(entry.verdict, Style.PLAIN) if entry.verdict else Style.PLAIN
    return line(f"{words}{', '.join(parts)}", style=style)
