"""What became of each frame over a recording: compiles, reuse, cost, and what it does now."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

import msgspec

from esper_audit.data.compiles import Compile, Outcome, RunsAfter, SkippedFrame, Stance
from esper_audit.data.findings import FrameState, FrameSummary, Since
from esper_audit.data.reasons import Reason, Why
from esper_audit.data.recording import Recording
from esper_audit.diagnosis.counts import IsLate, holds_graph, late
from esper_audit.diagnosis.outside import Outside, calls_compiled, computes, is_quiet, library_code
from esper_audit.diagnosis.stances import ON_RECOMPILE, now_in_force
from esper_audit.diagnosis.times import since
from esper_audit.torch_text.reasons import gist

_A_LIMIT = "a recompile limit"
"""Where the recording does not tell which of the two was hit."""
_STATES = {
    RunsAfter.EAGER: FrameState.EAGER,
    RunsAfter.CACHED_ONLY: FrameState.CACHED_ONLY,
    RunsAfter.COMPILE: FrameState.COMPILED,
}


def frame_summaries(
    recording: Recording, warm_up_calls: int | None = None
) -> tuple[FrameSummary, ...]:
    """One summary for each frame that torch tried to compile or refused; the costliest first."""
    compiles: dict[str, list[Compile]] = defaultdict(list)
    for compile_ in recording.compiles:
        compiles[compile_.frame.key].append(compile_)
    skips = {s.frame.key: s for s in recording.skips if _is_given_up(s, recording)}
    is_late = late(recording, warm_up_calls)
    found = [_summary(group, skips.pop(key, None), is_late) for key, group in compiles.items()]
    found += [_skipped(s, computes(s, recording)) for s in skips.values()]
    found += [_left(outside) for outside in library_code(recording)]
    stance = now_in_force(recording)
    if stance is not None:
        found = [_under(stance, frame) for frame in found]
    return tuple(sorted(found, key=lambda summary: (-summary.seconds, summary.direct is False)))


def is_telling(frame: FrameSummary) -> bool:
    """Not a helper that Dynamo was asked for and that holds no tensor operation."""
    return bool(frame.compiles) or frame.direct or frame.why is not None


def runs_eagerly(frame: FrameSummary) -> bool:
    """Whether torch runs it eagerly now, for every value or for new ones."""
    eager = frame.state in (FrameState.EAGER, FrameState.CACHED_ONLY)
    return eager and is_telling(frame)


def _is_given_up(skip: SkippedFrame, recording: Recording) -> bool:
    quiet = is_quiet(skip) or calls_compiled(skip, recording)
    return skip.for_good and not skip.ran and not quiet


def _summary(group: Sequence[Compile], skip: SkippedFrame | None, is_late: IsLate) -> FrameSummary:
    made = [attempt for attempt in group if attempt.succeeded]
    again = [compile_ for compile_ in made if compile_.outcome is Outcome.RECOMPILED]
    # A compile after it was given up: the program has reset Dynamo meanwhile.
    last = max((compile_.sequence for compile_ in made), default=-1)
    left = [attempt for attempt in group if attempt.runs_after is not RunsAfter.COMPILE]
    gave_up = next((attempt for attempt in left if attempt.sequence > last), None)
    if skip is not None and skip.sequence <= last:
        skip = None
    state, reason, limit = FrameState.COMPILED, "", ""
    when: Since | None = None
    if gave_up is not None:
        state, when = _STATES[gave_up.runs_after], since(gave_up)
        limit = (gave_up.limit or _A_LIMIT) if gave_up.outcome is Outcome.LIMIT else ""
        reason = "" if limit else gist(gave_up.reason)
    elif skip is not None:
        state, reason, when = FrameState.EAGER, gist(skip.reason), since(skip)
    if state is FrameState.COMPILED and made and not any(map(holds_graph, made)):
        state = FrameState.NO_GRAPH
    if not made and state is FrameState.COMPILED and group:
        state, reason, when = FrameState.FAILED, gist(group[-1].reason), since(group[-1])
    lefts = [compile_.recompiles_left for compile_ in made if compile_.recompiles_left is not None]
    return FrameSummary(
        frame=group[0].frame,
        attempts=sum(attempt.count for attempt in group),
        compiles=sum(compile_.count for compile_ in made),
        recompiles=sum(compile_.count for compile_ in again),
        recompiles_after_warm_up=sum(compile_.count for compile_ in again if is_late(compile_)),
        compiles_after_warm_up=sum(compile_.count for compile_ in made if is_late(compile_)),
        reused=_reused(made),
        seconds=sum(attempt.seconds.total for attempt in group),
        recompiles_left=_recompiles_left(lefts, state),
        instances=len({attempt.instance for attempt in group if attempt.instance}),
        graph_breaks=sum(len(attempt.graph_breaks) * attempt.count for attempt in group),
        state=state,
        reason=reason,
        limit=limit,
        since=when,
        direct=any(attempt.direct for attempt in group),
    )


def _recompiles_left(lefts: Sequence[int], state: FrameState) -> int | None:
    if state not in (FrameState.COMPILED, FrameState.NO_GRAPH):
        return 0
    return lefts[-1] if lefts else None


def _reused(made: Sequence[Compile]) -> int | None:
    """Runs of compiled graphs, less the one that each compile was made for."""
    runs = [
        (compile_.graph_runs, compile_.count)
        for compile_ in made
        if compile_.graph_runs is not None
    ]
    return sum(max(0, ran - count) for ran, count in runs) if runs else None


def _skipped(skip: SkippedFrame, why: Reason | None) -> FrameSummary:
    return FrameSummary(
        frame=skip.frame,
        state=FrameState.EAGER,
        reason=gist(skip.reason),
        why=why,
        since=since(skip),
        direct=skip.direct,
    )


def _under(stance: Stance, frame: FrameSummary) -> FrameSummary:
    """What becomes of a frame's calls while a stance is in force."""
    if frame.state not in (FrameState.COMPILED, FrameState.NO_GRAPH):
        return frame
    cached = stance.stance == ON_RECOMPILE
    return replace(
        frame,
        state=FrameState.CACHED_ONLY if cached else FrameState.EAGER,
        why=Reason(why=Why.STANCE, text=stance.stance),
        since=Since(seconds=stance.at),
    )


def _left(outside: Outside) -> FrameSummary:
    return FrameSummary(
        frame=outside.frame,
        state=FrameState.EAGER,
        why=msgspec.structs.replace(outside.why, names=()),
        since=since(outside.event),
        direct=True,
    )
