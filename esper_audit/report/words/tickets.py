"""The words of a ticket: statuses, the severity's rule, harm, evidence, lines that write."""

from __future__ import annotations

from collections.abc import Sequence

from esper_audit.data.audits import Audit, ClaimResult
from esper_audit.data.remedies import Fix, Trial
from esper_audit.data.steps import Phase
from esper_audit.data.tickets import Held
from esper_audit.data.verdicts import ClaimStatus, StepVerdict
from esper_audit.diagnosis.points import Decided
from esper_audit.diagnosis.severity import Harm, Rule
from esper_audit.report.words.numbers import agree, several, share
from esper_audit.report.words.paths import source_line
from esper_audit.report.words.reasons import in_words
from esper_audit.report.words.remedies import before_words, state_words
from esper_audit.source.attributes import SiteKind
from esper_audit.source.invalidation import Entry, EntryKind, Invalidation, OnPath

STATUSES = {
    ClaimStatus.CONFIRMED: "✅ CONFIRMED",
    ClaimStatus.REFUTED: "❌ REFUTED",
    ClaimStatus.NOT_TESTED: "➖ NOT TESTED",
}
RULES = {
    Rule.NOT_JUDGED: "no audit could be judged",
    Rule.WRONG_OUTPUT: "compiled code gave wrong output, and nothing said so",
    Rule.ERROR: "a compile raised an error that reached the caller",
    Rule.MOSTLY_EAGER: "more than half of the steps of an audit ran eagerly after the limit",
    Rule.LIMIT: "the recompile limit was hit, so each further value runs eagerly",
    Rule.RECOMPILES: "it recompiles beyond the budget, and the limit was not hit",
    Rule.WITHIN_BUDGET: "it recompiles within the budget",
    Rule.NOTHING: "nothing was measured",
}
KINDS = {
    SiteKind.WRITE: "binds",
    SiteKind.AUGMENTED: "binds",
    SiteKind.IN_PLACE: "writes in place",
    SiteKind.DELETE: "deletes",
}
ENTRIES = {
    EntryKind.FORWARD: "forward",
    EntryKind.CONSTRUCTION: "construction",
    EntryKind.MOVE: ".to() and its kin",
    EntryKind.LOAD: "load_state_dict()",
    EntryKind.MODE: "train() or eval()",
    EntryKind.COPIED: "unpickling or a copy",
    EntryKind.SETTER: "assignment to the property",
    EntryKind.IMPORT: "import of the module",
    EntryKind.UNCALLED: "unknown: nothing in the project is known to call it",
}
_MOST_NAMED = 8


def entry_words(entries: Sequence[Entry]) -> str:
    """``.to() and its kin (SeedSlot._apply); SeedSlot.prune, SeedSlot.set_alpha``."""
    said = [
        f"{ENTRIES[e.kind]}{f' ({e.function})' if e.function else ''}"
        for e in entries
        if e.kind is not EntryKind.CALL
    ]
    calls = [entry.function for entry in entries if entry.kind is EntryKind.CALL]
    return "; ".join([*said, *([", ".join(calls)] if calls else [])])


def path_words(line: Invalidation, root: str) -> str:
    """Whether forward reaches a line, by which calls, or which call is in doubt."""
    if line.on_path is OnPath.YES:
        way = " → ".join(source_line(call, root) for call in line.way)
        return f"yes{f', by {way}' if way else ''}"
    if line.on_path is OnPath.UNKNOWN and line.doubt is not None:
        return f"unknown: {source_line(line.doubt, root)} calls a method of an unknown object"
    return line.on_path.value


def outcome(audit: Audit) -> str:
    """``set_alpha_mid_rollout [lazy_cache]: failed, 6 recompiles and 3 eager of 18 steps``."""
    steady = [step.verdict for step in audit.steps if step.phase is Phase.STEADY]
    counts = [
        (steady.count(StepVerdict.STALE), "with wrong output"),
        (steady.count(StepVerdict.RECOMPILED), "recompiled"),
        (steady.count(StepVerdict.EAGER), "eager"),
    ]
    told = [f"{number} {what}" for number, what in counts if number]
    of_steps = f" of {several(len(steady), 'step')} after warm-up"
    said = f"{', '.join(told)}{of_steps}" if told else f"no recompile in{of_steps[3:]}"
    return f"{audit.title}: {audit.verdict.value}, {said}"


