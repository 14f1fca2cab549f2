"""Eager execution, graph breaks and wrong output as findings: which frame, since when, why."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from esper_audit.diagnoses import Diagnosis
from esper_audit.events import (
    Compile,
    Frame,
    GraphBreak,
    Location,
    Outcome,
    Recording,
    RunsAfter,
    Skip,
)
from esper_audit.findings import Finding, JudgedStep, StepVerdict

EVERY_FRAME = Frame("every compiled function", "", 0, "*", "*")
_SWITCHED_OFF = ("force_eager", "eager_on_recompile")
_OFF = {"disable": ("True",), "TORCH_COMPILE_DISABLE": ("1",), "TORCHDYNAMO_DISABLE": ("1",)}
_WORDS = (
    ("recompile limit", Diagnosis.EAGER_AFTER_LIMIT),
    ("matched no cache entry", Diagnosis.EAGER_AFTER_LIMIT),
    ("no ops traced", Diagnosis.EAGER_EMPTY_GRAPH),
    ("no tensor operation", Diagnosis.EAGER_EMPTY_GRAPH),
    ("dispatch mode", Diagnosis.EAGER_DISPATCH_MODE),
    ("disabled", Diagnosis.EAGER_DISABLED),
    ("skipfiles", Diagnosis.EAGER_DISABLED),
)


def why_eager(reason: str) -> Diagnosis:
    """Which diagnosis torch's reason for giving a frame up is."""
    known = (found for words, found in _WORDS if words in reason.lower())
    return next(known, Diagnosis.EAGER_UNSUPPORTED)


def since(event: Compile | Skip) -> str:
    """When in the recording something happened, as far as the program said."""
    if event.label:
        return f"step {event.label!r}, {event.at:.1f} s in"
    if event.step is not None:
        return f"step {event.step}"
    return f"{event.at:.1f} s in"


def eager_findings(recording: Recording) -> tuple[Finding, ...]:
    """One finding for each frame that torch runs eagerly, and for compiling switched off.

    A frame that the user compiled nothing in, and that holds no tensor operation as far as seen,
    is no finding: Dynamo is asked for every helper that eager code calls.
    """
    found: dict[tuple[str, Diagnosis], Finding] = {}
    for finding in (*_frames(recording), *_switched_off(recording)):
        found.setdefault((finding.frame.key, finding.id), finding)
    explained = {each.id for each in found.values()}
    if not explained & {Diagnosis.EAGER_AFTER_LIMIT, Diagnosis.EAGER_DISABLED}:
        found.update({(each.frame.key, each.id): each for each in _unanswered(recording)})
    return tuple(found.values())


def unanswered(recording: Recording) -> int:
    """Calls that matched no cache entry and were not followed by an attempt to compile."""
    attempts = sum(each.count for each in recording.compiles if each.cache_entries_before)
    return max(0, recording.lookups.misses - attempts)


def _unanswered(recording: Recording) -> Iterator[Finding]:
    """Code that hit its limit before the recording began, or a stance that was set before."""
    missed = unanswered(recording)
    if missed:
        yield Finding(
            id=Diagnosis.EAGER_AFTER_LIMIT,
            frame=EVERY_FRAME,
            text=f"{missed} lookup{'s' * (missed != 1)} matched no cache entry, and none was made",
            since="the start",
            limit_hit=True,
            written_by_unknown="no state decides it",
        )


def _frames(recording: Recording) -> Iterator[Finding]:
    for compile_ in recording.compiles:
        if compile_.outcome is Outcome.LIMIT:
            yield _eager(Diagnosis.EAGER_AFTER_LIMIT, compile_, "the recompile limit was hit")
        elif compile_.runs_after is RunsAfter.EAGER:
            diagnosis = why_eager(compile_.reason)
            if compile_.direct or diagnosis is not Diagnosis.EAGER_EMPTY_GRAPH:
                yield _eager(diagnosis, compile_, compile_.reason)
    for skip in recording.skips:
        diagnosis = why_eager(skip.reason)
        if skip.for_good and (skip.direct or diagnosis is Diagnosis.EAGER_DISPATCH_MODE):
            yield _eager(diagnosis, skip, skip.reason)


def _eager(diagnosis: Diagnosis, event: Compile | Skip, reason: str) -> Finding:
    if isinstance(event, Compile):
        call = event.stack[-1] if event.stack else None
    else:
        call = event.called_from
    return Finding(
        id=diagnosis,
        frame=event.frame,
        text=gist(reason),
        since=since(event),
        limit_hit=diagnosis is Diagnosis.EAGER_AFTER_LIMIT,
        called_from=call,
        written_by_unknown="no state decides it",
    )


def gist(reason: str) -> str:
    """The first sentence of torch's page-long reasons."""
    return reason.split("\n")[0].split(". ")[0].rstrip(".")


def _switched_off(recording: Recording) -> Iterator[Finding]:
    for stance in recording.stances:
        if stance.stance in _SWITCHED_OFF:
            yield _off(f"set_stance({stance.stance!r})", f"{stance.at:.1f} s in", stance.location)
    for name, values in _OFF.items():
        if recording.environment.settings.get(name) in values:
            yield _off(f"{name} is {recording.environment.settings[name]}", "the start", None)


def _off(text: str, when: str, place: Location | None) -> Finding:
    return Finding(
        id=Diagnosis.EAGER_DISABLED,
        frame=EVERY_FRAME,
        text=text,
        since=when,
        written_by=place,
        written_by_unknown="" if place else "it is a setting of the environment",
    )


def break_findings(compiles: Sequence[Compile]) -> tuple[Finding, ...]:
    """One finding for each user line at which a graph breaks, with how often it was compiled."""
    grouped: dict[tuple[str, Location | None, str], list[tuple[Compile, GraphBreak]]] = {}
    for compile_ in compiles:
        for each in compile_.graph_breaks:
            key = (compile_.frame.key, each.location, gist(each.reason))
            grouped.setdefault(key, []).append((compile_, each))
    return tuple(
        Finding(
            id=Diagnosis.GRAPH_BREAK,
            frame=group[0][0].frame,
            text=reason,
            compiles=sum(compile_.count for compile_, _ in group),
            user_line=location,
            called_from=location,
            since=since(group[0][0]),
            written_by_unknown="no state decides it",
        )
        for (_, location, reason), group in grouped.items()
    )


def stale_findings(steps: Sequence[JudgedStep], compiles: Sequence[Compile]) -> tuple[Finding, ...]:
    """One finding for each callable whose output was wrong, at its first wrong step."""
    found: dict[int, Finding] = {}
    for step in steps:
        if step.verdict is StepVerdict.STALE and step.callable_index not in found:
            frame = compiles[0].frame if compiles else EVERY_FRAME
            after = f" after {step.label}" if step.label else ""
            found[step.callable_index] = Finding(
                id=Diagnosis.STALE_OUTPUT,
                frame=frame,
                text=step.because,
                since=f"step {step.index}{after}",
                written_by_unknown="no guard failed: compiled code missed the change",
            )
    return tuple(found.values())
