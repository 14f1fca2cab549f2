"""A ticket as Markdown, with the sections and tables that finding tickets have."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from esper_audit.data.clean import clean_code
from esper_audit.data.places import Location
from esper_audit.data.tickets import Done, Review
from esper_audit.data.verdicts import ClaimStatus
from esper_audit.diagnosis.points import Decided
from esper_audit.diagnosis.severity import Severity
from esper_audit.report.answer import alternatives
from esper_audit.report.blocks import who_wrote
from esper_audit.report.text.markup import code, fields, table, text
from esper_audit.report.text.ticket_fixes import recommended
from esper_audit.report.ticket import Ticket
from esper_audit.report.words.numbers import several, share
from esper_audit.report.words.paths import relative, source_line
from esper_audit.report.words.tickets import (
    KINDS,
    RULES,
    STATUSES,
    entry_words,
    evidence,
    harm_rows,
    held_words,
    path_words,
)
from esper_audit.source.invalidation import Invalidation

_RULE = ("---", "")
_MOST_CODE = 40

CORRECTNESS, PERFORMANCE = "Correctness bug", "Performance bottleneck"
COMPILE = "torch.compile compatibility"
CATEGORIES = (
    CORRECTNESS,
    "Race condition / concurrency",
    "Memory leak / resource issue",
    PERFORMANCE,
    "Numerical stability",
    COMPILE,
    "Dead code / unwired functionality",
    "API design / contract violation",
    "Test coverage gap",
    "Documentation / naming",
    "Defensive programming violation",
    "Legacy code policy violation",
)
"""The boxes of a ticket. An audit decides the first, the fourth and the sixth alone."""


def ticket_text(ticket: Ticket) -> str:
    """The whole ticket."""
    parts = (
        _head(ticket),
        _location(ticket),
        _summary(ticket),
        _description(ticket),
        _resolution(ticket),
        _verification(ticket),
        _related(ticket),
        *(_review(review, points, ticket) for review, points in ticket.reviews),
        _appendix(ticket),
    )
    return "\n".join(line for part in parts for line in part).rstrip("-\n") + "\n"


def _head(ticket: Ticket) -> Iterator[str]:
    points = ticket.points
    yield from (f"# Finding Ticket: {text(_title(ticket))}", "", *_RULE, "## Ticket Metadata", "")
    yield from fields(
        [
            ("Ticket ID", code(points.id)),
            ("Severity", code(ticket.severity.value) + _was(points.severity)),
            ("Status", code(status(ticket)) + _was(points.status)),
            ("Batch", text(points.batch)),
            ("Agent", code(points.agent)),
            ("Domain", code(points.domain)),
            ("Assignee", text(points.assignee)),
            ("Created", text(points.created)),
            ("Updated", text(ticket.date)),
        ]
    )
    yield from _RULE


def _title(ticket: Ticket) -> str:
    if ticket.points.title:
        return ticket.points.title
    if ticket.meant:
        finding = ticket.meant[0].finding
        return f"{finding.id} of {finding.source} in {finding.frame.name}"
    return "nothing was judged" if ticket.severity is Severity.UNKNOWN else "nothing was found"


def _was(before: str) -> str:
    return f" (was {code(before)})" if before else ""


def status(ticket: Ticket) -> str:
    """Open where something needs a change; not-judged where nothing is known."""
    if ticket.severity is Severity.UNKNOWN:
        return "not-judged"
    return "wont-fix" if ticket.is_acceptable else "open"


def _location(ticket: Ticket) -> Iterator[str]:
    function, where = ticket.function, ticket.points.location
    rows = [("File(s)", ""), ("Line(s)", ""), ("Function/Class", "")]
    if function is not None:
        node = function.node
        lines = f"{node.lineno}-{node.end_lineno}"
        file = relative(function.file.path, ticket.root)
        rows = [("File(s)", code(file)), ("Line(s)", code(lines))]
        rows.append(("Function/Class", code(f"{function.qualname}()")))
    if ticket.guarded is not None:
        rows.append(("Guarded line in the audit", code(_line(ticket.guarded, ticket))))
    if where.file:
        original = f"{where.file}:{where.lines}" if where.lines else where.file
        there = f"{code(original)}{f', {code(where.function)}' if where.function else ''}"
        rows.append(("In the original", there))
    yield from ("## Location", "")
    yield from fields(rows)
    yield from _RULE


def _line(location: Location, ticket: Ticket) -> str:
    return source_line(location, ticket.report.root)


def _summary(ticket: Ticket) -> Iterator[str]:
    ticked = set()
    if ticket.harm.wrong:
        ticked.add(CORRECTNESS)
    if ticket.harm.failed:
        ticked.add(PERFORMANCE)
    if ticket.harm.harmed:
        ticked.add(COMPILE)
    yield from ("## Summary", "", f"**One-line summary:** {_one_line(ticket)}", "")
    if ticket.points.summary:
        yield from (f"**In the original:** {text(ticket.points.summary)}", "")
    yield "**Category:**"
    yield from (f"- [{'x' if name in ticked else ' '}] {name}" for name in CATEGORIES)
    yield from ("", *_RULE)


def _one_line(ticket: Ticket) -> str:
    harm, state = ticket.harm, ticket.state
    what = code(f"{state.made.name}.{state.attribute}") if state else text(_title(ticket))
    if ticket.severity is Severity.UNKNOWN:
        return "No audit was judged, so nothing is known."
    if not harm.harmed and not state and not ticket.points.title:
        return f"No cause of a recompile was found in {several(harm.judged, 'audit')}."
    if not harm.harmed:
        return f"{what} causes no recompile in {several(harm.judged, 'audit')}."
    limits = f", and hits the recompile limit in {harm.limits}" if harm.limits else ""
    return (
        f"{what} causes {several(harm.recompiles, 'recompile')} after warm-up in"
        f" {share(harm.harmed, harm.judged, 'audit')}{limits}."
    )


def _description(ticket: Ticket) -> Iterator[str]:
    yield from ("## Detailed Description", "", "### What's Wrong", "")
    yield from (said if said.startswith(" ") else f"- {said}" for said in _wrong(ticket))
    yield from ("", "### Code Evidence", "")
    yield from _code(ticket)
    yield from _acceptable(ticket)
    yield from _RULE


def _wrong(ticket: Ticket) -> Iterator[str]:
    state = ticket.state
    if state is not None and state.function is not None and state.sources:
        made = ", ".join(map(code, state.sources))
        yield f"{code(state.function.qualname)} makes {code(state.attribute)} from {made}."
    for cause in ticket.meant:
        finding = cause.finding
        hit = several(cause.limits, "audit")
        limit = f"; the recompile limit is hit in {hit}" if cause.limits else ""
        yield (
            f"{code(finding.source)} in {code(finding.frame.name)}: {finding.id.value},"
            f" {cause.pattern.value}: {several(cause.compiles, 'recompile')}"
            f" in {several(len(cause.scenarios), 'scenario')}{limit}"
        )
        if wrote := who_wrote(finding, ticket.report.root):
            yield f"  - {text(wrote)}"
    if not ticket.meant:
        yield "No audit recompiled for it."


def _code(ticket: Ticket) -> Iterator[str]:
    function = ticket.function
    if function is None:
        yield from ("The source of the cause was not found in the project.", "")
        return
    first = function.node.lineno
    last = min(function.node.end_lineno or first, first + _MOST_CODE - 1)
    lines = [clean_code(line) for line in function.file.lines[first - 1 : last]]
    fence = "`" * max(3, 1 + max((len(f) for x in lines for f in re.findall("`+", x)), default=0))
    yield from (f"{fence}python", f"# {relative(function.file.path, ticket.root)}:{first}-{last}")
    width = len(str(last))
    yield from ("", *(f"{n:{width}}  {line}".rstrip() for n, line in enumerate(lines, first)))
    yield from (fence, "")


def _acceptable(ticket: Ticket) -> Iterator[str]:
    is_not = "" if ticket.is_acceptable else " Not"
    heading = f"### Why This Is{is_not} Acceptable"
    if ticket.severity is Severity.UNKNOWN:
        heading = "### Whether This Is Acceptable"
    yield from (heading, "", text(_sentence(RULES[ticket.rule])), "")


def _sentence(said: str) -> str:
    return f"{said[:1].upper()}{said[1:]}."


def _resolution(ticket: Ticket) -> Iterator[str]:
    yield from ("## Resolution", "", f"### Status: {status(ticket).upper()}", "")
    yield from ("**Answered from a recorded audit.**", "", "#### Evidence", "")
    yield from _decided(ticket.claims, ticket)
    if ticket.also:
        yield from ("Beyond the ticket:", "", *_decided(ticket.also, ticket))
    yield from ("#### Measured Harm", "")
    yield from table(("What", "Measured"), [(text(a), text(b)) for a, b in harm_rows(ticket.harm)])
    yield from ("#### Severity", "")
    before = ticket.points.severity
    yield from [f"- Original: {text(before)}"] if before else []
    yield f"- Measured: {ticket.severity.value} ({text(RULES[ticket.rule])})"
    yield from (f"- Resolution: {status(ticket)}", "", "#### Recommended Fix", "")
    yield from recommended(ticket)
    if beside := alternatives(ticket.report):
        yield from ("In the same audit:", "", *(f"- {text(said)}" for said in beside), "")
    yield from _RULE


def _decided(points: Sequence[Decided], ticket: Ticket) -> Iterator[str]:
    rows = [
        (f"“{text(one.point.said)}”", _status(one), text(_evidence(one, ticket))) for one in points
    ]
    if rows:
        yield from table(("Claim", "Status", "Evidence"), rows)
    elif ticket.boxes:
        yield from ("Each claim is a check: see Verification.", "")
    else:
        yield from ("No scenario declares a claim.", "")


def _status(one: Decided) -> str:
    return f"{STATUSES[one.status]}{_was(one.point.was)}"


def _evidence(one: Decided, ticket: Ticket) -> str:
    return evidence(one, ticket.report.environment.torch, ticket.root)


def _verification(ticket: Ticket) -> Iterator[str]:
    yield from ("## Verification", "", "### How to Verify the Fix", "")
    for box in ticket.boxes:
        yield f"- [{'x' if box.ticked else ' '}] {text(box.point.said)}"
        yield f"  - {_tested(box)}{STATUSES[box.status]}: {text(_evidence(box, ticket))}"
    yield from [] if ticket.boxes else ["No claim of the scenarios is a check of this ticket."]
    yield from ("", *_RULE)


def _tested(box: Decided) -> str:
    """Of a check that is done once it is tested: which claim it is that has this status."""
    claims = dict.fromkeys(result.claim.text for result in box.claims)
    if box.point.done is not Done.TESTED or not box.ticked or not claims:
        return ""
    return f"tested: {', '.join(f'“{text(claim)}”' for claim in claims)} is "


def _related(ticket: Ticket) -> Iterator[str]:
    yield from ("## Related Findings", "")
    if ticket.state is not None:
        yield from ("Every line that writes the cached attribute, or what it is made from:", "")
        yield from table(
            ("Line", "Writes", "In", "On a path from forward", "Reached by"),
            [_row(line, ticket) for line in ticket.lines],
        )
    else:
        yield from ("Where it is written is unknown: no class in this project's source has it.", "")
    for cause in ticket.others:
        names = ", ".join(cause.scenarios)
        finding = cause.finding
        where = f"{code(finding.source)} in {code(finding.frame.name)}"
        yield f"- {finding.id.value}: {where} ({text(names)})"
    for (diagnosis, frame), scenarios in ticket.eager.items():
        yield f"- {diagnosis.value}: {code(frame)} ({text(', '.join(scenarios))})"
    yield from (f"- in the original: {text(said)}" for said in ticket.points.related)
    yield from ("", *_RULE) if ticket.others or ticket.eager or ticket.points.related else _RULE


def _row(line: Invalidation, ticket: Ticket) -> tuple[str, ...]:
    doubt = "" if line.certain else ", of an object of unknown class"
    return (
        code(source_line(line.location, ticket.root)),
        f"{KINDS[line.kind]} {code(line.attribute)}{doubt}",
        code(line.location.function),
        text(path_words(line, ticket.root)),
        text(entry_words(line.entries)),
    )


def _review(review: Review, points: Sequence[Decided], ticket: Ticket) -> Iterator[str]:
    yield from (f"## Cross-Review: {text(review.reviewer)}", "")
    yield from (f"| Verdict | **{text(review.verdict)}** |", "|---------|-------------|", "")
    yield from ("**Evaluation, point by point:**", "")
    rows = [
        (
            f"“{text(one.point.said)}”{held_words(one)}",
            _status(one),
            text(_evidence(one, ticket)),
        )
        for one in points
    ]
    yield from table(("Claimed", "Answer", "Measured"), rows)
    found = [one.status for one in points]
    counts = ((s, found.count(s)) for s in ClaimStatus if found.count(s))
    yield from (f"In all: {', '.join(f'{n} {status.value}' for status, n in counts)}.", "")


def _appendix(ticket: Ticket) -> Iterator[str]:
    points, environment = ticket.points, ticket.report.environment
    yield from (*(_RULE if ticket.reviews else ()), "## Appendix", "")
    if points.report:
        yield from ("### Original Report Reference", "")
        yield f"**Report file:** {code(points.report)}"
        yield from (f"**Section:** {text(points.section)}", "")
    yield from ("### How This Was Answered", "")
    backends = ", ".join(dict.fromkeys(audit.backend for audit in ticket.audits))
    audits = several(len(ticket.report.audits), "audit")
    yield f"- {audits}, {len(ticket.audits)} of them about this ticket"
    made_by = f"torch {environment.torch}, {environment.device}"
    yield f"- backends: {text(backends) or 'none'}; {text(made_by)}"
    yield "- written by `esper-audit ticket`; how it rates: `docs/how-to/answer-a-ticket.md`"
