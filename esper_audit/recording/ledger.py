"""What a recorder keeps while it records, and how that becomes plain frozen data."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import TypeVar

from esper_audit.data.clock import now
from esper_audit.data.compiles import (
    Compile,
    DeferredWork,
    GuardFailure,
    Outcome,
    RunsAfter,
    SkippedFrame,
    Stance,
)
from esper_audit.data.notices import HookError, Unrecognized
from esper_audit.data.places import Frame
from esper_audit.data.signals import Begin, Code, End, Stages
from esper_audit.data.stages import Seconds, Stage
from esper_audit.data.steps import Phase
from esper_audit.recording.named_steps import NamedSteps
from esper_audit.torch_text.sources import frame_key, in_user_terms

Event = TypeVar("Event", SkippedFrame, DeferredWork, Stance, HookError)

MOST_IN_FULL = 64
"""Events of one frame that are kept one by one where equal events are added up."""


@dataclass(slots=True)
class Mark:
    """Where the program is: the step that it runs, the phase, the name that it gave the step."""

    step: int | None = None
    phase: Phase = Phase.STEADY
    label: str = ""


@dataclass(slots=True)
class Draft:
    """A compile whose parts still arrive: its end, torch's figures, what later calls will do."""

    sequence: int
    begin: Begin | None
    mark: Mark
    at: float = 0.0
    calls_before: int = 0
    end: End | None = None
    stages: Stages | None = None
    runs_after: RunsAfter = RunsAfter.COMPILE
    reason: str = ""
    direct: bool = True
    raised: bool = False
    graphs: list[Callable[[], int]] = field(default_factory=list)
    times: int = 1
    seconds: float = 0.0
    runs_then: int = 0
    looked_at: int | None = None
    ran_after: int | None = None

    def look(self, sequence: int) -> None:
        """Another compile of its frame begins: whether this one ran since the one before."""
        if self.graph_runs > self.runs_then:
            self.ran_after = self.sequence if self.looked_at is None else self.looked_at
        self.runs_then, self.looked_at = self.graph_runs, sequence

    @property
    def graph_runs(self) -> int:
        """How often its compiled graphs ran up to now."""
        return sum(runs() for runs in self.graphs)


