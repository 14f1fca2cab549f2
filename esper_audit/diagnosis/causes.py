"""Root causes: the change of state that explains why no cache entry matched."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from esper_audit.data.audits import JudgedStep
from esper_audit.data.compiles import Compile, GuardFailure, Outcome
from esper_audit.data.diagnoses import Diagnosis
from esper_audit.data.findings import Finding, Since
from esper_audit.data.steps import Phase
from esper_audit.diagnosis.advice import advice_against
from esper_audit.diagnosis.patterns import forecast, pattern_of
from esper_audit.diagnosis.sharing import cases, shared_by, shared_frame
from esper_audit.diagnosis.writers import assigned_at, callers_of, first_write, writers_of

_TIMES = 2
"""Cases of a cause after which its writer is looked for no longer."""

Case = tuple[Compile, GuardFailure]
Fields = dict[str, tuple[str, str]]


def root_causes(
    compiles: Sequence[Compile],
    steps: Sequence[JudgedStep] = (),
    *,
    after_warm_up_only: bool = True,
    runs_known: bool = True,
) -> tuple[Finding, ...]:
    """One finding for each frame, diagnosis and guard source that cost recompiles.

    Those that cost most come first. Where steps are known, only those after warm-up count, unless
    told otherwise. ``runs_known``: the recording tells how often compiled code ran.
    """
    grouped: dict[tuple[str, ...], list[Case]] = defaultdict(list)
    for compile_, diagnosis, failure in cases(compiles):
        if compile_.phase is Phase.STEADY or not after_warm_up_only:
            shared = diagnosis is Diagnosis.OTHER_INSTANCE
            frame = shared_frame(compile_.frame) if shared else compile_.frame
            failure = _named(diagnosis, failure)
            grouped[frame.key, diagnosis, *failure.subject].append((compile_, failure))
    findings = [
        _finding(Diagnosis(key[1]), group, compiles, steps, runs_known)
        for key, group in _merged(grouped)
    ]
    return tuple(sorted(findings, key=lambda finding: -finding.seconds))


def _named(diagnosis: Diagnosis, failure: GuardFailure) -> GuardFailure:
    """Named after the settings that changed: threads and the default dtype are two causes."""
    if diagnosis is not Diagnosis.GLOBAL_STATE_CHANGED:
        return failure
    return replace(failure, source=" ".join((failure.source, *failure.fields)))


def findings_of(
    compiles: Sequence[Compile], findings: Sequence[Finding]
) -> dict[int, tuple[Finding, ...]]:
    """The causes of each attempt that guards made, by its sequence: which of ``findings`` tell it.

    An attempt has several where several changes kept the nearest entry from matching.
    """
    by_subject = {
        (finding.frame.key, finding.id, source): finding
        for finding in findings
        if finding.pattern is not None
        for source in finding.sources
    }
    found: dict[int, dict[int, Finding]] = defaultdict(dict)
    for attempt, diagnosis, failure in cases(compiles):
        is_shared = diagnosis is Diagnosis.OTHER_INSTANCE
        frame = shared_frame(attempt.frame) if is_shared else attempt.frame
        finding = by_subject.get((frame.key, diagnosis, _named(diagnosis, failure).source))
        if finding is not None:
            found[attempt.sequence][id(finding)] = finding
    return {sequence: tuple(causes.values()) for sequence, causes in found.items()}


def is_about(finding: Finding, failure: GuardFailure) -> bool:
    """Whether a guard that failed in the finding's frame reads what the finding is about."""
    return _named(finding.id, failure).subject == finding.subject


def attempts_to_watch(compiles: Sequence[Compile]) -> int:
    """After how many attempts each cause after warm-up has been seen twice, or as often as ever.

    The first writer that is known is named; a second case helps where the first has none.
    """
    seen: dict[tuple[str, str], list[int]] = defaultdict(list)
    for compile_, _, failure in cases(compiles):
        if compile_.phase is Phase.STEADY:
            seen[compile_.frame.key, failure.torch_source].append(compile_.sequence)
    return max((found[:_TIMES][-1] + 1 for found in seen.values()), default=0)


