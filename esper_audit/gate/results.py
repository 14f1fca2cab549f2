"""Measured audits against accepted entries: what changed, which way, and whether that fails."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from esper_audit.data.changes import Change, ChangeKind, ComparedAudit, Entry
from esper_audit.data.diagnoses import Diagnosis
from esper_audit.data.findings import Finding
from esper_audit.data.reasons import Counted, Reason, Why
from esper_audit.data.verdicts import AuditVerdict
from esper_audit.diagnosis import CHANGES, EAGER, KINDS, is_of_kind
from esper_audit.gate.measure import Measured

_ALWAYS = (ChangeKind.ERROR, ChangeKind.SAME)
COUNTS = {
    "after_warm_up": Counted.COMPILES_AFTER_WARM_UP,
    "in_warm_up": Counted.COMPILES_IN_WARM_UP,
    "graph_breaks": Counted.GRAPH_BREAKS,
    "eager": Counted.EAGER,
    "stale": Counted.STALE,
}
_BEHIND = {
    "eager": EAGER,
    "stale": (Diagnosis.STALE_OUTPUT,),
    "graph_breaks": (Diagnosis.GRAPH_BREAK,),
}
"""The diagnoses that a count counts, where their findings carry no count of their own."""
_NEW_CAUSE, _CAUSE_GONE = Reason(why=Why.NEW_CAUSE), Reason(why=Why.CAUSE_GONE)
_GRAVITY = list(ChangeKind)
_GETS_WORSE = (ChangeKind.WORSE, ChangeKind.NEW)


Declared = Mapping[str, Mapping[str, Sequence[str]]]
"""The values of each parameter, by scenario."""


def hold_against(
    measured: Sequence[Measured],
    baseline: Sequence[Entry],
    fail_on: Iterable[str] | None = None,
    declared: Declared | None = None,
) -> tuple[ComparedAudit, ...]:
    """Each audit against its entries, the gravest first.

    Args:
        measured: audits; several of one subject are repetitions, and must not differ.
        fail_on: names of KINDS; without, every kind of change fails.
        declared: all scenarios that there are, so that an entry of another one is stale.
    """
    accepted = _by_subject(baseline)
    environments = {entry.subject.environment for entry in baseline}
    repeated: dict[tuple[str, ...], list[Measured]] = defaultdict(list)
    for run in measured:
        repeated[run.subject.key].append(run)
    results = [
        _result(runs, accepted.get(key, []), runs[0].subject.environment in environments)
        for key, runs in repeated.items()
    ]
    here = {audit.subject.environment for audit in measured}
    left = [entries for key, entries in accepted.items() if key not in repeated]
    if declared is not None:
        gone = [e for e in left if e[0].subject.environment in here and _is_gone(e[0], declared)]
        results += [_unmatched(entries) for entries in gone]
    return _ordered(results, CHANGES if fail_on is None else fail_on)


def compare(first: Sequence[Measured], second: Sequence[Measured]) -> tuple[ComparedAudit, ...]:
    """The second audits against the first; no change fails. Their environments must be alike."""
    before = [entry for audit in first for entry in audit.entries]
    known = {audit.subject.key for audit in second}
    results = [_of_sides(result) for result in hold_against(second, before)]
    results += [_in_first(e) for key, e in _by_subject(before).items() if key not in known]
    found = {e.key: f for run in first for e, f in zip(run.causes, run.findings, strict=True)}
    return _ordered((_with_gone(result, found) for result in results), ())


def _of_sides(result: ComparedAudit) -> ComparedAudit:
    """Of two audits, where there is no baseline to speak of."""
    only = Reason(why=Why.IN_SECOND_ALONE)
    changes = tuple(
        replace(change, reason=only) if change.reason.why is Why.NOT_IN_BASELINE else change
        for change in result.changes
    )
    return replace(result, changes=changes)


def _in_first(entries: Sequence[Entry]) -> ComparedAudit:
    """An audit of the first side alone, with its causes."""
    only = Reason(why=Why.IN_FIRST_ALONE)
    changes = tuple(
        Change(kind=ChangeKind.UNMATCHED, reason=only, before=entry)
        for entry in sorted(entries, key=lambda entry: not entry.is_audit)
    )
    return replace(_unmatched(entries), changes=changes)


def _with_gone(result: ComparedAudit, found: Mapping[tuple[str, ...], Finding]) -> ComparedAudit:
    """With the findings behind the causes that the second side lacks."""
    changes = tuple(
        replace(change, finding=found.get(change.before.key))
        if change.before is not None and change.after is None and change.finding is None
        else change
        for change in result.changes
    )
    return replace(result, changes=changes)


def _by_subject(entries: Iterable[Entry]) -> dict[tuple[str, ...], list[Entry]]:
    found: dict[tuple[str, ...], list[Entry]] = defaultdict(list)
    for entry in entries:
        found[entry.subject.key].append(entry)
    return found


def _ordered(results: Iterable[ComparedAudit], fail_on: Iterable[str]) -> tuple[ComparedAudit, ...]:
    words = set(fail_on)
    chosen = (_with_failures(result, words) for result in results)
    return tuple(sorted(chosen, key=lambda result: _GRAVITY.index(result.kind)))


def _with_failures(result: ComparedAudit, words: set[str]) -> ComparedAudit:
    changes = tuple(replace(change, fails=_fails(change, words)) for change in result.changes)
    return replace(result, changes=changes)


def _fails(change: Change, words: set[str]) -> bool:
    if change.kind in _ALWAYS:
        return False
    if change.kind.value in words:
        return True
    return change.kind in _GETS_WORSE and any(_is_about(change, word) for word in words)


def _is_about(change: Change, word: str) -> bool:
    """Whether a change is one of a diagnosis that ``--fail-on`` names, or of a count behind it."""
    if change.finding is not None:
        return is_of_kind(change.finding, word)
    return bool(set(change.about) & set(KINDS[word].diagnoses))


def _result(runs: Sequence[Measured], accepted: Sequence[Entry], comparable: bool) -> ComparedAudit:
    first = runs[0]
    failed = next((run for run in runs if run.verdict is AuditVerdict.ERROR), None)
    if failed is not None:
        # Nothing is said of it but that: what could not be judged is neither better nor worse.
        changes = [
            Change(
                kind=ChangeKind.ERROR,
                reason=Reason(why=Why.COULD_NOT_BE_JUDGED, cause=cause),
                after=failed.audit,
            )
            for cause in failed.reasons or (None,)
        ]
    elif len({_counts_of(run) for run in runs}) > 1:
        changes = list(_unsteady(runs))
        if accepted:  # what is worse in any run is worse
            for change in (found for run in runs for found in _changes(run, accepted)):
                if change not in changes:
                    changes.append(change)
    elif not comparable:
        changes = [_appeared(first, ChangeKind.NOT_COMPARABLE, Why.NO_ENTRIES)]
    elif not accepted:
        changes = [_appeared(first, ChangeKind.NEW, Why.NOT_IN_BASELINE)]
        changes += [
            Change(kind=ChangeKind.NEW, reason=_NEW_CAUSE, after=entry, finding=finding)
            for entry, finding in zip(first.causes, first.findings, strict=True)
        ]
    else:
        changes = list(_changes(first, accepted))
    kinds = [change.kind for change in changes] or [ChangeKind.SAME]
    return ComparedAudit(
        subject=first.subject,
        kind=min(kinds, key=_GRAVITY.index),
        changes=tuple(changes),
        before=next((entry for entry in accepted if entry.is_audit), None),
        after=first.audit,
        verdict=(failed or first).verdict,
        reasons=(failed or first).reasons,
        file=first.file,
        seconds=sum(run.seconds for run in runs),
    )


def _appeared(measured: Measured, kind: ChangeKind, why: Why) -> Change:
    """``names`` is its verdict, where that is worth telling."""
    failed = measured.verdict is AuditVerdict.FAILED
    names = (AuditVerdict.FAILED.value,) if failed else ()
    return Change(kind=kind, reason=Reason(why=why, names=names), after=measured.audit)


def _counts_of(measured: Measured) -> tuple[object, ...]:
    entries = sorted(measured.entries, key=lambda entry: entry.key)
    return tuple((entry.cause, entry.verdict, *_counts(entry).values()) for entry in entries)


def _counts(entry: Entry | None) -> dict[str, int]:
    return {name: getattr(entry, name) if entry is not None else 0 for name in COUNTS}


def _unsteady(runs: Sequence[Measured]) -> Iterator[Change]:
    """What differed between repetitions, over all of them."""
    kind = ChangeKind.NOT_DETERMINISTIC
    for name, counted in COUNTS.items():
        values = tuple(getattr(measured.audit, name) for measured in runs)
        if len(set(values)) > 1:
            reason = Reason(why=Why.COUNTS_VARY, counted=counted, numbers=values)
            yield Change(kind=kind, reason=reason)
    verdicts = tuple(_verdict(measured.verdict) for measured in runs)
    if len(set(verdicts)) > 1:
        yield Change(kind=kind, reason=Reason(why=Why.VERDICTS_VARY, names=verdicts))
    for cause, entries in _by_cause(runs).items():
        numbers = tuple(_recompiles(entries.get(number)) for number in range(len(runs)))
        if len(set(numbers)) > 1:
            reason = Reason(why=Why.COUNTS_VARY, counted=Counted.RECOMPILES, numbers=numbers)
            first = next(iter(entries.values()))
            yield Change(kind=kind, reason=reason, after=first, finding=_finding_of(cause, runs))


def _verdict(verdict: AuditVerdict | None) -> str:
    return verdict.value if verdict is not None else "none"


def _recompiles(entry: Entry | None) -> int | None:
    return entry.after_warm_up if entry is not None else None


def _finding_of(cause: tuple[str, str, str], runs: Sequence[Measured]) -> Finding:
    """The finding of a cause, in the first run that has it."""
    return next(
        finding
        for measured in runs
        for entry, finding in zip(measured.causes, measured.findings, strict=True)
        if entry.cause == cause
    )


def _by_cause(runs: Sequence[Measured]) -> dict[tuple[str, str, str], dict[int, Entry]]:
    found: dict[tuple[str, str, str], dict[int, Entry]] = defaultdict(dict)
    for number, run in enumerate(runs):
        for entry in run.causes:
            found[entry.cause][number] = entry
    return found


def _changes(measured: Measured, accepted: Sequence[Entry]) -> Iterator[Change]:
    known = {entry.cause: entry for entry in accepted}
    own = next((entry for entry in accepted if entry.is_audit), None)
    yield from _of_audit(own, measured)
    for entry, finding in zip(measured.causes, measured.findings, strict=True):
        before = known.get(entry.cause)
        if before is None:
            yield Change(kind=ChangeKind.WORSE, reason=_NEW_CAUSE, after=entry, finding=finding)
        elif before.after_warm_up != entry.after_warm_up:
            yield Change(
                kind=_direction(before.after_warm_up, entry.after_warm_up),
                reason=_changed(Counted.RECOMPILES, before.after_warm_up, entry.after_warm_up),
                before=before,
                after=entry,
                finding=finding,
            )
    present = {entry.cause for entry in measured.causes}
    for before in accepted:
        if not before.is_audit and before.cause not in present:
            yield Change(kind=ChangeKind.IMPROVED, reason=_CAUSE_GONE, before=before)


def _of_audit(before: Entry | None, measured: Measured) -> Iterator[Change]:
    after = measured.audit
    if before is None:  # its causes are accepted, itself is not: somebody edited the file
        yield Change(kind=ChangeKind.NEW, reason=Reason(why=Why.NOT_ACCEPTED), after=after)
        return
    if before.verdict is not after.verdict:
        verdicts = (_verdict(before.verdict), _verdict(after.verdict))
        # Only a pass is better than what was: what is skipped now is not tested any more.
        passes = after.verdict is AuditVerdict.PASSED
        kind = ChangeKind.IMPROVED if passes else ChangeKind.WORSE
        reason = Reason(why=Why.VERDICT_CHANGED, names=verdicts)
        yield Change(kind=kind, reason=reason, before=before, after=after)
    if after.verdict is AuditVerdict.SKIPPED:
        return  # it counted nothing, which is no improvement
    counts = _counts(before)
    for name, number in _counts(after).items():
        if number != counts[name]:
            yield Change(
                kind=_direction(counts[name], number),
                reason=_changed(COUNTS[name], counts[name], number),
                before=before,
                after=after,
                about=_about(name, measured),
            )


def _changed(counted: Counted, before: int, after: int) -> Reason:
    return Reason(why=Why.COUNT_CHANGED, counted=counted, numbers=(before, after))


def _about(count: str, measured: Measured) -> tuple[Diagnosis, ...]:
    """The diagnoses behind a count: those that were found, else all that it can be of."""
    possible = _BEHIND.get(count, ())
    found = {finding.id for finding in measured.findings}
    return tuple(diagnosis for diagnosis in possible if diagnosis in found) or possible


def _direction(before: int, after: int) -> ChangeKind:
    return ChangeKind.WORSE if after > before else ChangeKind.IMPROVED


def _is_gone(entry: Entry, declared: Declared) -> bool:
    """Whether no run can match it any more: its scenario, a parameter or a value is gone.

    A program that was recorded has no backend, and is declared nowhere.
    """
    if not entry.backend:
        return False
    values = declared.get(entry.scenario)
    if values is None or values.keys() != entry.parameters.keys():
        return True
    return any(value not in values[name] for name, value in entry.parameters.items())


def _unmatched(entries: Sequence[Entry]) -> ComparedAudit:
    before = next((entry for entry in entries if entry.is_audit), entries[0])
    change = Change(
        kind=ChangeKind.UNMATCHED, reason=Reason(why=Why.NOTHING_MATCHES), before=before
    )
    return ComparedAudit(
        subject=before.subject, kind=ChangeKind.UNMATCHED, changes=(change,), before=before
    )