class Ledger:
    """Everything seen, in order. ``adding_up``: equal events past the first are only counted.

    Not locked: the recorder is.
    """

    def __init__(self, root: str, adding_up: bool) -> None:
        self._root = root
        self._adding_up = adding_up
        self.began_at, self._started = now()
        self.attempts = 0
        self._by_code: dict[Code, list[Draft]] = defaultdict(list)
        self._by_cache: dict[Code, list[Draft]] = defaultdict(list)
        self.drafts: list[Draft] = []
        self.later: list[DeferredWork] = []
        self.skips: list[SkippedFrame] = []
        self.stances: list[Stance] = []
        self.errors: list[HookError] = []
        self.named_steps = NamedSteps()

    @property
    def seconds(self) -> float:
        """Since the recording began."""
        return time.perf_counter() - self._started

    def since_began(self, moment: float) -> float:
        """A moment of ``time.perf_counter`` in seconds since the recording began."""
        return round(moment - self._started, 6)

    def staged(self, stages: Iterable[Stage]) -> tuple[Stage, ...]:
        """Stages as the hooks tell them, by the recording's clock."""
        return tuple(
            Stage(stage.name, self.since_began(stage.at), round(stage.seconds, 6))
            for stage in stages
        )

    def begin(self, begin: Begin | None, mark: Mark) -> Draft:
        """A compile that begins now."""
        direct = begin.direct if begin is not None else True
        draft = Draft(self.attempts, begin, mark, self.seconds, direct=direct)
        self.attempts += 1
        if begin is not None:
            sharing, own = self._sharing(begin.code), self._by_code[begin.code]
            for other in sharing:
                other.look(draft.sequence)
            draft.calls_before = sum(other.runs_then for other in own)
            sharing.append(draft)
            own.append(draft)
        self.drafts.append(draft)
        return draft

    def end(self, draft: Draft, end: End) -> None:
        """The draft's end, after which it may be added to an equal one."""
        draft.end, draft.seconds = end, end.seconds
        twin = self._twin(draft) if self._adding_up else None
        if twin is not None and draft.begin is not None:
            self.drafts.remove(draft)
            self._by_code[draft.begin.code].remove(draft)
            self._sharing(draft.begin.code).remove(draft)
            twin.times += 1
            twin.calls_before = draft.calls_before
            twin.seconds += draft.seconds
            twin.graphs += draft.graphs

    def _sharing(self, code: Code) -> list[Draft]:
        """The compiles of a code object: callables behind one wrapper share it and its cache."""
        return self._by_cache[replace(code, module="")]

    def _twin(self, draft: Draft) -> Draft | None:
        """An equal draft, where there are so many that adding up is due."""
        if draft.begin is None:
            return None
        kept = self._by_code[draft.begin.code]
        if len(kept) <= MOST_IN_FULL:
            return None
        wanted = _signature(draft)
        rest = kept[MOST_IN_FULL:]
        return next((d for d in rest if d is not draft and _signature(d) == wanted), None)

    def running(self, compile_id: str) -> Draft | None:
        """The compile that torch's figures are of: the latest of that id without figures.

        The trace log's own compiles end before their figures arrive, the hook's after.
        """
        for draft in reversed(self.drafts):
            if draft.begin is not None and draft.begin.compile_id == compile_id:
                return None if draft.stages else draft
        return None

    def skip(self, skip: SkippedFrame) -> None:
        """A refused frame."""
        self._add(self.skips, skip, ("frame", "reason", "for_good", "direct", "ran"))

    def device_work(self, row: DeferredWork) -> None:
        """Compile work outside a frame's compile."""
        self._add(self.later, row, ("kind", "step"))

    def stance(self, stance: Stance) -> None:
        """A stance that the program has set; it comes again with its end."""
        if stance.until is None:
            self.stances.append(stance)
            return
        if self.stances and self.stances[-1].stance == stance.stance:
            self.stances.pop()
        self._add(self.stances, stance, ("stance", "location"))

    def error(self, error: HookError) -> None:
        """An error of a hook."""
        self._add(self.errors, error, ("hook", "traceback"))

    def _add(self, kept: list[Event], event: Event, fields: tuple[str, ...]) -> None:
        """Keep an event, or count it with one that is equal in these fields."""
        if self._adding_up and len(kept) >= MOST_IN_FULL:
            for place, known in enumerate(kept):
                if all(getattr(known, name) == getattr(event, name) for name in fields):
                    kept[place] = _added(known, event)
                    return
        kept.append(event)

    def frame(self, code: Code) -> Frame:
        """A code object as a frame, named after the user's module where torch wraps one."""
        key = frame_key(code.file, code.name, self._root)
        if code.module:
            key = f"{key}({code.module})"
        return Frame(code.module or code.name, code.file, code.line, key, code.name)

    def compiles(self) -> Iterator[Compile]:
        """Every compile that has ended."""
        return (self.freeze(draft) for draft in self.drafts if draft.end is not None)

    def freeze(self, draft: Draft) -> Compile:
        """The compile of a draft that has ended."""
        end, stages = draft.end, draft.stages
        assert end is not None
        # Without a begin the hook failed; its error is recorded, the compile still counts.
        begin = draft.begin or _UNKNOWN
        return Compile(
            sequence=draft.sequence,
            id=begin.compile_id,
            frame=self.frame(begin.code),
            outcome=_outcome(end, begin.cache_entries),
            step=draft.mark.step,
            phase=draft.mark.phase,
            seconds=_seconds(draft.seconds, stages),
            guard_failures=tuple(map(_named, begin.guard_failures)),
            torch_reasons=(stages.torch_reason,) if stages and stages.torch_reason else (),
            guard_count=stages.guard_count if stages else None,
            guard_latency_us=stages.guard_latency_us if stages else None,
            graph_ops=stages.graph_ops if stages else None,
            cache_entries_before=begin.cache_entries,
            cache_entries_after=begin.cache_entries + end.compiled,
            recompiles_left=begin.recompiles_left,
            accumulated_recompiles_left=begin.accumulated_recompiles_left,
            graph_breaks=end.graph_breaks,
            restarts=stages.restarts if stages else (),
            stack=begin.stack,
            reason="" if end.compiled else end.reason or draft.reason,
            runs_after=draft.runs_after,
            instance=begin.instance,
            thread=begin.thread,
            at=round(draft.at, 6),
            label=draft.mark.label,
            direct=draft.direct,
            dynamic=begin.dynamic,
            graph_runs=draft.graph_runs if draft.graphs else None,
            ran_after=_ran_after(draft),
            calls_before=draft.calls_before,
            writes=begin.writes,
            count=draft.times,
            limit=end.limit,
            refused_by=end.refused_by,
            unsupported=end.unsupported,
            raised=draft.raised,
            detail=end.detail,
            hints=end.hints,
            stopped_at=end.stopped_at,
            stages=self.staged(end.stages),
        )


