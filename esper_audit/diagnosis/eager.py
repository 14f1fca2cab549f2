"""Eager execution, graph breaks and wrong output as findings: which frame, since when, why."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial

from esper_audit.data.audits import JudgedStep
from esper_audit.data.compiles import Compile, Outcome, RunsAfter, SkippedFrame
from esper_audit.data.diagnoses import Diagnosis
from esper_audit.data.findings import Finding, Since
from esper_audit.data.places import Frame
from esper_audit.data.reasons import Reason, Why
from esper_audit.data.recording import Recording
from esper_audit.data.verdicts import StepVerdict
from esper_audit.diagnosis.counts import has_failed, holds_graph
from esper_audit.diagnosis.outside import calls_compiled, computes, is_quiet, left_outside
from esper_audit.diagnosis.stances import (
    EVERY_FRAME,
    ON_RECOMPILE,
    answered_by_stance,
    switched_off,
    unanswered_under,
)
from esper_audit.diagnosis.times import since
from esper_audit.torch_text.reasons import gist, why_eager

_NO_STATE = Reason(why=Why.NO_STATE_CHANGE)


def eager_findings(recording: Recording) -> tuple[Finding, ...]:
    """One finding for each frame that torch runs eagerly, and for compiling switched off.

    A frame that the user compiled nothing in, and that holds no tensor operation as far as seen,
    is no finding: Dynamo is asked for every helper that eager code calls.
    """
    found: dict[tuple[str, Diagnosis], Finding] = {}
    for finding in (*_frames(recording), *_outside(recording)):
        found.setdefault((finding.frame.key, finding.id), finding)
    told = [*map(partial(_with_end, recording), found.values()), *switched_off(recording)]
    if not any(known.id is Diagnosis.EAGER_AFTER_LIMIT for known in told):
        told += _unanswered(recording)
    return tuple(told)


def _with_end(recording: Recording, finding: Finding) -> Finding:
    """Of a frame that has compiled since, as after a reset: until when it ran eagerly."""
    own = [made for made in recording.compiles if made.frame.key == finding.frame.key]
    eager = [made.sequence for made in own if made.runs_after is not RunsAfter.COMPILE]
    skips = [skip for skip in recording.skips if skip.frame.key == finding.frame.key]
    last = max([*eager, *(skip.sequence - 1 for skip in skips if skip.for_good)], default=-1)
    # At a limit nothing is compiled; elsewhere what holds no graph runs as eagerly as before.
    at_limit = finding.id is Diagnosis.EAGER_AFTER_LIMIT
    since_then = (made for made in own if made.succeeded and made.sequence > last)
    compiled = next((made for made in since_then if at_limit or holds_graph(made)), None)
    return finding if compiled is None else replace(finding, until=since(compiled))


def unanswered(recording: Recording) -> int:
    """Calls that matched no cache entry and were not followed by an attempt to compile."""
    attempts = sum(attempt.count for attempt in recording.compiles if attempt.cache_entries_before)
    return max(0, recording.lookups.misses - attempts)


def _unanswered(recording: Recording) -> Iterator[Finding]:
    """A stance that was set does this; a limit or stance older than the recording does, too."""
    missed = unanswered(recording) - answered_by_stance(recording)
    if missed <= 0:
        return
    uncounted = (s for s in recording.stances if s.stance == ON_RECOMPILE and s.calls is None)
    stance = next(uncounted, None)
    if stance is not None:
        yield unanswered_under(stance, missed)
    else:
        yield Finding(
            id=Diagnosis.EAGER_UNEXPLAINED,
            frame=EVERY_FRAME,
            why=Reason(why=Why.UNANSWERED, count=missed),
            unanswered=missed,
            no_writer=_NO_STATE,
        )


def _frames(recording: Recording) -> Iterator[Finding]:
    for compile_ in recording.compiles:
        if compile_.outcome is Outcome.LIMIT:
            yield _eager(Diagnosis.EAGER_AFTER_LIMIT, compile_, "")
        elif compile_.runs_after is RunsAfter.EAGER and not has_failed(compile_):
            diagnosis = why_eager(compile_.reason)
            if compile_.direct or diagnosis is not Diagnosis.EAGER_EMPTY_GRAPH:
                yield _eager(diagnosis, compile_, compile_.reason)
    for skip in recording.skips:
        if is_quiet(skip) or skip.ran or calls_compiled(skip, recording):
            continue
        diagnosis, why = why_eager(skip.reason), computes(skip, recording)
        if skip.for_good and why is not None:
            yield replace(_eager(diagnosis, skip, skip.reason), why=why)
        elif skip.for_good and (skip.direct or diagnosis is Diagnosis.EAGER_DISPATCH_MODE):
            yield _eager(diagnosis, skip, skip.reason)


def _eager(diagnosis: Diagnosis, event: Compile | SkippedFrame, reason: str) -> Finding:
    if isinstance(event, Compile):
        call = event.stack[-1] if event.stack else None
    else:
        call = event.called_from
    limited = diagnosis is Diagnosis.EAGER_AFTER_LIMIT
    limit = event.limit if isinstance(event, Compile) else ""
    said = event if isinstance(event, Compile) and not limited else None
    return Finding(
        id=diagnosis,
        frame=event.frame,
        text=gist(reason),
        why=Reason(why=Why.AT_LIMIT, text=limit) if limited else None,
        since=since(event),
        limit_hit=limited,
        limit=limit,
        called_from=call,
        no_writer=_NO_STATE,
        detail=said.detail if said is not None else "",
        hints=said.hints if said is not None else (),
        stopped_at=said.stopped_at if said is not None else None,
    )


def _outside(recording: Recording) -> Iterator[Finding]:
    for left in left_outside(recording):
        found = _eager(left.id, left.event, "")
        yield replace(found, why=left.why)


def step_findings(
    steps: Sequence[JudgedStep], recording: Recording, known: Sequence[Finding]
) -> tuple[Finding, ...]:
    """What steps came to and no other finding says: eager execution, and wrong output.

    One for each callable and diagnosis, at its first such step.
    """
    told = {finding.id for finding in known}
    found: dict[tuple[int, Diagnosis], Finding] = {}
    for step in steps:
        diagnosis = Diagnosis.STALE_OUTPUT if step.verdict is StepVerdict.STALE else step.eager
        if diagnosis is not None and diagnosis not in told:
            finding = _of_step(diagnosis, step, recording)
            found.setdefault((step.step.callable_index, diagnosis), finding)
    return tuple(found.values())


def _of_step(diagnosis: Diagnosis, step: JudgedStep, recording: Recording) -> Finding:
    missed = Reason(why=Why.CHANGE_MISSED)
    return Finding(
        id=diagnosis,
        frame=_frame_of(step, recording),
        why=step.because,
        since=Since(step=step.index, event=step.label),
        limit_hit=diagnosis is Diagnosis.EAGER_AFTER_LIMIT,
        no_writer=missed if diagnosis is Diagnosis.STALE_OUTPUT else _NO_STATE,
    )


def _frame_of(step: JudgedStep, recording: Recording) -> Frame:
    """The frame that torch was first asked for in the steps of this step's callable."""
    own = {
        other.index for other in recording.steps if other.callable_index == step.step.callable_index
    }
    events: list[Compile | SkippedFrame] = [*recording.skips, *recording.compiles]
    frames = [(event.sequence, event.frame) for event in events if event.step in own]
    return min(frames, key=lambda pair: pair[0])[1] if frames else EVERY_FRAME
