"""The report on a run of scenarios, as sections."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from esper_audit.data.audits import Audit, ClaimResult, Report
from esper_audit.data.diagnoses import Diagnosis
from esper_audit.data.findings import Finding, Pattern
from esper_audit.data.jobs import was_run
from esper_audit.data.verdicts import AuditVerdict, ClaimStatus
from esper_audit.diagnosis import is_control
from esper_audit.report import blame
from esper_audit.report.answer import alternatives, answer
from esper_audit.report.blocks import NO_REASON, others_wrote, who_wrote
from esper_audit.report.cells import FAILED, REUSED, Cell, cell
from esper_audit.report.closings import run_closing
from esper_audit.report.matrix import matrix
from esper_audit.report.sections import (
    Block,
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
    words,
)
from esper_audit.report.shared_causes import (
    Cause,
    causes,
    eager_causes,
    failed_attempts,
    wrong_outputs,
)
from esper_audit.report.strips import strip
from esper_audit.report.words.changes import change, sources
from esper_audit.report.words.commands import NOTHING_TYPED, Typed
from esper_audit.report.words.marks import AUDIT_LEGEND, CLAIM_STYLES, STEP_LEGEND, answer_style
from esper_audit.report.words.numbers import several
from esper_audit.report.words.paths import left_out, place
from esper_audit.report.words.programs import first_line
from esper_audit.report.words.reasons import all_in_words, in_words

MOST_ROWS = 12
MOST_STRIPS = 4
MOST_CAUSES = 3
MOST_NAMED = 1
MOST_VALUES = 3
_LEGEND = (
    "numbers: after warm-up, within the budget where ✓; limit after N: N recompiles, then the"
    " recompile limit was hit"
)
_GRAPHS_LEGEND = "N then M: compiles in warm-up, and in all"
_EAGER_NOTE = (
    "The backend 'eager' stops before the compiler stages that bake values in:"
    " it understates recompiles. Trust aot_eager or inductor."
)
_NOT_COMPARED_NOTE = (
    "Steps were not compared, so neither wrong output nor eager code past a graph break is seen."
    " A pass proves only that compiled code ran."
)


def run_page(report: Report, verbosity: int = 0, typed: Typed = NOTHING_TYPED) -> Page:
    """The whole report; ``verbosity`` -1 leaves the answer alone, 1 shows every audit."""
    said = line(answer(report), style=answer_style(report.verdict))
    headline = item(said, *alternatives(report))
    if verbosity < 0:
        return Page((headline,))
    closing = run_closing(report, _findings(report), verbosity, typed)
    return Page((headline,), tuple(_sections(report, verbosity)), closing)


def _findings(report: Report) -> Iterator[Finding]:
    """Those of the failed audits, as far as they are told: the costliest first."""
    failed = [audit for audit in report.audits if is_telling(audit, report)]
    yield from (cause.finding for cause in causes(failed))
    yield from (finding for audit in failed for finding in audit.findings)


def _sections(report: Report, verbosity: int) -> Iterator[Section]:
    failed = [audit for audit in report.audits if is_telling(audit, report)]
    shown = report.audits if verbosity > 0 else failed
    if report.audits:
        yield _scenarios(report, verbosity)
    if shown and (verbosity > 0 or len(shown) <= MOST_STRIPS):
        yield _steps(shown, verbosity)
    if wrong := wrong_outputs(shown):
        yield Section("Wrong output", bullets(*wrong))
    if found := causes(failed):
        yield _causes(found, report.root, len(found) if verbosity > 0 else MOST_CAUSES)
    writers = blame.of_run(report) if verbosity > 0 else None
    if writers is not None:
        yield writers
    if other := [audit for audit in failed if cell(audit).text.endswith(FAILED)]:
        lines = [f"{audit_title(audit)}: {all_in_words(audit.reasons)}" for audit in other]
        yield Section("Other failures", bullets(*lines, *_breaks(other, report.root)))
    if eager := _eager(shown, verbosity):
        yield Section("Eager execution", bullets(*eager))
    if tried := failed_attempts(shown):
        yield Section("Failed and refused compiles", bullets(*tried))
    if report.claims:
        yield _claims(report.claims, verbosity)
    if troubles := tuple(_troubles(report.audits, verbosity)):
        yield Section("Not judged", troubles)
    if advised := [
        f"{audit_title(audit)}: {in_words(advice)}"
        for audit in report.audits
        for advice in audit.advice
    ]:
        yield Section("Advice", bullets(*advised))
    if notes := list(_notes(report)):
        yield Section("Notes", bullets(*notes), anchor=Part.NOTES)


def _eager(audits: Sequence[Audit], verbosity: int) -> list[str]:
    """That code runs eagerly past the limit, the causes of its recompiles have told."""
    if verbosity > 0:
        return eager_causes(audits, len(audits))
    return eager_causes(audits, MOST_NAMED, besides=(Diagnosis.EAGER_AFTER_LIMIT,))


def _breaks(audits: Sequence[Audit], root: str) -> list[str]:
    """The graph breaks of audits that failed for having too many, each line once."""
    found = (graph_break for audit in audits for graph_break in audit.graph_breaks)
    lines = (f"graph break at {place(b.location, root)}: {first_line(b.reason)}" for b in found)
    return list(dict.fromkeys(lines))


def is_telling(audit: Audit, report: Report) -> bool:
    """Whether it failed, and was not meant to."""
    return audit.verdict is AuditVerdict.FAILED and not is_control(audit, report.control)


def _scenarios(report: Report, verbosity: int) -> Section:
    laid_out = matrix(report.audits, report.columns)
    rows = [row for row in laid_out.rows if verbosity > 0 or not _is_all_reused(row[1])]
    if len(laid_out.rows) <= MOST_ROWS or not rows:
        rows = list(laid_out.rows)
    cells = tuple(
        (line(label), *(line(words(cell.text, cell.style)) for cell in found))
        for label, found in rows
    )
    table = Table(cells, (laid_out.corner, *laid_out.heads), breaks=True)
    left = len(laid_out.rows) - len(rows)
    rest = [line(f"{several(left, 'more row')}: {REUSED} in each column")] if left else []
    legend = _GRAPHS_LEGEND if laid_out.counts_graphs else _LEGEND
    return Section(
        "Scenarios", (table,), (*rest, line(f"{AUDIT_LEGEND}; {legend}")), anchor=Part.SCENARIOS
    )


def _is_all_reused(cells: Sequence[Cell]) -> bool:
    return all(cell.text == REUSED for cell in cells)


def _steps(audits: Sequence[Audit], verbosity: int) -> Section:
    several_backends = len({audit.backend for audit in audits}) > 1
    rows = tuple((line(audit_title(audit, several_backends)), strip(audit)) for audit in audits)
    evidence = map(_evidence, audits) if verbosity > 0 else ()
    return Section("Steps", (Table(rows), *evidence), (line(STEP_LEGEND),), anchor=Part.STEPS)


def _evidence(audit: Audit) -> Item:
    """Each step of an audit, and what its verdict rests on."""
    lines = []
    for step in audit.steps:
        label = f" after {step.label}" if step.label else ""
        text = f"{step.index} {step.verdict.value}{label}: {in_words(step.because)}"
        lines.append(item(line(text, style=Style.MUTED)))
    return item(audit_title(audit), *lines)


def audit_title(audit: Audit, with_backend: bool = True) -> str:
    """``scenario [value-value] backend``."""
    return f"{audit.title} {audit.backend}" if with_backend else audit.title


def _causes(found: Sequence[Cause], root: str, most: int) -> Section:
    more = f"and {len(found) - most} more that cost less: see them with -v"
    notes = (line(more),) if len(found) > most else ()
    shown = tuple(cause_item(cause, root) for cause in found[:most])
    return Section("Causes of recompiles after warm-up", shown, notes, anchor=Part.CAUSES)


def cause_item(cause: Cause, root: str) -> Item:
    """One cause over all audits of the run: what changed, who wrote it, what it cost."""
    finding = cause.finding
    changed = _changed(cause)
    head = line(words(finding.id.value, Style.STRONG), f": {sources(finding)}: {changed}")
    limits = f" and {several(cause.limits, 'limit')} hit" if cause.limits else ""
    return item(
        head,
        who_wrote(finding, root),
        *others_wrote(finding, root),
        f"guarded in {finding.frame.name} by {place(finding.user_line, root)}",
        f"{cause.pattern.value}: {several(cause.compiles, 'recompile')}{limits}"
        f" in {several(len(cause.scenarios), 'scenario')}, {cause.seconds:.1f} s lost",
    )


def _changed(cause: Cause) -> str:
    """``1 -> 2, 3; 5 -> 6``; where the old values are many, all new ones after the first."""
    if cause.pattern is Pattern.STORM or len(cause.parts) > MOST_VALUES:
        return change(cause.finding, cause.values, MOST_VALUES)
    return "; ".join(change(part, shown=MOST_VALUES) for part in cause.parts)


def _claims(results: Sequence[ClaimResult], verbosity: int) -> Section:
    """How many of each status, and those that are refuted; all, with the evidence, at -v."""
    several_backends = len({result.backend for result in results}) > 1
    rows = []
    for result in results:
        if verbosity > 0:
            rows += [_claim(result, result.claim.source)]
            rows += [(line(), line(_by(result, several_backends), style=Style.MUTED))]
        elif result.status is ClaimStatus.REFUTED:
            rows.append(_claim(result))
    found = Counter(result.status for result in results)
    counts = ", ".join(f"{found[status]} {status.value}" for status in ClaimStatus if found[status])
    return Section(f"Claims: {counts}", (Table(tuple(rows)),) if rows else (), anchor=Part.CLAIMS)


def _claim(result: ClaimResult, source: str = "") -> tuple[Line, Line]:
    status = words(result.status.value, CLAIM_STYLES[result.status])
    more = f" ({source})" if source else ""
    return line(status), line(words(result.claim.text, Style.STRONG), more)


def _by(result: ClaimResult, with_backend: bool) -> str:
    who = result.refuted_by or result.confirmed_by
    on = f" on {result.backend}" if with_backend and result.backend else ""
    why = in_words(result.because)
    return f"by {', '.join(who)}{on}: {why}" if who else why


def _troubles(audits: Sequence[Audit], verbosity: int) -> Iterator[Block]:
    for audit in audits:
        if audit.verdict in (AuditVerdict.ERROR, AuditVerdict.SKIPPED) and was_run(audit):
            log = _log(audit) if verbosity > 0 else ()
            reason = f"{audit_title(audit)}: {audit.verdict.value}: {all_in_words(audit.reasons)}"
            yield item(reason, *log, mark="-")
    left = [audit_title(audit) for audit in audits if not was_run(audit)]
    if left:
        yield from bullets(f"not run, as the audit was interrupted: {', '.join(left)}")


def _log(audit: Audit) -> list[Item]:
    tail = audit.log.strip().splitlines()[-12:]
    return [item(line(text, style=Style.MUTED)) for text in tail]


def _notes(report: Report) -> Iterator[str]:
    if report.interrupted:
        yield "Interrupted: this report holds only what was done before."
    if any(audit.backend == "eager" for audit in report.audits):
        yield _EAGER_NOTE
    if any(audit.options.get("compare") == "false" for audit in report.audits):
        yield _NOT_COMPARED_NOTE
    for file in report.left_out:
        yield left_out(file, report.root)
    for note, names in _collected(report):
        yield f"{note} ({names})."
    lost = {notice.name: notice for audit in report.audits for notice in audit.recording.lost}
    for notice in lost.values():
        yield f"torch {notice.torch_version} has no {notice.name}. Lost: {notice.lost}."
    for audit in report.audits:
        for error in audit.recording.hook_errors:
            yield f"The recorder's hook {error.hook} failed in {audit_title(audit)}: {error.gist}"
        for unknown in audit.recording.unrecognized:
            where = f"{audit_title(audit)}, {unknown.where}"
            yield f"Unrecognized in {where}: {unknown.text or NO_REASON}"


def _collected(report: Report) -> Iterator[tuple[str, str]]:
    """Each remark of a scenario, with the scenarios that made it."""
    who: dict[str, list[str]] = {}
    for audit in report.audits:
        for note in audit.recording.notes:
            who.setdefault(in_words(note), []).append(audit.scenario)
    for said, names in who.items():
        yield said, ", ".join(dict.fromkeys(names))
