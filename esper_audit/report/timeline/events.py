"""Tracks as events of the Trace Event Format.

https://docs.google.com/document/d/1CvAClvFfyA5R-PhYUmn5OOQtYMH4h6I0nSsKchNAySU. Its times are in
microseconds. torch.profiler counts them from the beginning of a quarter of a year, which it writes
as ``baseTimeNanoseconds`` (libkineto, torch 2.8 to 2.14); so does a timeline, and both files have
one clock.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from esper_audit.data.clean import clean
from esper_audit.report.timeline.spans import Moment, Span, Track, flattened

Event = dict[str, Any]

STEP = "step"
_UNNAMED = "(unnamed)"
_EMPTY: tuple[Any, ...] = ("", None, [], {})

_QUARTER = 7_889_238 * 10**9
"""Nanoseconds in three months of a mean year: what libkineto rounds down to."""
_ARROWS = 10**7
"""More than one process has."""
FIRST_PID = 1 << 22
"""More than a process of Linux can have: a profile's own processes keep their numbers."""


def base_of(unix: int) -> int:
    """What torch.profiler counts from, for a time in nanoseconds since 1970."""
    return unix // _QUARTER * _QUARTER


@dataclass(slots=True)
class Process:
    """A row of rows: an audit, or a rank. ``zero`` is the begin of its clock in nanoseconds."""

    name: str
    labels: tuple[str, ...]
    zero: int
    tracks: list[Track]


def events_of(process: Process, place: int) -> Iterator[Event]:
    """All events of a process, which is the ``place``-th from 0."""
    pid = FIRST_PID + place
    yield _named("process_name", pid, 0, name=process.name)
    yield _named("process_sort_index", pid, 0, sort_index=place)
    if process.labels:
        yield _named("process_labels", pid, 0, labels=", ".join(process.labels))
    tid = 0
    for track in process.tracks:
        for lane, spans in enumerate(track.lanes()):
            tid += 1
            name = f"{track.name} ({lane + 1})" if lane else track.name
            yield _named("thread_name", pid, tid, name=name)
            yield _named("thread_sort_index", pid, tid, sort_index=tid)
            moments = () if lane else track.moments
            made = [
                *(_span(span, process.zero) for span in flattened(spans)),
                *(_moment(moment, process.zero) for moment in moments),
                *(_arrow(span, process.zero, place) for span in spans if span.flow),
            ]
            for _, event in sorted(made, key=lambda pair: pair[0]):
                yield {**event, "pid": pid, "tid": tid}


Ordered = tuple[tuple[int, int], Event]
"""An event with what it is sorted by: its time; of two at one time, the longer one is first."""


def _span(span: Span, zero: int) -> Ordered:
    at = max(0, zero + span.began)
    made: Event = {"name": clean(span.name) or _UNNAMED, "cat": span.kind, "ph": "X"}
    made |= {"ts": at / 1000, "dur": span.length / 1000}
    return (at, -span.length), _with_args(made, span.args)


def _moment(moment: Moment, zero: int) -> Ordered:
    at = max(0, zero + moment.at)
    made: Event = {"name": clean(moment.name) or _UNNAMED, "cat": moment.kind, "ph": "i", "s": "t"}
    return (at, 0), _with_args(made | {"ts": at / 1000}, moment.args)


def _arrow(span: Span, zero: int, place: int) -> Ordered:
    """One end of an arrow: from a step that follows an event to a recompile in it."""
    at = max(0, zero + span.began)
    end: Event = {"ph": "s"} if span.kind == STEP else {"ph": "f", "bp": "e"}
    number = place * _ARROWS + span.flow
    return (at, 1), {"name": "led to", "cat": "flow", **end, "id": number, "ts": at / 1000}


def _with_args(event: Event, args: Any) -> Event:
    kept = _cleaned(args)
    return {**event, "args": kept} if kept else event


def _named(what: str, pid: int, tid: int, **args: Any) -> Event:
    return {"name": what, "ph": "M", "pid": pid, "tid": tid, "args": _cleaned(args)}


def _cleaned(value: Any) -> Any:
    """Without what is empty, and with texts that steer nobody."""
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, dict):
        held = {clean(str(key)): _cleaned(item) for key, item in value.items()}
        return {key: item for key, item in held.items() if item not in _EMPTY}
    if isinstance(value, list | tuple):
        return [_cleaned(item) for item in value]
    return round(value, 6) if isinstance(value, float) else value
