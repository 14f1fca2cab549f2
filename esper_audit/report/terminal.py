"""The report on a terminal, and in a file: readable at 80 columns and without colour."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich import box
from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from esper_audit.data.audits import Audit, ClaimResult, Report
from esper_audit.data.compiles import Outcome
from esper_audit.data.jobs import was_run
from esper_audit.data.verdicts import AuditVerdict, ClaimStatus
from esper_audit.diagnosis import is_control
from esper_audit.report.answer import alternatives, answer
from esper_audit.report.blocks import sources, who_wrote
from esper_audit.report.cells import cell
from esper_audit.report.matrix import Matrix, matrix
from esper_audit.report.shared_causes import (
    Cause,
    causes,
    change,
    eager_causes,
    failed_attempts,
    wrong_outputs,
)
from esper_audit.report.strips import LEGEND, strip
from esper_audit.report.words.numbers import several
from esper_audit.report.words.paths import place

_CLAIM_STYLES = {
    ClaimStatus.CONFIRMED: "green",
    ClaimStatus.REFUTED: "red",
    ClaimStatus.NOT_TESTED: "dim",
}
_EAGER_NOTE = (
    "The backend 'eager' stops before the compiler stages that bake values in:"
    " it understates recompiles. Trust aot_eager or inductor."
)
_NOT_COMPARED_NOTE = (
    "Steps were not compared: wrong output can't be seen, nor eager code past a graph break."
    " A pass proves that compiled code ran, no more."
)
MOST_CAUSES = 8
WIDEST_HEAD = 12
WIDEST_CELL = 23
NARROWEST_CELL = 12


def print_report(report: Report, console: Console, verbosity: int = 0) -> None:
    """Print the whole report; ``verbosity`` -1 leaves the answer alone, 1 shows every audit."""
    console.print(_answer(report))
    if verbosity < 0:
        return
    for title, body in _sections(report, verbosity, console.width):
        console.print()
        console.print(Text(title, style="bold"))
        console.print(body)
    console.print()
    console.print(Text(_footer(report), style="dim"))


def _answer(report: Report) -> RenderableType:
    style = {AuditVerdict.PASSED: "bold green", AuditVerdict.FAILED: "bold red"}
    lines: list[RenderableType] = [
        Text(answer(report), style=style.get(report.verdict, "bold yellow"))
    ]
    lines += [Padding(Text(line), (0, 0, 0, 2)) for line in alternatives(report)]
    return Group(*lines)


def _sections(report: Report, verbosity: int, width: int) -> Iterator[tuple[str, RenderableType]]:
    if report.audits:
        yield "Scenarios", _matrix(report, width)
    shown = [a for a in report.audits if verbosity > 0 or _is_telling(a, report)]
    if shown:
        yield "Steps", _strips(shown, verbosity)
    wrong = wrong_outputs(shown)
    if wrong:
        yield "Wrong output", Group(*(_item(line) for line in wrong))
    found = causes([a for a in report.audits if _is_telling(a, report)])
    if found:
        most = len(found) if verbosity > 0 else MOST_CAUSES
        yield "Causes of compiles after warm-up", _causes(found, report.root, most)
    other = [a for a in shown if _is_telling(a, report) and cell(a).text.endswith("failed")]
    if other:
        lines = [_item(f"{_title(audit)}: {audit.reason}") for audit in other]
        yield "Other failures", Group(*lines, *map(_item, _breaks(other, report.root)))
    eager = eager_causes(shown)
    if eager:
        yield "Eager execution", Group(*(_item(line) for line in eager))
    tried = failed_attempts(shown)
    if tried:
        yield "Failed and refused compiles", Group(*(_item(line) for line in tried))
    if report.claims:
        yield "Claims", _claims(report.claims)
    troubled = [a for a in report.audits if a.verdict in (AuditVerdict.ERROR, AuditVerdict.SKIPPED)]
    if troubled:
        yield "Not judged", _troubles(troubled, verbosity)
    advised = [f"{_title(a)}: {line}" for a in report.audits for line in a.advice]
    if advised:
        yield "Advice", Group(*(_item(line) for line in advised))
    notes = list(_notes(report))
    if notes:
        yield "Notes", Group(*(_item(note) for note in notes))


def _breaks(audits: Sequence[Audit], root: str) -> list[str]:
    """The graph breaks of audits that failed for having too many, each line once."""
    found = (each for audit in audits for each in audit.graph_breaks)
    lines = (f"graph break at {place(b.location, root)}: {_first(b.reason)}" for b in found)
    return list(dict.fromkeys(lines))


def _first(text: str) -> str:
    return text.strip().splitlines()[0] if text.strip() else ""


def _is_telling(audit: Audit, report: Report) -> bool:
    return audit.verdict is AuditVerdict.FAILED and not is_control(audit, report.control)


def _matrix(report: Report, width: int) -> RenderableType:
    laid_out = matrix(report.audits, report.columns)
    labels, cells, columns = _widths(laid_out, width)
    tables = [
        _table(laid_out, range(start, min(start + columns, len(laid_out.heads))), labels, cells)
        for start in range(0, len(laid_out.heads), columns)
    ]
    legend = (
        "graphs compiled after warm-up, then in all"
        if laid_out.counts_graphs
        else "recompiled N: compiles after warm-up"
    )
    spaced = [part for table in tables for part in (table, Text(""))][:-1]
    return Group(*spaced, Text(f"✓ passed, ✗ failed, – skipped, ! error; {legend}", style="dim"))


def _table(laid_out: Matrix, columns: range, labels: int, cells: int) -> Table:
    # One space between columns, from the box: at 80 columns there is room for no more.
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, padding=0, header_style="bold")
    table.add_column(Text(laid_out.corner), overflow="fold", width=labels)
    for column in columns:
        head = Text(_broken(laid_out.heads[column]))
        table.add_column(head, overflow="fold", max_width=cells)
    for label, row in laid_out.rows:
        shown = [row[column] for column in columns]
        table.add_row(Text(label), *(Text(each.text, style=each.style) for each in shown))
    return table


def _widths(laid_out: Matrix, width: int) -> tuple[int, int, int]:
    """Of the labels and of each cell, and how many columns fit: rich cuts off what does not."""
    heads = len(laid_out.heads)
    longest = max(len(label) for label, _ in laid_out.rows)
    word = max(len(word) for label, _ in laid_out.rows for word in label.split())
    labels = longest if longest + heads * (WIDEST_CELL + 1) <= width else word
    labels = max(len(laid_out.corner), min(labels, width // 2 - 2))
    columns = max(1, min(heads, (width - labels) // (NARROWEST_CELL + 1)))
    return labels, max(6, (width - labels) // columns - 1), columns


def _broken(head: str) -> str:
    """A long head in two lines, so that its column stays as narrow as its cells."""
    return head.replace("_", "_\n", 1) if len(head) > WIDEST_HEAD else head


def _strips(audits: Sequence[Audit], verbosity: int) -> RenderableType:
    several = _several_backends(audits)
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(overflow="fold")
    table.add_column(overflow="fold")
    for audit in audits:
        table.add_row(Text(_title(audit, several)), Text.assemble(*strip(audit)))
        if verbosity > 0:
            for step in audit.steps:
                label = f" after {step.label}" if step.label else ""
                line = f"{step.index} {step.verdict.value}{label}: {step.because}"
                table.add_row("", Text(line, style="dim"))
    return Group(table, Text(LEGEND, style="dim"))


def _title(audit: Audit, with_backend: bool = True) -> str:
    return f"{audit.title} {audit.backend}" if with_backend else audit.title


def _several_backends(audits: Sequence[Audit]) -> bool:
    return len({audit.backend for audit in audits}) > 1


def _causes(found: Sequence[Cause], root: str, most: int) -> RenderableType:
    blocks = [_cause(cause, root) for cause in found[:most]]
    if len(found) > most:
        more = f"and {len(found) - most} more that cost less: see them with -v"
        blocks.append(Text(more, style="dim"))
    return Group(*blocks)


def _cause(cause: Cause, root: str) -> RenderableType:
    finding = cause.finding
    lines = [
        who_wrote(finding, root),
        f"guarded in {finding.frame.name} by {place(finding.user_line, root)}",
        f"{cause.pattern.value}: {several(cause.compiles, 'recompile')}"
        f" and {several(cause.limits, 'limit')} hit in {several(len(cause.scenarios), 'scenario')},"
        f" {cause.seconds:.1f} s lost",
    ]
    head = Text.assemble((finding.id.value, "bold"), f": {sources(finding)}: {change(cause)}")
    return Group(head, *(Padding(Text(line), (0, 0, 0, 4)) for line in lines))


def _claims(results: Sequence[ClaimResult]) -> RenderableType:
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    several = len({result.backend for result in results}) > 1
    for result in results:
        status = Text(result.status.value, style=_CLAIM_STYLES[result.status])
        claim = result.claim
        head = Text.assemble((claim.text, "bold"), f" ({claim.source})" if claim.source else "")
        table.add_row(status, head)
        table.add_row("", Text(_by(result, several), style="dim"))
    return table


def _by(result: ClaimResult, several: bool) -> str:
    who = result.refuted_by or result.confirmed_by
    on = f" on {result.backend}" if several and result.backend else ""
    return f"by {', '.join(who)}{on}: {result.because}" if who else result.because


def _troubles(audits: Sequence[Audit], verbosity: int) -> RenderableType:
    lines: list[RenderableType] = []
    for audit in filter(was_run, audits):
        lines.append(_item(f"{_title(audit)}: {audit.verdict.value}: {audit.reason}"))
        if audit.log and verbosity > 0:
            tail = "\n".join(audit.log.strip().splitlines()[-12:])
            lines.append(Padding(Text(tail, style="dim"), (0, 0, 0, 4)))
    left = [_title(audit) for audit in audits if not was_run(audit)]
    if left:
        lines.append(_item(f"not run, as the audit was interrupted: {', '.join(left)}"))
    return Group(*lines)


def _notes(report: Report) -> Iterator[str]:
    if report.interrupted:
        yield "Interrupted: this report holds what was done until then."
    if any(audit.backend == "eager" for audit in report.audits):
        yield _EAGER_NOTE
    if any(audit.options.get("compare") == "false" for audit in report.audits):
        yield _NOT_COMPARED_NOTE
    for note, names in _collected(report):
        yield f"{note} ({names})."
    lost = {each.name: each for audit in report.audits for each in audit.recording.lost}
    for each in lost.values():
        yield f"torch {each.torch_version} has no {each.name}. Lost: {each.lost}."
    for audit in report.audits:
        for error in audit.recording.hook_errors:
            last = error.gist
            yield f"The recorder's hook {error.hook} failed in {_title(audit)}: {last}"
        for unknown in audit.recording.unrecognized:
            yield f"Unrecognized in {_title(audit)}, {unknown.where}: {unknown.text}"


def _collected(report: Report) -> Iterator[tuple[str, str]]:
    """Each remark of a scenario, with the scenarios that made it."""
    who: dict[str, list[str]] = {}
    for audit in report.audits:
        for note in audit.recording.notes:
            who.setdefault(note, []).append(audit.scenario)
    for note, names in who.items():
        yield note, ", ".join(dict.fromkeys(names))


def _item(text: str) -> RenderableType:
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(width=1)
    table.add_column(overflow="fold")
    table.add_row("-", Text(text))
    return table


def _footer(report: Report) -> str:
    environment = report.environment
    compiled = sum(c.seconds.total for audit in report.audits for c in audit.recording.compiles)
    limits = sum(
        c.outcome is Outcome.LIMIT for audit in report.audits for c in audit.recording.compiles
    )
    return (
        f"{several(sum(map(was_run, report.audits)), 'audit')} in {report.wall_seconds:.0f} s;"
        f" {compiled:.0f} s of compiling, {several(limits, 'limit')} hit;"
        f" torch {environment.torch}, Python {environment.python}, {environment.device}"
    )
