"""The timeline of a replay: its steps, the compiles in them and what the guarded values were."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

from esper_audit.data.audits import Audit, JudgedStep
from esper_audit.data.compiles import Compile
from esper_audit.data.findings import Finding
from esper_audit.data.verdicts import StepVerdict
from esper_audit.diagnosis.causes import findings_of
from esper_audit.report.figures import Lane, Span, Timeline
from esper_audit.report.pictures.anchors import Anchors
from esper_audit.report.pictures.attempts import attempt_line, attempt_style
from esper_audit.report.pictures.known_values import known_values
from esper_audit.report.sections import Line, Style, line
from esper_audit.report.words.changes import sources
from esper_audit.report.words.guards import shortened
from esper_audit.report.words.marks import STEP_MARKS, STEP_STYLES
from esper_audit.report.words.numbers import several
from esper_audit.report.words.reasons import in_words

MOST_STEPS = 500
MOST_VALUES = 3
"""Guarded values that get a lane: those of the costliest causes."""


def of_replay(audit: Audit, anchors: Anchors) -> Timeline | None:
    """Steps on the axis; None of an audit without any."""
    steps = audit.steps[:MOST_STEPS]
    if not steps:
        return None
    causes = [finding for finding in audit.findings if finding.pattern is not None]
    lanes = (
        _events(steps),
        _lane("phase", _phases(steps)),
        _lane("steps", _verdicts(steps)),
        _lane("compiles", _compiles(audit, steps, anchors)),
        *(_values(finding, audit, steps, anchors) for finding in causes[:MOST_VALUES]),
    )
    return Timeline(_told(audit), "step", tuple(lane for lane in lanes if lane.spans))


def _lane(name: str, spans: Iterable[Span]) -> Lane:
    return Lane(name, tuple(spans))


def _told(audit: Audit) -> Line:
    counts: dict[StepVerdict, int] = defaultdict(int)
    for step in audit.steps:
        counts[step.verdict] += 1
    said = ", ".join(f"{number:,} {verdict.value}" for verdict, number in counts.items())
    rest = len(audit.steps) - MOST_STEPS
    more = f" {several(rest, 'more step')} left out." if rest > 0 else ""
    return line(f"{several(len(audit.steps), 'step')}: {said}.{more}")


def _events(steps: Sequence[JudgedStep]) -> Lane:
    """What the scenario did before a step; words that all begin with name the lane."""
    told = [step for step in steps if step.label]
    shared = _shared_words([step.label for step in told])
    spans = (
        Span(step.index, step.index + 1, line(shortened(step.label[len(shared) :])), Style.PLAIN)
        for step in told
    )
    return _lane(f"events: {shortened(shared.strip())}" if shared else "events", spans)


def _shared_words(labels: Sequence[str]) -> str:
    """The whole words, with the space after them, that several labels begin with."""
    if len(labels) < 2:
        return ""
    first, last = min(labels), max(labels)
    pairs = enumerate(zip(first, last, strict=False))
    same = next((place for place, (a, b) in pairs if a != b), len(first))
    whole = first[: first.rfind(" ", 0, same) + 1]
    return whole if all(len(label) > len(whole) for label in labels) else ""


def _phases(steps: Sequence[JudgedStep]) -> Iterator[Span]:
    for phase, run in groupby(steps, key=lambda step: step.phase):
        group = [*run]
        yield Span(group[0].index, group[-1].index + 1, line(phase.value), Style.MUTED)


def _verdicts(steps: Sequence[JudgedStep]) -> Iterator[Span]:
    """Steps in a row of one verdict and reason are one span: what compiled, each for itself."""
    for _, run in groupby(steps, key=_alike):
        group = [*run]
        first, last = group[0], group[-1]
        yield Span(first.index, last.index + 1, _verdict(first, last), STEP_STYLES[first.verdict])


_ALONE = (StepVerdict.COMPILED, StepVerdict.RECOMPILED)


def _alike(step: JudgedStep) -> tuple[object, ...]:
    return step.verdict, step.because, step.index if step.verdict in _ALONE else None


def _verdict(first: JudgedStep, last: JudgedStep) -> Line:
    where = f"step {first.index}"
    if last is not first:
        where = f"steps {first.index} to {last.index}"
    why = in_words(first.because)
    said = f"{STEP_MARKS[first.verdict]} {first.verdict.value}, {where}"
    return line(f"{said}: {shortened(why)}" if why else said)


def _compiles(audit: Audit, steps: Sequence[JudgedStep], anchors: Anchors) -> Iterator[Span]:
    """Attempts of one step share its width."""
    causes = findings_of(audit.recording.compiles, audit.findings)
    by_step: dict[int, list[Compile]] = defaultdict(list)
    for attempt in audit.recording.compiles:
        if attempt.step is not None:
            by_step[attempt.step].append(attempt)
    for step in steps:
        attempts = by_step.get(step.index, [])
        for place, attempt in enumerate(attempts):
            began = step.index + place / len(attempts)
            yield Span(
                began,
                step.index + (place + 1) / len(attempts),
                attempt_line(attempt),
                attempt_style(attempt),
                anchors.of_causes(causes.get(attempt.sequence, ())),
            )


def _values(finding: Finding, audit: Audit, steps: Sequence[JudgedStep], anchors: Anchors) -> Lane:
    shown = {step.index for step in steps}
    spans = tuple(
        Span(at, at + 1, line(value), Style.NEW, anchors.of_cause(finding))
        for attempt, value in known_values(finding, audit.recording.compiles)
        if (at := attempt.step) is not None and at in shown
    )
    return Lane(shortened(sources(finding)), spans)
