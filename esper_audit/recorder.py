"""The recorder: a process-wide context manager that turns what torch does into a recording."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from types import FrameType, TracebackType

from esper_audit import _dynamo
from esper_audit._dynamo import Begin, Code, End, Stages
from esper_audit.events import (
    Compile,
    Frame,
    HookError,
    LedgerRow,
    Lookups,
    Outcome,
    Phase,
    Recording,
    RunsAfter,
    Seconds,
    Skip,
    Unrecognized,
)
from esper_audit.interrupts import DeferredInterrupts
from esper_audit.sources import frame_key, in_user_terms


@dataclass(slots=True)
class _Draft:
    """A compile whose parts still arrive: its end, torch's figures, what later calls will do."""

    sequence: int
    begin: Begin | None
    step: int | None
    phase: Phase
    end: End | None = None
    stages: Stages | None = None
    runs_after: RunsAfter = RunsAfter.COMPILE
    reason: str = ""


@dataclass(slots=True)
class _Mark:
    step: int | None = None
    phase: Phase = Phase.STEADY


@dataclass(slots=True)
class _Ledger:
    compiles: list[_Draft] = field(default_factory=list)
    later: list[LedgerRow] = field(default_factory=list)
    skips: list[Skip] = field(default_factory=list)
    errors: list[HookError] = field(default_factory=list)
    unrecognized: list[Unrecognized] = field(default_factory=list)


