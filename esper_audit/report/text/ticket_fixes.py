"""The part of a ticket that recommends a fix: what was tried and proven, or what would try one."""

from __future__ import annotations

from collections.abc import Iterator

from esper_audit.data.remedies import Fix, Trial
from esper_audit.data.verdicts import AuditVerdict
from esper_audit.report.fix import best_of
from esper_audit.report.text.markdown import fenced
from esper_audit.report.text.markup import text
from esper_audit.report.ticket import Ticket
from esper_audit.report.words.advice import advised, to_try
from esper_audit.report.words.commands import fix_of
from esper_audit.report.words.levers import lever_code
from esper_audit.report.words.paths import relative
from esper_audit.report.words.remedies import because_words, name_of, reach_words
from esper_audit.report.words.tickets import trial_words


def recommended(ticket: Ticket) -> Iterator[str]:
    """The remedies that were proven, each once, with what they did; else how to try some."""
    if ticket.is_acceptable:
        yield from ("None is needed.", "")
    elif not any(audit.verdict is AuditVerdict.FAILED for audit in ticket.audits):
        yield from ("No audit failed, so `fix` has nothing to try.", "")
    elif ticket.fixes is None:
        yield from _untried(ticket)
    elif not ticket.fixes:
        yield from ("The report of `fix` holds nothing about these audits.", "")
    else:
        yield from _tried(ticket, ticket.fixes)


def _untried(ticket: Ticket) -> Iterator[str]:
    failed = [audit for audit in ticket.audits if audit.verdict is AuditVerdict.FAILED]
    files = [relative(audit.file, ticket.report.root) for audit in failed if audit.file]
    advice = dict.fromkeys(to_try(advised(cause.finding)) for cause in ticket.meant)
    yield from ("No remedy was tried for this ticket, so none is proven. Advice:", "")
    yield from (f"- {text(said)}" for said in advice)
    yield from ("", "To try remedies and prove one:", "")
    names = [audit.scenario for audit in failed]
    command = fix_of(files, names, ticket.points.about)
    yield from (*fenced(command, "console"), "")


def _tried(ticket: Ticket, fixes: tuple[Fix, ...]) -> Iterator[str]:
    proven: dict[object, list[tuple[Fix, Trial]]] = {}
    for fix in fixes:
        best = best_of(fix)
        if best is not None:
            proven.setdefault((best.id, best.levers, best.diff), []).append((fix, best))
    for group in proven.values():
        trial = group[0][1]
        yield from (f"**{text(name_of(trial))}**: {text(reach_words(trial))}", "")
        yield from (f"- {text(trial_words(fix, one, ticket.root))}" for fix, one in group)
        yield ""
        if trial.levers:
            yield from (*fenced(lever_code(trial.levers), "python"), "")
        if trial.diff:
            yield from (*fenced(trial.diff.removesuffix("\n"), "diff"), "")
    for fix in fixes:
        if best_of(fix) is None:
            why = because_words(fix.because, ticket.root) or "no remedy was proven"
            yield f"- {text(f'{fix.title} ({fix.backend}): {why}')}"
    titles = {fix.title for fix in fixes}
    failed = [audit.title for audit in ticket.audits if audit.verdict is AuditVerdict.FAILED]
    if left := [title for title in failed if title not in titles]:
        yield f"- not tried: {text(', '.join(left))}"
    yield ""
