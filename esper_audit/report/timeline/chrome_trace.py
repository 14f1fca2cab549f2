"""A report as a timeline: a process for each audit, rank or class of ranks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from esper_audit.data.audits import Audit, JudgedStep, ProgramAudit, ProgramReport, Report
from esper_audit.data.clean import clean
from esper_audit.data.compiles import Outcome
from esper_audit.data.json_text import escaped_json
from esper_audit.data.recording import Recording
from esper_audit.data.storage import Document
from esper_audit.report.formats import Format, check_drawable
from esper_audit.report.timeline import rows
from esper_audit.report.timeline.compiling import threads
from esper_audit.report.timeline.events import Process, base_of, events_of
from esper_audit.report.timeline.spans import Track, nanoseconds

_UNKNOWN = "begin unknown"


def chrome_trace(document: Document) -> str:
    """The timeline as text, an event a line. Raises UsageError for a report without recordings."""
    made = processes(document)
    base = min((base_of(process.zero) for process in made if process.zero), default=0)
    head: dict[str, Any] = {"displayTimeUnit": "ms", "otherData": _about(document)}
    if base:
        head["baseTimeNanoseconds"] = base
    return written(head, all_events(made, base))


def written(head: dict[str, Any], events: Iterable[Any]) -> str:
    """The file: its head, and its events."""
    parts = [f"{escaped_json(name)}:{escaped_json(part)}" for name, part in head.items()]
    lines = ",\n".join(map(escaped_json, events))
    parts.append(f'"traceEvents":[\n{lines}\n]')
    return f"{{{','.join(parts)}}}\n"


def all_events(made: Sequence[Process], base: int) -> Iterator[dict[str, Any]]:
    """The events of all processes, their times counted from ``base`` in nanoseconds since 1970.

    What does not say when it began begins with the first that does.
    """
    first = min((process.zero for process in made if process.zero), default=base)
    for place, process in enumerate(made):
        zero = (process.zero or first) - base
        labels = process.labels if process.zero or len(made) == 1 else (*process.labels, _UNKNOWN)
        shifted = Process(process.name, labels, zero, process.tracks)
        yield from events_of(shifted, place)


def processes(document: Document) -> list[Process]:
    """One for each recording. Raises UsageError for a report that holds none."""
    check_drawable(document, [Format.CHROME_TRACE])
    if isinstance(document, Report):
        return [_of_audit(audit, document) for audit in document.audits]
    assert isinstance(document, ProgramReport)
    return [_of_program(audit, document) for audit in document.audits]


def _of_audit(audit: Audit, report: Report) -> Process:
    several = len({other.backend for other in report.audits}) > 1
    name = f"{audit.title}, {audit.backend}" if several else audit.title
    found = _process(name, audit.recording, audit.steps, report.root)
    found.labels = (audit.verdict.value,)
    return found


def _of_program(audit: ProgramAudit, report: ProgramReport) -> Process:
    found = _process(audit.title, audit.recording, (), report.root)
    alike = next((ranks for ranks in report.classes if ranks.shown == audit.rank), None)
    if alike is not None and len(alike.ranks) > 1:
        found.labels = (f"stands for {len(alike.ranks)} ranks",)
    return found


def _process(name: str, recording: Recording, judged: Sequence[JudgedStep], root: str) -> Process:
    ended = rows.end_of(recording)
    steps = rows.steps(recording, judged, ended)
    steps.moments += rows.warm_up(recording)
    tracks = [
        steps,
        *threads(recording, root, _with_arrows(steps, recording)),
        rows.eager(recording, root, ended),
        rows.stances(recording, root, ended),
    ]
    began = nanoseconds(recording.began_at) if recording.began_at is not None else 0
    return Process(name, (), began, [track for track in tracks if track.spans or track.moments])


def _with_arrows(steps: Track, recording: Recording) -> dict[int, int]:
    """Number the arrows: from each step that follows an event to the first recompile in it.

    None leads back in time: of a step whose begin is approximate, the recompile may be before it.
    """
    first: dict[int, float] = {}
    for compile_ in recording.compiles:
        if compile_.outcome is Outcome.RECOMPILED and compile_.step is not None:
            first.setdefault(compile_.step, compile_.at)
    after_events = {step.index for step in recording.steps if step.label}
    wanted: dict[int, int] = {}
    for number, span in enumerate(steps.spans, 1):
        index = span.args["step"]
        leads = index in after_events and index in first and index not in wanted
        if leads and nanoseconds(first[index]) >= span.began:
            span.flow = wanted[index] = number
    return wanted


def _about(document: Document) -> dict[str, str]:
    """Where it was recorded."""
    assert isinstance(document, Report | ProgramReport)
    if isinstance(document, Report):
        environment = document.environment
    else:
        environment = document.audits[0].recording.environment
    about = {
        "made_by": f"esper-audit {environment.esper_audit}".strip(),
        "torch": environment.torch,
        "python": environment.python,
        "device": environment.device,
    }
    return {name: clean(text) for name, text in about.items() if text}
