"""The verdict of each step, from evidence alone.

The order of the questions matters. Wrong output outweighs how it was computed; code that ran
eagerly outweighs what else was compiled; and only a lookup that matched proves reuse.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from esper_audit.data.audits import JudgedStep
from esper_audit.data.comparisons import Comparison
from esper_audit.data.compiles import Compile, DeferredWork, Outcome, RunsAfter, SkippedFrame
from esper_audit.data.diagnoses import Diagnosis
from esper_audit.data.places import Frame, Location
from esper_audit.data.reasons import Reason, Why
from esper_audit.data.recording import Recording
from esper_audit.data.steps import Step
from esper_audit.data.verdicts import StepVerdict
from esper_audit.diagnosis.counts import LATE_COMPILES
from esper_audit.diagnosis.outside import calls_compiled, is_in_eager_code, why_outside
from esper_audit.torch_text.reasons import gist, why_eager

Eager = tuple[Diagnosis, Reason]
"""Why compiled code did not run: what it is, and the evidence."""

_RESUME = re.compile(r"torch_dynamo_resume_in_(?P<function>\w+?)_at_(?P<line>\d+)")


@dataclass(frozen=True)
class _Events:
    """What was recorded in one step."""

    compiles: Sequence[Compile]
    skips: Sequence[SkippedFrame]
    later: Sequence[DeferredWork]


@dataclass
class _History:
    """What earlier steps tell of the code that a step runs.

    Torch skips code objects, not objects: ``given_up`` holds for all callables of a recording.
    """

    roots: dict[int, str] = field(default_factory=dict)
    compiles: dict[int, list[Compile]] = field(default_factory=lambda: defaultdict(list))
    given_up: dict[str, tuple[Frame, str]] = field(default_factory=dict)
    outside: dict[int, Reason] = field(default_factory=dict)

    def learn(self, callable_index: int, events: _Events, recording: Recording) -> None:
        """Of a callable, the frame that torch was asked for first is its root."""
        frames = [(skipped.sequence, 0, skipped.frame) for skipped in events.skips]
        frames += [(attempt.sequence, 1, attempt.frame) for attempt in events.compiles]
        for _, _, frame in sorted(frames, key=lambda asked: asked[:2]):
            self.roots.setdefault(callable_index, frame.key)
        for compile_ in events.compiles:
            self.compiles[callable_index].append(compile_)
            if compile_.runs_after is RunsAfter.EAGER:
                self.given_up[compile_.frame.key] = (compile_.frame, compile_.reason)
        for skip in events.skips:
            if skip.ran and not is_in_eager_code(skip, recording):
                why = why_outside((skip.ran,), skip, recording)
                self.outside.setdefault(callable_index, why)
            elif skip.for_good and not skip.by_rule and not calls_compiled(skip, recording):
                self.given_up[skip.frame.key] = (skip.frame, skip.reason)

    def why_eager(self, step: Step) -> Eager | None:
        """Why torch gave up on code of this step; None where it did not, or the code is empty."""
        root = self.roots.get(step.callable_index, "")
        if root in self.given_up:
            return _given_up(*self.given_up[root])
        if step.callable_index in self.outside:
            return Diagnosis.EAGER_OUTSIDE_GRAPH, self.outside[step.callable_index]
        for frame, reason in self.given_up.values():
            line = next((place for place in step.operations if _holds(frame, place)), None)
            if line is not None:
                return _given_up(frame, reason, line)
        return None

    def holds_operations(self, callable_index: int) -> bool:
        """Whether any compiled code of a callable holds a tensor operation, as far as known."""
        succeeded = [compile_ for compile_ in self.compiles[callable_index] if compile_.succeeded]
        return not succeeded or any(compile_.graph_ops != 0 for compile_ in succeeded)


def _given_up(frame: Frame, reason: str, operation: Location | None = None) -> Eager:
    """``operation`` is a line of the frame that this step runs."""
    why = Reason(why=Why.GIVEN_UP, names=(frame.name,), text=gist(reason), location=operation)
    return why_eager(reason), why


def _holds(frame: Frame, line: Location) -> bool:
    """Whether a line of source is the frame's own; a resume function begins at its graph break."""
    if frame.file != line.file:
        return False
    resume = _RESUME.search(frame.raw_name)
    if resume is None:
        return frame.raw_name == line.function
    same = line.function.rpartition(".")[2] == resume["function"]
    return same and line.line >= int(resume["line"])