def evidence(decided: Decided, torch: str, root: str) -> str:
    """What decided a point, with the scenarios, backends and the version of torch behind it."""
    said = _evidence(decided, torch, root)
    note = decided.point.note
    return f"{said}. {note}" if note else said


def _evidence(decided: Decided, torch: str, root: str) -> str:
    point = decided.point
    if point.untested:
        return point.untested
    if decided.severity is not None:
        return f"measured severity: {decided.severity.value}"
    if point.only_by:
        return _by_source(decided, root)
    if decided.claims:
        return "; ".join(_of_claim(result, torch) for result in decided.claims)
    if decided.audits:
        told = "; ".join(map(outcome, decided.audits))
        backends = ", ".join(dict.fromkeys(audit.backend for audit in decided.audits))
        missing = f"; not judged: {', '.join(decided.missing)}" if decided.missing else ""
        return f"{told} ({backends}, torch {torch}){missing}"
    wanted = ", ".join((*point.scenarios, *map("=".join, point.about.items()))) or point.claim
    return f"this audit holds nothing of {wanted}" if wanted else "nothing decides it"


def _by_source(decided: Decided, root: str) -> str:
    if decided.status is ClaimStatus.NOT_TESTED:
        return "the source does not tell"
    if not decided.lines:
        return "by source: no other function leads to a line that invalidates it"
    entries = dict.fromkeys(entry for line in decided.lines for entry in line.entries)
    named = entry_words(list(entries)[:_MOST_NAMED])
    lines = ", ".join(source_line(line.location, root) for line in decided.lines)
    return f"by source: {lines} {agree(len(decided.lines), 'is', 'are')} also reached by {named}"


def _of_claim(result: ClaimResult, torch: str) -> str:
    """The scenarios of one backend, what the first of them showed, and the other side's."""
    who = result.refuted_by or result.confirmed_by
    why = in_words(result.because)
    where = f"{result.backend}, torch {torch}" if result.backend else f"torch {torch}"
    if not who:
        return why
    beside = ""
    if result.refuted_by and result.confirmed_by:
        passed = agree(len(result.confirmed_by), "confirms", "confirm")
        beside = f"; {', '.join(result.confirmed_by)} {passed} it"
    return f"{', '.join(who)} ({where}): {why}{beside}"


def held_words(decided: Decided) -> str:
    """What a point says of scenarios, where that is not plain: that they fail."""
    is_of_failure = decided.point.scenarios and decided.point.holds is Held.FAILED
    return " (holds where these scenarios fail)" if is_of_failure else ""


def harm_rows(harm: Harm) -> list[tuple[str, str]]:
    """What was measured, a row each; nothing that differs from run to run."""
    steps = harm.steps
    return [
        ("Audits about it", f"{several(harm.audits, 'audit')}, {harm.judged:,} judged"),
        ("With this cause", f"{share(harm.harmed, harm.judged, 'audit')}, {harm.failed:,} failed"),
        ("Recompiles after warm-up by this cause", f"{harm.recompiles:,}"),
        ("Audits that hit the recompile limit", f"{harm.limits:,}"),
        ("Steps that ran eagerly after the limit", f"{share(harm.eager, steps, 'step')}"),
        ("Largest share of them in one audit", f"{harm.worst:.0%}"),
        ("Steps with wrong output", f"{harm.wrong:,}"),
        ("Compile errors that reached the caller", f"{harm.raised:,}"),
    ]


def trial_words(fix: Fix, trial: Trial, root: str) -> str:
    """``rollout [lazy] (aot_eager): proven; 6 compiles after warm-up before, 0 compiles after it``.

    Seconds are left out: they differ from run to run.
    """
    after = f", {several(trial.compiles, 'compile')} with it" if trial.compiles is not None else ""
    state = state_words(trial, root)
    return f"{fix.title} ({fix.backend}): {state}; {before_words(fix)} as it is{after}"
