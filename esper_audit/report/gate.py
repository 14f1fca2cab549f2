"""The report of the gate, as sections."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from esper_audit.data.changes import UNSURE, Change, ChangeKind, ComparedAudit, GateReport
from esper_audit.data.findings import Finding
from esper_audit.data.verdicts import AuditVerdict
from esper_audit.diagnosis.advice import is_tried
from esper_audit.report.blocks import details, head
from esper_audit.report.closings import TRY, about
from esper_audit.report.sections import (
    Closing,
    Item,
    Line,
    Next,
    Page,
    Section,
    Style,
    bullets,
    item,
    line,
)
from esper_audit.report.words.commands import fix_for
from esper_audit.report.words.marks import answer_style
from esper_audit.report.words.numbers import agree, several, share
from esper_audit.report.words.paths import left_out, reachable
from esper_audit.report.words.reasons import all_in_words, in_words

_TITLES = {
    ChangeKind.NOT_DETERMINISTIC: "Not deterministic: counts differ from run to run",
    ChangeKind.WORSE: "Worse than the baseline",
    ChangeKind.NEW: "Not in the baseline",
    ChangeKind.NOT_COMPARABLE: "Not comparable",
    ChangeKind.IMPROVED: (
        "Improved: update the baseline, or a later regression to the old count would pass"
    ),
    ChangeKind.UNMATCHED: "Unmatched entries of the baseline: no audit matches them",
    ChangeKind.ERROR: "Could not be judged",
}
_WORDS = {
    ChangeKind.NOT_DETERMINISTIC: "not deterministic",
    ChangeKind.WORSE: "got worse",
    ChangeKind.NEW: "not in the baseline",
    ChangeKind.NOT_COMPARABLE: "not comparable",
    ChangeKind.IMPROVED: "improved",
    ChangeKind.ERROR: "not judged",
}
_MARKS = {ChangeKind.WORSE: "+", ChangeKind.NEW: "+", ChangeKind.IMPROVED: "-"}


def kind_words(kind: ChangeKind) -> str:
    """How a state relates to the accepted one, in a word or two."""
    return _WORDS.get(kind, kind.value)


def gate_answer(report: GateReport) -> str:
    """One sentence: whether the state is the accepted one."""
    file = _file(report)
    total = several(sum(result.after is not None for result in report.results), "audit")
    failing = [result for result in report.results if result.fails]
    unsure = [result for result in report.results if result.kind in UNSURE]
    if report.updated:
        return f"Updated: {file} accepts the state of {total}."
    if report.doubt is not None:
        return f"Not completed: {in_words(report.doubt)}."
    if report.verdict is AuditVerdict.PASSED:
        return f"Passed: {total} checked against {file}{_allowed(report.results)}."
    if not report.has_baseline and report.verdict is not AuditVerdict.ERROR:
        known = [result for result in failing if result.kind is ChangeKind.NOT_DETERMINISTIC]
        said = f"; {_counted(known)}" if known else ""
        return f"Failed: {total} not compared: there is no baseline {file}{said}."
    if failing:
        return f"Failed: {total} checked against {file}; {_counted(failing)}."
    if unsure:
        return f"Not completed: {total} checked against {file}; {_counted(unsure)}."
    return "Not completed: nothing was replayed, so nothing is proven."


def _allowed(results: Sequence[ComparedAudit]) -> str:
    """What differs and fails nothing, as the gate was told."""
    improved = sum(result.kind is ChangeKind.IMPROVED for result in results)
    ignored = [r for r in results if r.kind not in (ChangeKind.SAME, ChangeKind.IMPROVED)]
    it = agree(len(ignored), "it", "them")
    return (f"; {improved} improved, which is allowed" if improved else "") + (
        f"; {_counted(ignored)}, but --fail-on ignores {it}" if ignored else ""
    )


def gate_page(report: GateReport, verbosity: int = 0) -> Page:
    """It all; ``verbosity`` -1 leaves the answer and the command, 1 shows every audit."""
    headline = item(line(gate_answer(report), style=answer_style(report.verdict)))
    if verbosity < 0:
        return Page((headline,), closing=_closing(report))
    shown = [r for r in report.results if r.kind is not ChangeKind.SAME or verbosity > 0]
    trying = _trying(report, shown)
    closing = _closing(report, line(_facts(report)), about(_findings(shown)), trying)
    return Page((headline,), tuple(_sections(shown, report)), closing)


def _findings(results: Sequence[ComparedAudit]) -> Iterator[Finding]:
    """Those whose details are shown: not of what has improved."""
    for change in (change for result in results for change in result.changes):
        if change.finding is not None and change.kind is not ChangeKind.IMPROVED:
            yield change.finding


def _trying(report: GateReport, results: Sequence[ComparedAudit]) -> Next | None:
    """The command that tries remedies on scenarios that got worse; None where it has none."""
    worse = [result for result in results if result.fails and _can_be_tried(result)]
    files = [reachable(result.file, report.root) for result in worse]
    cases = [(result.subject.scenario, result.subject.parameters) for result in worse]
    return Next(TRY, fix_for(files, cases)) if worse else None


def _can_be_tried(result: ComparedAudit) -> bool:
    """Whether it is a scenario's, with a finding that has remedies."""
    is_scenario = bool(result.file and result.subject.backend)
    return is_scenario and any(is_tried(finding.id) for finding in _findings((result,)))