def judge_steps(recording: Recording) -> tuple[JudgedStep, ...]:
    """Each step of a recording with its verdict and the evidence for it."""
    history = _History()
    sees_lookups = not any(lost.key == "lookup" for lost in recording.lost)
    judged = []
    for step in recording.steps:
        events = _Events(
            [compile_ for compile_ in recording.compiles if compile_.step == step.index],
            [skip for skip in recording.skips if skip.step == step.index],
            [row for row in recording.deferred if row.step == step.index],
        )
        history.learn(step.callable_index, events, recording)
        eager = _why_eager(step, events, history, sees_lookups)
        verdict, because = _verdict(step, events, eager, sees_lookups)
        why = eager[0] if eager is not None and verdict is StepVerdict.EAGER else None
        judged.append(JudgedStep(step, verdict=verdict, because=because, eager=why))
    return tuple(judged)


def _verdict(
    step: Step, events: _Events, eager: Eager | None, sees_lookups: bool
) -> tuple[StepVerdict, Reason]:
    if step.error:
        return StepVerdict.UNKNOWN, Reason(why=Why.RAISED, text=step.error)
    for comparison in step.comparisons:
        if comparison.equal is False:
            return StepVerdict.STALE, _wrong(comparison)
    if eager is not None:
        return StepVerdict.EAGER, eager[1]
    for comparison in step.comparisons:
        if comparison.equal is None:
            why = Reason(why=Why.NOT_COMPARED, against=comparison.against, cause=comparison.why)
            return StepVerdict.UNKNOWN, why
    for outcome, verdict in (
        (Outcome.RECOMPILED, StepVerdict.RECOMPILED),
        (Outcome.COMPILED, StepVerdict.COMPILED),
    ):
        names = dict.fromkeys(e.frame.name for e in events.compiles if e.outcome is outcome)
        if names:
            return verdict, Reason(why=Why.COMPILED, names=tuple(names))
    late = dict.fromkeys(row.kind for row in events.later if row.kind in LATE_COMPILES)
    if late:
        return StepVerdict.COMPILED, Reason(why=Why.DEFERRED_WORK, names=tuple(late))
    if not sees_lookups:
        return StepVerdict.UNKNOWN, Reason(why=Why.LOOKUPS_UNSEEN)
    return StepVerdict.REUSED, Reason(why=Why.REUSED, count=step.lookups.hits)


def _wrong(comparison: Comparison) -> Reason:
    return Reason(
        why=Why.WRONG_OUTPUT,
        text=comparison.what,
        against=comparison.against,
        difference=comparison.difference,
        cause=comparison.why,
    )


def _why_eager(step: Step, events: _Events, history: _History, sees_lookups: bool) -> Eager | None:
    """Why compiled code did not run in this step, or not all of it; None where it did."""
    for made in events.compiles:
        names = (made.frame.name,)
        if made.outcome is Outcome.LIMIT:
            why = Reason(why=Why.AT_LIMIT, names=names, text=made.limit)
            return Diagnosis.EAGER_AFTER_LIMIT, why
        if made.outcome is Outcome.FAILED:
            why = Reason(why=Why.COMPILE_FAILED, names=names, text=gist(made.reason))
            return Diagnosis.COMPILE_FAILED, why
    return history.why_eager(step) or _unexplained(step, events, history, sees_lookups)


def _unexplained(
    step: Step, events: _Events, history: _History, sees_lookups: bool
) -> Eager | None:
    attempts = sum(1 for made in events.compiles if made.cache_entries_before)
    unanswered = step.lookups.misses - attempts
    succeeded = sum(1 for made in events.compiles if made.succeeded)
    if unanswered > 0:
        # A limit that the same callable hit before explains it: torch asks no more.
        limited = any(made.limit_hit for made in history.compiles[step.callable_index])
        known = Diagnosis.EAGER_AFTER_LIMIT if limited else Diagnosis.EAGER_UNEXPLAINED
        return known, Reason(why=Why.UNANSWERED, count=unanswered)
    if sees_lookups and step.lookups.hits + succeeded == 0:
        return Diagnosis.EAGER_UNEXPLAINED, Reason(why=Why.NOTHING_RAN)
    if not history.holds_operations(step.callable_index):
        broken = any(made.graph_breaks for made in history.compiles[step.callable_index])
        known = Diagnosis.EAGER_OUTSIDE_GRAPH if broken else Diagnosis.EAGER_EMPTY_GRAPH
        return known, Reason(why=Why.EMPTY_GRAPH)
    return None
