"""What the gate says on a terminal, and two audits side by side."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich import box
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from esper_audit.data.changes import (
    UNSURE,
    Change,
    ChangeKind,
    ComparedAudit,
    ComparisonReport,
    Entry,
    GateReport,
)
from esper_audit.data.verdicts import AuditVerdict
from esper_audit.report.blocks import details, head
from esper_audit.report.words.numbers import several

_TITLES = {
    ChangeKind.NOT_DETERMINISTIC: "Not deterministic: counts differ from run to run",
    ChangeKind.WORSE: "Worse than the baseline",
    ChangeKind.NEW: "Not in the baseline",
    ChangeKind.NOT_COMPARABLE: "Not comparable",
    ChangeKind.IMPROVED: "Improved: accept it, or a relapse would pass",
    ChangeKind.UNMATCHED: "Stale entries: nothing matches them any more",
    ChangeKind.ERROR: "Could not be judged",
}
_WORDS = {
    ChangeKind.NOT_DETERMINISTIC: "not deterministic",
    ChangeKind.WORSE: "worse",
    ChangeKind.NEW: "not in the baseline",
    ChangeKind.NOT_COMPARABLE: "not comparable",
    ChangeKind.IMPROVED: "improved",
    ChangeKind.UNMATCHED: "stale",
    ChangeKind.ERROR: "not judged",
}
_STYLES = {AuditVerdict.PASSED: "bold green", AuditVerdict.FAILED: "bold red"}
_MARKS = {ChangeKind.WORSE: "+", ChangeKind.NEW: "+", ChangeKind.IMPROVED: "-"}


def gate_answer(report: GateReport) -> str:
    """One sentence: whether the state is the accepted one."""
    file = _file(report)
    total = several(sum(each.after is not None for each in report.results), "audit")
    failing = [each for each in report.results if each.fails]
    unsure = [each for each in report.results if each.kind in UNSURE]
    if report.updated:
        return f"Updated: {file} accepts the state of {total}."
    if report.doubt:
        return f"Not completed: {report.doubt}."
    if report.verdict is AuditVerdict.PASSED:
        allowed = _counted([r for r in report.results if r.kind is not ChangeKind.SAME])
        tail = f", {allowed} allowed" if allowed else ""
        return f"Passed: {total} as {file} accepts{tail}."
    if failing:
        return f"Failed: of {total}, {_counted(failing)} ({file})."
    if unsure:
        return f"Not completed: of {total}, {_counted(unsure)} ({file})."
    return "Not completed: nothing was replayed, so nothing is proven."


def comparison_answer(report: ComparisonReport) -> str:
    """One sentence: how many audits differ."""
    differing = [each for each in report.results if each.kind is not ChangeKind.SAME]
    total = several(len(report.results), "audit")
    if report.doubt:
        return f"Not comparable: {report.doubt}."
    if not differing:
        return f"No difference in {total}: {report.first} and {report.second}."
    return f"{len(differing)} of {total} differ from {report.first} to {report.second}."


def print_gate(report: GateReport, console: Console, verbosity: int = 0) -> None:
    """Print it all; ``verbosity`` -1 leaves the answer and the command, 1 shows every audit."""
    style = _STYLES.get(report.verdict, "bold yellow")
    console.print(Text(gate_answer(report), style=style))
    if verbosity >= 0:
        shown = [r for r in report.results if r.kind is not ChangeKind.SAME or verbosity > 0]
        _print_results(shown, report, console)
        same = sum(each.kind is ChangeKind.SAME for each in report.results)
        console.print()
        console.print(Text(_footer(report, same), style="dim"))
    if report.accept and report.verdict is AuditVerdict.FAILED:
        console.print()
        console.print(Text("If this is meant, accept it:"))
        # Not wrapped: it is there to be copied.
        console.print(Text(report.accept, style="bold"), soft_wrap=True)


def print_comparison(report: ComparisonReport, console: Console, verbosity: int = 0) -> None:
    """Print two audits side by side; ``verbosity`` 1 shows the equal ones, too."""
    console.print(Text(comparison_answer(report), style="bold"))
    shown = [r for r in report.results if r.kind is not ChangeKind.SAME or verbosity > 0]
    if verbosity < 0 or not shown:
        return
    console.print()
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0), header_style="bold")
    table.add_column("audit", overflow="fold")
    table.add_column(Text(f"A: {report.first}"), overflow="fold")
    table.add_column(Text(f"B: {report.second}"), overflow="fold")
    for result in shown:
        name = f"{result.subject.title} {result.subject.way}".strip()
        table.add_row(Text(name), *(_state(each) for each in (result.before, result.after)))
    console.print(table)
    found = [(r, c) for r in shown for c in r.changes if c.finding or (c.before and c.before.id)]
    if found:
        console.print()
        console.print(Text("Causes that differ", style="bold"))
        for result, change in found:
            where = "in B alone" if change.before is None else "in A alone"
            where = change.text if change.before and change.after else where
            console.print(_indented(_about(change, report.root), 2))
            console.print(_indented(f"{where}: {result.subject.title}", 6, "dim"))


def cause(change: Change, root: str = "") -> str:
    """What a change is about, and what changed, in one line."""
    about = _about(change, root)
    return f"{about} ({change.text})" if about else change.text


def _about(change: Change, root: str) -> str:
    """The cause, as far as a change is about one."""
    if change.finding is not None:
        return head(change.finding, root)
    entry = change.before or change.after
    if entry is None or not entry.id:
        return ""
    source = f"{entry.source} in " if entry.source else ""
    return f"{entry.id}: {source}{entry.frame}"


def _state(entry: Entry | None) -> Text:
    """Verdict and counts of one side, for a cell."""
    if entry is None:
        return Text("absent", style="dim")
    style = {AuditVerdict.PASSED: "green", AuditVerdict.FAILED: "red"}
    parts = [f"{entry.in_warm_up} then {entry.in_warm_up + entry.after_warm_up} compiles"]
    parts += [f"{entry.eager} eager"] if entry.eager else []
    parts += [f"{entry.stale} stale"] if entry.stale else []
    parts += [f"{entry.graph_breaks} graph breaks"] if entry.graph_breaks else []
    words = f"{entry.verdict.value}: " if entry.verdict is not None else ""
    return Text(
        f"{words}{', '.join(parts)}",
        style=style.get(entry.verdict, "") if entry.verdict else "",
    )


def _print_results(results: Sequence[ComparedAudit], report: GateReport, console: Console) -> None:
    for kind in (*_TITLES, ChangeKind.SAME):
        group = [each for each in results if each.kind is kind]
        if not group or (report.updated and kind is ChangeKind.NOT_COMPARABLE):
            continue
        console.print()
        was = "Accepted, was: " if report.updated else ""
        console.print(Text(f"{was}{_TITLES.get(kind, 'As accepted')}", style="bold"))
        if kind is ChangeKind.NOT_COMPARABLE:
            for line in _not_comparable(group, report):
                console.print(_indented(line, 2))
            continue
        for result in group:
            way = f", {result.subject.way}" if result.subject.way else ""
            console.print(_indented(f"{result.subject.title}{way}", 2))
            _print_changes(result, report, console)


def _indented(text: str, by: int, style: str = "") -> Padding:
    return Padding(Text(text, style=style), (0, 0, 0, by), expand=False)


def _print_changes(result: ComparedAudit, report: GateReport, console: Console) -> None:
    counts = [each for each in result.changes if each.finding is None and not _is_gone(each)]
    if counts:
        text = "; ".join(each.text for each in counts)
        console.print(_indented(text, 6))
    for change in result.changes:
        if change in counts:
            continue
        mark = _MARKS.get(change.kind, "~")
        style = "green" if change.kind is ChangeKind.IMPROVED else "red"
        text = f"{mark} {cause(change, report.root)}"
        console.print(_indented(text, 6, style))
        if change.finding is not None and change.kind is not ChangeKind.IMPROVED:
            for line in details(change.finding, report.root):
                console.print(_indented(line, 10, "dim"))
        if change.before is not None and change.before.reason:
            reason = f"accepted before: {change.before.reason}"
            console.print(_indented(reason, 10, "dim"))


def _is_gone(change: Change) -> bool:
    return change.before is not None and bool(change.before.id)


def _not_comparable(results: Sequence[ComparedAudit], report: GateReport) -> Iterator[str]:
    known = f"it knows {'; '.join(report.known)}" if report.known else "it is empty or not there"
    for environment in dict.fromkeys(each.subject.environment for each in results):
        number = sum(each.subject.environment == environment for each in results)
        yield (
            f"{_file(report)} has no entries for {environment}: {known}."
            f" {several(number, 'audit')} compared with nothing."
        )


def _footer(report: GateReport, same: int) -> str:
    environments = "; ".join(dict.fromkeys(each.subject.environment for each in report.results))
    if report.updated:
        return environments
    runs = f", each run {report.runs} times" if report.runs > 1 else ""
    seconds = f" in {report.wall_seconds:.0f} s" if report.wall_seconds else ""
    total = several(len(report.results), "audit")
    return f"{same} of {total} as accepted{runs}{seconds}; {environments}"


def _counted(results: Sequence[ComparedAudit]) -> str:
    """``2 worse, 1 not in the baseline``."""
    numbers = {kind: sum(each.kind is kind for each in results) for kind in _WORDS}
    return ", ".join(f"{number} {_WORDS[kind]}" for kind, number in numbers.items() if number)


def _file(report: GateReport) -> str:
    name = report.baseline
    prefix = f"{report.root}/"
    return name.removeprefix(prefix) if report.root else name
