"""Measured audits against accepted entries: what changed, which way, and whether that fails."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from esper_audit.data.changes import UNSURE, Change, ChangeKind, ComparedAudit, Entry
from esper_audit.data.diagnoses import Diagnosis
from esper_audit.data.verdicts import AuditVerdict
from esper_audit.diagnosis import CHANGES, EAGER, KINDS, is_of_kind
from esper_audit.gate.measure import Measured

_ALWAYS = (ChangeKind.ERROR, ChangeKind.SAME)
COUNTS = {
    "after_warm_up": "compiles after warm-up",
    "in_warm_up": "compiles in warm-up",
    "graph_breaks": "graph breaks",
    "eager": "eager",
    "stale": "stale",
}
_BEHIND = {
    "eager": EAGER,
    "stale": (Diagnosis.STALE_OUTPUT,),
    "graph_breaks": (Diagnosis.GRAPH_BREAK,),
}
"""The diagnoses that a count counts, where their findings carry no count of their own."""
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
    for each in measured:
        repeated[each.subject.key].append(each)
    results = [
        _result(runs, accepted.get(key, []), runs[0].subject.environment in environments)
        for key, runs in repeated.items()
    ]
    here = {each.subject.environment for each in measured}
    left = [entries for key, entries in accepted.items() if key not in repeated]
    if declared is not None:
        gone = [e for e in left if e[0].subject.environment in here and _is_gone(e[0], declared)]
        results += [_unmatched(entries) for entries in gone]
    return _ordered(results, CHANGES if fail_on is None else fail_on)


def compare(first: Sequence[Measured], second: Sequence[Measured]) -> tuple[ComparedAudit, ...]:
    """The second audits against the first; no change fails. Their environments must be alike."""
    before = [entry for each in first for entry in each.entries]
    known = {each.subject.key for each in second}
    results = [*hold_against(second, before)]
    results += [_unmatched(e) for key, e in _by_subject(before).items() if key not in known]
    return _ordered(results, ())


def verdict_of(results: Sequence[ComparedAudit], doubt: str = "") -> AuditVerdict:
    """Failed where a change fails; error where one could not be judged or compared, or none was.

    ``doubt``: why the audit as a whole proves nothing.
    """
    if doubt:
        return AuditVerdict.ERROR
    if any(result.fails for result in results):
        return AuditVerdict.FAILED
    judged = [each for each in results if each.verdict not in (None, AuditVerdict.SKIPPED)]
    judged += [each for each in results if each.verdict is None and each.after is not None]
    if not judged or any(each.kind in UNSURE for each in results):
        return AuditVerdict.ERROR
    return AuditVerdict.PASSED


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
    changes = tuple(replace(each, fails=_fails(each, words)) for each in result.changes)
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
    failed = next((each for each in runs if each.verdict is AuditVerdict.ERROR), None)
    if failed is not None:
        # Nothing is said of it but that: what could not be judged is neither better nor worse.
        text = f"it could not be judged: {failed.reason}"
        changes = [Change(kind=ChangeKind.ERROR, text=text, after=failed.audit)]
    elif len({_counts_of(each) for each in runs}) > 1:
        changes = list(_unsteady(runs))
        if accepted:  # what is worse in any run is worse
            for change in (each for run in runs for each in _changes(run, accepted)):
                if change not in changes:
                    changes.append(change)
    elif not comparable:
        changes = [_appeared(first, ChangeKind.NOT_COMPARABLE, "its environment has no entries")]
    elif not accepted:
        changes = [_appeared(first, ChangeKind.NEW, "it is not in the baseline")]
        changes += [
            Change(kind=ChangeKind.NEW, text="new cause", after=entry, finding=finding)
            for entry, finding in zip(first.causes, first.findings, strict=True)
        ]
    else:
        changes = list(_changes(first, accepted))
    kinds = [change.kind for change in changes] or [ChangeKind.SAME]
    return ComparedAudit(
        subject=first.subject,
        kind=min(kinds, key=_GRAVITY.index),
        changes=tuple(changes),
        before=next((each for each in accepted if each.is_audit), None),
        after=first.audit,
        verdict=(failed or first).verdict,
        reason=(failed or first).reason,
        file=first.file,
        seconds=sum(each.seconds for each in runs),
    )


def _appeared(measured: Measured, kind: ChangeKind, why: str) -> Change:
    verdict = f"; it {measured.verdict.value}" if measured.verdict is AuditVerdict.FAILED else ""
    return Change(kind=kind, text=f"{why}{verdict}", after=measured.audit)


def _counts_of(measured: Measured) -> tuple[object, ...]:
    entries = sorted(measured.entries, key=lambda entry: entry.key)
    return tuple((entry.cause, entry.verdict, *_counts(entry).values()) for entry in entries)


def _counts(entry: Entry | None) -> dict[str, int]:
    return {name: getattr(entry, name) if entry is not None else 0 for name in COUNTS}


def _unsteady(runs: Sequence[Measured]) -> Iterator[Change]:
    """What differed between repetitions, over all of them."""
    total = f"over {len(runs)} runs"
    for name, words in COUNTS.items():
        values = [getattr(each.audit, name) for each in runs]
        if len(set(values)) > 1:
            text = f"{words}: {', '.join(map(str, values))} {total}"
            yield Change(kind=ChangeKind.NOT_DETERMINISTIC, text=text)
    verdicts = [each.verdict.value if each.verdict else "none" for each in runs]
    if len(set(verdicts)) > 1:
        text = f"verdicts: {', '.join(verdicts)} {total}"
        yield Change(kind=ChangeKind.NOT_DETERMINISTIC, text=text)
    for cause, entries in _by_cause(runs).items():
        values = [entries[n].after_warm_up if n in entries else None for n in range(len(runs))]
        if len(set(values)) > 1:
            shown = ", ".join("absent" if value is None else str(value) for value in values)
            first = next(iter(entries.values()))
            finding = next(
                finding
                for each in runs
                for entry, finding in zip(each.causes, each.findings, strict=True)
                if entry.cause == cause
            )
            yield Change(
                kind=ChangeKind.NOT_DETERMINISTIC,
                text=f"recompiles: {shown} {total}",
                after=first,
                finding=finding,
            )


def _by_cause(runs: Sequence[Measured]) -> dict[tuple[str, str, str], dict[int, Entry]]:
    found: dict[tuple[str, str, str], dict[int, Entry]] = defaultdict(dict)
    for number, each in enumerate(runs):
        for entry in each.causes:
            found[entry.cause][number] = entry
    return found


def _changes(measured: Measured, accepted: Sequence[Entry]) -> Iterator[Change]:
    known = {entry.cause: entry for entry in accepted}
    own = next((entry for entry in accepted if entry.is_audit), None)
    yield from _of_audit(own, measured)
    for entry, finding in zip(measured.causes, measured.findings, strict=True):
        before = known.get(entry.cause)
        if before is None:
            yield Change(kind=ChangeKind.WORSE, text="new cause", after=entry, finding=finding)
        elif before.after_warm_up != entry.after_warm_up:
            yield Change(
                kind=_direction(before.after_warm_up, entry.after_warm_up),
                text=f"recompiles: {before.after_warm_up} -> {entry.after_warm_up}",
                before=before,
                after=entry,
                finding=finding,
            )
    present = {entry.cause for entry in measured.causes}
    for before in accepted:
        if not before.is_audit and before.cause not in present:
            yield Change(kind=ChangeKind.IMPROVED, text="gone: its entry is stale", before=before)


def _of_audit(before: Entry | None, measured: Measured) -> Iterator[Change]:
    after = measured.audit
    if before is None:  # its causes are accepted, itself is not: somebody edited the file
        yield Change(kind=ChangeKind.NEW, text="the audit itself is not accepted", after=after)
        return
    if before.verdict is not after.verdict:
        words = [each.verdict.value if each.verdict else "none" for each in (before, after)]
        # Only a pass is better than what was: what is skipped now is not tested any more.
        passes = after.verdict is AuditVerdict.PASSED
        kind = ChangeKind.IMPROVED if passes else ChangeKind.WORSE
        text = f"verdict: {words[0]} -> {words[1]}"
        yield Change(kind=kind, text=text, before=before, after=after)
    if after.verdict is AuditVerdict.SKIPPED:
        return  # it counted nothing, which is no improvement
    counts = _counts(before)
    for name, number in _counts(after).items():
        if number != counts[name]:
            yield Change(
                kind=_direction(counts[name], number),
                text=f"{COUNTS[name]}: {counts[name]} -> {number}",
                before=before,
                after=after,
                about=_about(name, measured),
            )


def _about(count: str, measured: Measured) -> tuple[Diagnosis, ...]:
    """The diagnoses behind a count: those that were found, else all that it can be of."""
    possible = _BEHIND.get(count, ())
    found = {finding.id for finding in measured.findings}
    return tuple(each for each in possible if each in found) or possible


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
    before = next((each for each in entries if each.is_audit), entries[0])
    change = Change(kind=ChangeKind.UNMATCHED, text="nothing matches it", before=before)
    return ComparedAudit(
        subject=before.subject, kind=ChangeKind.UNMATCHED, changes=(change,), before=before
    )