def _closing(
    report: GateReport,
    facts: Line | None = None,
    about: Line | None = None,
    trying: Next | None = None,
) -> Closing:
    """Of a quiet report, the answer is not far enough away to be told again."""
    verdict = None
    if facts is not None and report.verdict is not AuditVerdict.PASSED:
        verdict = line(gate_answer(report), style=answer_style(report.verdict))
    accepting = None
    if report.accept and report.verdict is AuditVerdict.FAILED:
        accepting = Next("If this is meant, accept it:", report.accept)
    first, then = (trying, accepting) if trying is not None else (accepting, None)
    lead, command = (first.lead, first.command) if first is not None else ("", "")
    return Closing(facts, about, verdict, lead, command, then)


def cause(change: Change, root: str = "") -> str:
    """What a change is about, and what changed, in one line."""
    about, text = about_cause(change, root), in_words(change.reason)
    return f"{about} ({text})" if about else text


def about_cause(change: Change, root: str) -> str:
    """The cause, as far as a change is about one."""
    if change.finding is not None:
        return head(change.finding, root)
    entry = change.before or change.after
    if entry is None or not entry.id:
        return ""
    source = f"{entry.source} in " if entry.source else ""
    return f"{entry.id}: {source}{entry.frame}"


def _sections(results: Sequence[ComparedAudit], report: GateReport) -> Iterator[Section]:
    for kind in (*_TITLES, ChangeKind.SAME):
        group = [result for result in results if result.kind is kind]
        if not group or (report.updated and kind is ChangeKind.NOT_COMPARABLE):
            continue
        title = _TITLES.get(kind, "As accepted")
        title = f"Accepted ({title[0].lower()}{title[1:]})" if report.updated else title
        if kind is ChangeKind.NOT_COMPARABLE:
            yield Section(title, bullets(*_not_comparable(group, report)))
        else:
            yield Section(title, tuple(_result(result, report) for result in group))
    if report.left_out:
        yield Section("Notes", bullets(*(left_out(file, report.root) for file in report.left_out)))


def _result(result: ComparedAudit, report: GateReport) -> Item:
    way = f", {result.subject.way}" if result.subject.way else ""
    return item(f"{result.subject.title}{way}", *_changes(result, report))


def _changes(result: ComparedAudit, report: GateReport) -> Iterator[Item]:
    counts = [
        change for change in result.changes if change.finding is None and not _is_gone(change)
    ]
    if counts:
        yield item(all_in_words(change.reason for change in counts))
    yield from (_change(change, report) for change in result.changes if change not in counts)


def _change(change: Change, report: GateReport) -> Item:
    style = Style.GOOD if change.kind is ChangeKind.IMPROVED else Style.BAD
    under = []
    if change.finding is not None and change.kind is not ChangeKind.IMPROVED:
        under += details(change.finding, report.root)
    if change.before is not None and change.before.reason:
        under.append(f"accepted before: {change.before.reason}")
    lines = [item(line(text, style=Style.MUTED)) for text in under]
    said = line(cause(change, report.root), style=style)
    return item(said, *lines, mark=_MARKS.get(change.kind, "~"))


def _is_gone(change: Change) -> bool:
    return change.before is not None and bool(change.before.id)


def _not_comparable(results: Sequence[ComparedAudit], report: GateReport) -> Iterator[str]:
    known = f"its entries are for {'; '.join(report.known)}"
    known = known if report.known else "it is empty"
    if not report.has_baseline:
        total = several(len(results), "audit")
        yield f"There is no baseline {_file(report)}; {total} could not be compared."
        return
    for environment in dict.fromkeys(result.subject.environment for result in results):
        number = sum(result.subject.environment == environment for result in results)
        yield (
            f"{_file(report)} has no entries for {environment}: {known}."
            f" {several(number, 'audit')} could not be compared."
        )


def _facts(report: GateReport) -> str:
    environments = "; ".join(dict.fromkeys(result.subject.environment for result in report.results))
    if report.updated:
        return environments
    same = sum(result.kind is ChangeKind.SAME for result in report.results)
    runs = f", each run {report.runs} times" if report.runs > 1 else ""
    seconds = f" in {report.wall_seconds:.0f} s" if report.wall_seconds else ""
    total = share(same, len(report.results), "audit")
    return f"{total} {agree(same, 'is', 'are')} as accepted{runs}{seconds}; {environments}"


def _counted(results: Sequence[ComparedAudit]) -> str:
    """``2 got worse, 1 not in the baseline, 1 unmatched entry``."""
    numbers = Counter(result.kind for result in results)
    counts = [f"{numbers[kind]} {said}" for kind, said in _WORDS.items() if numbers[kind]]
    unmatched = numbers[ChangeKind.UNMATCHED]
    return ", ".join([*counts, *([several(unmatched, "unmatched entry")] if unmatched else [])])


def _file(report: GateReport) -> str:
    name = report.baseline
    prefix = f"{report.root}/"
    return name.removeprefix(prefix) if report.root else name
