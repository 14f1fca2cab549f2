"""The timeline of a program: what was compiled when, in seconds since its recording began."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

from esper_audit.data.audits import ProgramAudit, ProgramReport
from esper_audit.data.compiles import Compile
from esper_audit.data.findings import Finding, Since
from esper_audit.diagnosis.causes import findings_of
from esper_audit.diagnosis.kinds import EAGER
from esper_audit.report.figures import Lane, Span, Timeline
from esper_audit.report.pictures.anchors import Anchors
from esper_audit.report.pictures.attempts import attempt_line, attempt_style
from esper_audit.report.pictures.known_values import known_values
from esper_audit.report.pictures.tlparse import page_of
from esper_audit.report.ranks import short_names
from esper_audit.report.sections import Style, line
from esper_audit.report.words.changes import sources
from esper_audit.report.words.guards import shortened
from esper_audit.report.words.numbers import several

MOST_COMPILES = 400
"""Compiles in a lane: of more, those that took longest."""
MOST_SPANS = 200
MOST_LANES = 40
MOST_VALUES = 3


def of_program(report: ProgramReport, anchors: Anchors) -> Timeline | None:
    """All lanes of one process; of several ranks, one lane of compiles for each."""
    audits = [audit for audit in report.audits if audit.recording.compiles]
    if not audits:
        return None
    if len(report.audits) > 1:
        return _of_ranks(report, audits, anchors)
    audit = audits[0]
    lanes = [_lane("phase", _phases(audit)), _lane("steps", _steps(audit))]
    lanes += [_lane("compiles", _compiles(audit, anchors)), _lane("stages", _stages(audit))]
    lanes += [_lane("eager", _eager(audit, anchors)), _lane("stances", _stances(audit))]
    lanes += _values(audit, anchors)
    shown = tuple(lane for lane in lanes if lane.spans)
    return Timeline(line(_told([audit])), "s", shown)


def _lane(name: str, spans: Iterable[Span]) -> Lane:
    return Lane(name, tuple(spans))


def _told(audits: Sequence[ProgramAudit]) -> str:
    attempts = [attempt for audit in audits for attempt in audit.recording.compiles]
    seconds = sum(attempt.seconds.total for attempt in attempts)
    total = max(audit.recording.seconds for audit in audits)
    said = f"{several(len(attempts), 'attempt')} to compile took {seconds:.1f} s"
    said += f"; {total:.1f} s were recorded" if total else ""
    return f"{said}.{_left_out(audits)}"


def _left_out(audits: Sequence[ProgramAudit]) -> str:
    """How many attempts have no span, as there are too many."""
    left = sum(max(0, len(audit.recording.compiles) - MOST_COMPILES) for audit in audits)
    return f" The {several(left, 'shortest attempt')} left out." if left else ""


def _phases(audit: ProgramAudit) -> Iterator[Span]:
    steady = audit.recording.steady_at
    if steady is not None:
        yield Span(0.0, steady, line("warm-up"), Style.MUTED)
        yield Span(steady, _end(audit), line("steady"), Style.MUTED)


def _end(audit: ProgramAudit) -> float:
    """When the recording ended, or the last thing that is known of it."""
    ends = (attempt.at + attempt.seconds.total for attempt in audit.recording.compiles)
    return max([audit.recording.seconds, *ends])


def _steps(audit: ProgramAudit) -> Iterator[Span]:
    """Each step that the program named, from its first to its last compile: no more is known."""
    runs = groupby(audit.recording.compiles, key=lambda attempt: attempt.label)
    named = [(label, [*run]) for label, run in runs if label]
    for label, run in named[:MOST_SPANS]:
        ended = run[-1].at + run[-1].seconds.total
        yield Span(run[0].at, max(run[0].at, ended), line(shortened(label)), Style.PLAIN)


def _longest(compiles: Sequence[Compile]) -> list[Compile]:
    """Those that took longest, in their order."""
    if len(compiles) <= MOST_COMPILES:
        return list(compiles)
    ordered = sorted(compiles, key=lambda attempt: -attempt.seconds.total)[:MOST_COMPILES]
    return sorted(ordered, key=lambda attempt: attempt.sequence)


def _compiles(audit: ProgramAudit, anchors: Anchors, shift: float = 0.0) -> Iterator[Span]:
    causes = findings_of(audit.recording.compiles, audit.findings)
    for attempt in _longest(audit.recording.compiles):
        began = attempt.at + shift
        yield Span(
            began,
            began + attempt.seconds.total,
            attempt_line(attempt),
            attempt_style(attempt),
            anchors.of_causes(causes.get(attempt.sequence, ()))
            or page_of(audit.recording, attempt),
        )


def _stages(audit: ProgramAudit) -> Iterator[Span]:
    """The innermost come last, over those that they lie in; the longest of them all."""
    found = [stage for attempt in audit.recording.compiles for stage in attempt.stages]
    longest = sorted(found, key=lambda stage: -stage.seconds)[:MOST_SPANS]
    for stage in sorted(longest, key=lambda stage: (stage.at, -stage.seconds)):
        said = line(f"{shortened(stage.name)}, {stage.seconds:.2g} s")
        yield Span(stage.at, stage.at + stage.seconds, said, Style.PLAIN)


def _eager(audit: ProgramAudit, anchors: Anchors) -> Iterator[Span]:
    """From when a frame runs eagerly until it is compiled again, or the end.

    Where a failed compile raised an error, the call did not run at all; a log does not tell.
    """
    eager = [found for found in audit.findings if found.id in EAGER and found.raised is False]
    for finding in eager[:MOST_SPANS]:
        if finding.since is None:
            continue
        began = _moment(finding.since)
        if began is not None:
            ended = _moment(finding.until) if finding.until is not None else None
            said = line(f"{finding.id.value}: {finding.frame.name}")
            last = ended if ended is not None else _end(audit)
            yield Span(began, max(began, last), said, Style.SLOW, anchors.of_cause(finding))


def _moment(since: Since) -> float | None:
    """Seconds, where they are known; of nothing at all, the start."""
    if since.seconds is not None:
        return since.seconds
    return 0.0 if since == Since() else None


def _stances(audit: ProgramAudit) -> Iterator[Span]:
    for stance in audit.recording.stances[:MOST_SPANS]:
        ended = stance.until if stance.until is not None else _end(audit)
        times = f", {several(stance.count, 'time')}" if stance.count > 1 else ""
        yield Span(stance.at, max(stance.at, ended), line(f"{stance.stance}{times}"), Style.MUTED)


def _values(audit: ProgramAudit, anchors: Anchors) -> Iterator[Lane]:
    causes: list[Finding] = [found for found in audit.findings if found.pattern is not None]
    for finding in causes[:MOST_VALUES]:
        known = known_values(finding, audit.recording.compiles)[:MOST_SPANS]
        to = anchors.of_cause(finding)
        spans = (
            Span(one.at, one.at + one.seconds.total, line(value), Style.NEW, to)
            for one, value in known
        )
        yield _lane(shortened(sources(finding)), spans)


def _of_ranks(report: ProgramReport, audits: Sequence[ProgramAudit], anchors: Anchors) -> Timeline:
    """One clock where every recording knows when it began; else each begins at 0."""
    begins = [audit.recording.began_at for audit in audits]
    known = [begin for begin in begins if begin is not None]
    first = min(known) if len(known) == len(begins) and _is_one_run(audits, known) else None
    named = zip(short_names(report), report.audits, strict=True)
    shown = [(name, audit) for name, audit in named if audit.recording.compiles][:MOST_LANES]
    lanes = tuple(
        _lane(name, _compiles(audit, anchors, _shift(audit, first))) for name, audit in shown
    )
    clock = "" if first is not None else " Each rank's clock begins with its own recording."
    return Timeline(line(f"{_told(audits)}{clock}{_more_lanes(audits)}"), "s", lanes)


def _is_one_run(audits: Sequence[ProgramAudit], begins: Sequence[float]) -> bool:
    """Whether recordings overlap, or nearly: of runs on several days, one axis shows nothing."""
    longest = max(audit.recording.seconds for audit in audits)
    return max(begins) - min(begins) <= _RUNS_APART * max(longest, 1.0)


_RUNS_APART = 10


def _more_lanes(audits: Sequence[ProgramAudit]) -> str:
    left = len(audits) - MOST_LANES
    return f" {several(left, 'more rank')} left out." if left > 0 else ""


def _shift(audit: ProgramAudit, first: float | None) -> float:
    began = audit.recording.began_at
    return began - first if began is not None and first is not None else 0.0
