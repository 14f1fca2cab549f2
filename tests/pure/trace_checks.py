"""Whether a timeline keeps to the Trace Event Format, as strictly as its strictest reader."""

from __future__ import annotations

import json
from collections import defaultdict

_PHASES = {"M", "X", "i", "s", "f"}
_NAMED = {
    "process_name",
    "process_sort_index",
    "process_labels",
    "thread_name",
    "thread_sort_index",
}


def _constant(name):
    raise AssertionError(f"{name} is no JSON")


def checked(text):
    """The events of a valid timeline; fails where it is none."""
    trace = json.loads(text, parse_constant=_constant)
    events = trace["traceEvents"]
    assert trace["displayTimeUnit"] == "ms"
    tracks = defaultdict(list)
    for event in events:
        assert event["ph"] in _PHASES
        assert type(event["pid"]) is int
        assert type(event["tid"]) is int
        assert event["name"]
        if event["ph"] == "M":
            assert event["name"] in _NAMED
        else:
            assert event["ts"] >= 0
            assert event["cat"]
            tracks[event["pid"], event["tid"]].append(event)
    _named_once(events)
    for track in tracks.values():
        times = [event["ts"] for event in track]
        assert times == sorted(times)
        _nested([event for event in track if event["ph"] == "X"])
    _paired(events)
    return events


def _named_once(events):
    keys = [
        (event["name"], event["pid"], event["tid"] if event["name"].startswith("thread") else 0)
        for event in events
        if event["ph"] == "M"
    ]
    assert len(keys) == len(set(keys))
    used = {(event["pid"], event["tid"]) for event in events if event["ph"] != "M"}
    named = {(pid, tid) for name, pid, tid in keys if name == "thread_name"}
    assert used <= named
    assert {pid for pid, _ in used} <= {pid for name, pid, _ in keys if name == "process_name"}


def nanoseconds(event, name):
    return round(event[name] * 1000)


def _nested(spans):
    """Two spans of a track are apart, or one lies in the other."""
    around: list[int] = []
    for span in spans:
        began, length = nanoseconds(span, "ts"), nanoseconds(span, "dur")
        assert length >= 0
        while around and around[-1] <= began:
            around.pop()
        assert not around or began + length <= around[-1], span
        around.append(began + length)


def _paired(events):
    """Each arrow has one begin and one end, and goes forward."""
    begins = {event["id"]: event for event in events if event["ph"] == "s"}
    ends = {event["id"]: event for event in events if event["ph"] == "f"}
    assert begins.keys() == ends.keys()
    assert len(begins) + len(ends) == sum(event["ph"] in "sf" for event in events)
    for number, end in ends.items():
        assert begins[number]["ts"] <= end["ts"]


def spans(events, kind=None):
    return [event for event in events if event["ph"] == "X" and kind in (None, event["cat"])]


def of(events, name):
    """The only span or moment of this name."""
    (found,) = [event for event in events if event["name"] == name and event["ph"] in "Xi"]
    return found


def tracks_of(events):
    return [event["args"]["name"] for event in events if event["name"] == "thread_name"]