class Recorder:
    """Records every compile and every lookup of torch.compile in this process, in any thread.

    Use it once, as a context manager; :meth:`recording` gives what was seen so far, also while it
    still records. It changes nothing of what torch does, and leaves no hook behind. Code that
    was compiled before it began is recorded from then on.
    """

    def __init__(self, root: str = "") -> None:
        self._root = root or os.getcwd()  # noqa: PTH109  # a text: it is compared with code objects' files
        self._kept = _Ledger()
        self._mark = _Mark()
        self._lock = threading.RLock()
        self._hooks = _dynamo.Hooks(self)
        self._interrupts = DeferredInterrupts(self._hooks.is_inside)
        self._trace_log = _dynamo.TraceLog(self)
        self._counters_before: dict[str, int] = {}

    def __enter__(self) -> Recorder:
        self._counters_before = _dynamo.counters()
        self._hooks.install()
        self._interrupts.install()
        if not _dynamo.has("compile"):
            self._trace_log.install()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._interrupts.remove()
        if self._kept.errors:
            print(
                f"esper-audit: {len(self._kept.errors)} errors in the recorder's own hooks;"
                f" the first: {self._kept.errors[0].traceback.strip().splitlines()[-1]}",
                file=sys.stderr,
            )
        self._trace_log.remove()
        self._hooks.remove()

    @property
    def lookups(self) -> Lookups:
        """Hits and misses so far."""
        return Lookups(self._hooks.hits, self._hooks.misses)

    def is_hook(self, frame: FrameType | None) -> bool:
        """Whether a frame is the lookup hook's, in which a signal handler must not raise."""
        return self._hooks.is_inside(frame)

    @property
    def gave_up(self) -> bool:
        """Whether torch runs any user code eagerly for good, as far as seen."""
        with self._lock:
            drafts = any(each.runs_after is RunsAfter.EAGER for each in self._kept.compiles)
            return drafts or any(skip.for_good for skip in self._kept.skips)

    @contextmanager
    def step(self, index: int, phase: Phase) -> Iterator[None]:
        """Events inside belong to this step; not meant to nest."""
        self._mark = _Mark(index, phase)
        try:
            yield
        finally:
            self._mark = _Mark(None, phase)

    def recording(self) -> Recording:
        """What was recorded up to now, as plain frozen data."""
        with self._lock:
            compiles = tuple(self._freeze(draft) for draft in self._kept.compiles if draft.end)
            return Recording(
                environment=_dynamo.environment(),
                compiles=compiles,
                ledger=tuple(self._kept.later),
                skips=tuple(self._kept.skips),
                lookups=self.lookups,
                unrecognized=(*self._kept.unrecognized, *_unrecognized(compiles)),
                hook_errors=tuple(self._kept.errors),
                lost=_dynamo.lost(),
                torch_counters=self._counted(),
            )

    def _counted(self) -> dict[str, int]:
        before = self._counters_before
        return {name: n - before.get(name, 0) for name, n in _dynamo.counters().items()}

    # --- what the hooks tell (the listener of _dynamo.Hooks) ---

    def compile_began(self, begin: Begin | None) -> object:
        with self._lock:
            draft = _Draft(len(self._kept.compiles), begin, self._mark.step, self._mark.phase)
            self._kept.compiles.append(draft)
            return draft

    def compile_ended(self, token: object, end: End) -> None:
        if isinstance(token, _Draft):
            token.end = end

    def stages_known(self, stages: Stages) -> None:
        with self._lock:
            draft = self._running(stages.compile_id)
            if draft is not None and not stages.backward:
                draft.stages = stages
            else:
                kind = "backward" if stages.backward else "runtime"
                self._kept.later.append(
                    LedgerRow(kind, stages.compile_id, self._mark.step, stages.total)
                )

    def frame_returned(self, code: Code, runs_after: RunsAfter, reason: str, token: object) -> None:
        if isinstance(token, _Draft):
            token.runs_after, token.reason = runs_after, reason
        else:
            for_good = runs_after is RunsAfter.EAGER
            with self._lock:
                sequence = len(self._kept.compiles)
                frame = self._frame(code)
                self._kept.skips.append(Skip(frame, reason, self._mark.step, for_good, sequence))

    def device_work(self, kind: str, compile_id: str, seconds: float) -> None:
        with self._lock:
            self._kept.later.append(LedgerRow(kind, compile_id, self._mark.step, seconds))

    def hook_failed(self, hook: str, trace: str) -> None:
        with self._lock:
            self._kept.errors.append(HookError(hook, trace))

    # --- freezing ---

    def _running(self, compile_id: str) -> _Draft | None:
        """The compile that torch's figures are of: the latest of that id without figures.

        The trace log's own compiles end before their figures arrive, the hook's after.
        """
        for draft in reversed(self._kept.compiles):
            if draft.begin is not None and draft.begin.compile_id == compile_id:
                return None if draft.stages else draft
        return None

    def _frame(self, code: Code) -> Frame:
        name = code.module or code.name
        key = (
            frame_key(code.file, code.name, self._root)
            if not code.module
            else (f"{frame_key(code.file, code.name, self._root)}({code.module})")
        )
        return Frame(name, code.file, code.line, key, code.name)

    def _freeze(self, draft: _Draft) -> Compile:
        begin, end, stages = draft.begin, draft.end, draft.stages
        assert end is not None
        if begin is None:  # the hook failed; its error is recorded, the compile still counts
            begin = _UNKNOWN
        entries = begin.cache_entries
        reason = end.reason or draft.reason
        return Compile(
            sequence=draft.sequence,
            id=begin.compile_id,
            frame=self._frame(begin.code),
            outcome=_outcome(end, entries),
            step=draft.step,
            phase=draft.phase,
            seconds=_seconds(end, stages),
            guard_failures=tuple(
                replace(failure, source=in_user_terms(failure.source))
                for failure in begin.guard_failures
            ),
            torch_reasons=(stages.torch_reason,) if stages and stages.torch_reason else (),
            guard_count=stages.guard_count if stages else None,
            guard_latency_us=stages.guard_latency_us if stages else None,
            graph_ops=stages.graph_ops if stages else None,
            cache_entries_before=entries,
            cache_entries_after=entries + end.compiled,
            recompiles_left=begin.recompiles_left,
            accumulated_recompiles_left=begin.accumulated_recompiles_left,
            graph_breaks=end.graph_breaks,
            restarts=stages.restarts if stages else (),
            stack=begin.stack,
            reason=reason if not end.compiled else "",
            runs_after=draft.runs_after,
            instance=begin.instance,
            thread=begin.thread,
        )


_UNKNOWN = Begin(Code("<unknown>", "", 0), "?", 0, None, None, (), (), "", "")


def _outcome(end: End, entries: int) -> Outcome:
    if end.limit:
        return Outcome.LIMIT
    if end.failed:
        return Outcome.FAILED
    if not end.compiled:
        return Outcome.SKIPPED
    return Outcome.RECOMPILED if entries else Outcome.COMPILED


def _seconds(end: End, stages: Stages | None) -> Seconds:
    if stages is None:
        return Seconds(end.seconds)
    return Seconds(end.seconds, stages.dynamo, stages.aot_autograd, stages.backend)


def _unrecognized(compiles: tuple[Compile, ...]) -> Iterator[Unrecognized]:
    for compile_ in compiles:
        for failure in compile_.guard_failures:
            if not failure.recognized:
                where = f"guard of cache entry {failure.cache_entry}, {compile_.frame.name}"
                yield Unrecognized(where, failure.text)
        if compile_.outcome is Outcome.RECOMPILED and not compile_.guard_failures:
            reasons = "; ".join(compile_.torch_reasons) or "torch gives no reason"
            yield Unrecognized(f"recompile {compile_.id} of {compile_.frame.name}", reasons)