def _ran_after(draft: Draft) -> int | None:
    """None where nothing tells: of equal compiles that are only counted, and without a graph."""
    if draft.times > 1 or not draft.graphs:
        return None
    if draft.graph_runs > draft.runs_then:
        return draft.sequence if draft.looked_at is None else draft.looked_at
    return draft.ran_after


_UNKNOWN = Begin(Code("<unknown>", "", 0), "?", 0, None, None, (), (), "", "")


def _named(failure: GuardFailure) -> GuardFailure:
    """A failure of torch's own log, which no live object named, in the user's terms."""
    if failure.torch_source:
        return failure
    return replace(failure, source=in_user_terms(failure.source))


def _added(kept: Event, event: Event) -> Event:
    if isinstance(kept, DeferredWork) and isinstance(event, DeferredWork):
        seconds = (kept.seconds or 0.0) + (event.seconds or 0.0)
        return replace(kept, count=kept.count + 1, seconds=seconds)
    if isinstance(kept, Stance) and isinstance(event, Stance):
        return _longer(kept, event)
    return replace(kept, count=kept.count + 1)


def _longer(kept: Stance, event: Stance) -> Stance:
    def both(name: str) -> int | None:
        first, second = getattr(kept, name), getattr(event, name)
        return None if first is None or second is None else first + second

    return replace(
        kept,
        count=kept.count + 1,
        until=event.until,
        calls=both("calls"),
        hits=both("hits"),
        misses=both("misses"),
    )


def _signature(draft: Draft) -> tuple[object, ...]:
    end, begin = draft.end, draft.begin
    sources = {(failure.kind, failure.source) for failure in begin.guard_failures} if begin else ()
    outcome = (end.compiled, end.limit, end.refused_by, end.failed, end.reason) if end else ()
    return outcome, draft.raised, draft.mark.phase, frozenset(sources), draft.runs_after


def _outcome(end: End, entries: int) -> Outcome:
    if end.refused_by:
        return Outcome.REFUSED
    if end.limit:
        return Outcome.LIMIT
    if end.failed:
        return Outcome.FAILED
    if not end.compiled:
        return Outcome.SKIPPED
    return Outcome.RECOMPILED if entries else Outcome.COMPILED


def _seconds(total: float, stages: Stages | None) -> Seconds:
    if stages is None:
        return Seconds(total)
    return Seconds(total, stages.dynamo, stages.aot_autograd, stages.backend)


def unrecognized(compiles: tuple[Compile, ...]) -> Iterator[Unrecognized]:
    """What of the guards could not be parsed, and recompiles that nothing explains."""
    for compile_ in compiles:
        for failure in compile_.guard_failures:
            if not failure.recognized:
                where = f"guard of cache entry {failure.cache_entry}, {compile_.frame.name}"
                yield Unrecognized(where, failure.text)
        if compile_.outcome is Outcome.RECOMPILED and not compile_.guard_failures:
            reasons = "; ".join(compile_.torch_reasons)
            yield Unrecognized(f"recompile {compile_.id} of {compile_.frame.name}", reasons)


OnEvent = Callable[[Compile | SkippedFrame | Stance | DeferredWork | HookError], None]
"""Told of each event as it is recorded; a compile may come again, with more known of it."""