def _merged(
    grouped: Mapping[tuple[str, ...], list[Case]],
) -> Iterator[tuple[tuple[str, ...], list[Case]]]:
    """Sources that failed in the same compiles, of one diagnosis: one change of state made them."""
    together: dict[tuple[object, ...], tuple[tuple[str, ...], list[Case]]] = {}
    for key, group in grouped.items():
        sequences = tuple(dict.fromkeys(compile_.sequence for compile_, _ in group))
        first = together.setdefault((key[:2], sequences), (key, []))
        first[1].extend(group)
    yield from together.values()


def _finding(
    diagnosis: Diagnosis,
    group: Sequence[Case],
    compiles: Sequence[Compile],
    steps: Sequence[JudgedStep],
    runs_known: bool,
) -> Finding:
    first, failure = group[0]
    sources = tuple(source for source, _ in dict.fromkeys(guard.subject for _, guard in group))
    group = _once(case for case in group if case[1].subject == failure.subject)
    shared = diagnosis is Diagnosis.OTHER_INSTANCE
    limit_hit = any(attempt.limit_hit for attempt, _ in group)
    recompiles = [attempt for attempt, _ in group if attempt.outcome is Outcome.RECOMPILED]
    pattern = pattern_of(diagnosis, group, compiles, steps, runs_known=runs_known)
    seconds = sum(attempt.seconds.total for attempt, _ in group)
    write = first_write(group)
    call = first.stack[-1] if first.stack else None
    return Finding(
        id=diagnosis,
        frame=shared_frame(first.frame) if shared else first.frame,
        why=shared_by([attempt for attempt, _ in group]) if shared else None,
        source=failure.source,
        sources=sources,
        origin=failure.origin,
        kind=failure.kind,
        expected=failure.expected,
        actual=failure.actual,
        text=failure.text,
        hint=failure.hint,
        advice=advice_against(diagnosis, failure, dynamic=first.dynamic),
        fields=merged_fields(case[1].fields for case in group),
        values=tuple(dict.fromkeys(guard.actual for _, guard in group)),
        pattern=pattern,
        compiles=sum(compile_.count for compile_ in recompiles),
        seconds=seconds,
        refused=sum(attempt.count for attempt, _ in group if attempt.outcome is Outcome.REFUSED),
        limit_hit=limit_hit,
        limit=next((attempt.limit for attempt, _ in group if attempt.limit), ""),
        during=_during(group, steps),
        forecast=forecast(pattern, diagnosis, group),
        user_line=failure.user_line,
        written_by=write.location,
        writers=writers_of(group),
        callers=callers_of(group),
        assigned_at=assigned_at(group),
        called_from=write.called_from if write.location is not None else call,
        no_writer=write.unknown,
    )


def _once(group: Iterable[Case]) -> list[Case]:
    """The cases, one for each compile: several guards may have failed for it."""
    found = {compile_.sequence: (compile_, failure) for compile_, failure in reversed([*group])}
    return [*reversed(found.values())]


def _during(group: Sequence[Case], steps: Sequence[JudgedStep]) -> tuple[Since, ...]:
    """The steps of the group's attempts, each once."""
    events = {step.index: step.label for step in steps}
    found = [
        Since(step=attempt.step, label=attempt.label, event=events.get(attempt.step, ""))
        for attempt, _ in group
        if attempt.step is not None and attempt.outcome is not Outcome.LIMIT
    ]
    return tuple(dict.fromkeys(found))


def merged_fields(of_cases: Iterable[Fields]) -> Fields:
    """What differed in any of the cases, each field as it did first."""
    merged: Fields = {}
    for fields in of_cases:
        for name, pair in fields.items():
            merged.setdefault(name, pair)
    return merged
