"""The recorder: a process-wide context manager that turns what torch does into a recording."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from types import TracebackType

from esper_audit import _dynamo
from esper_audit._dynamo import Begin, End, Returned, Stages
from esper_audit.data.clean import clean
from esper_audit.data.compiles import DeferredWork, RunsAfter, SkippedFrame, Stance
from esper_audit.data.notices import HookError
from esper_audit.data.places import Location
from esper_audit.data.recording import Recording
from esper_audit.data.stages import Stage
from esper_audit.data.steps import Lookups, Phase
from esper_audit.data.text import encodable
from esper_audit.recording import marks
from esper_audit.recording.cells import cells, in_cells
from esper_audit.recording.ledger import Draft, Ledger, Mark, OnEvent, unrecognized
from esper_audit.recording.stances import Calls, Stances

Wanted = Mapping[str, Collection[str]]


class Recorder:
    """Records every compile and every lookup of torch.compile in this process, in any thread.

    Use it once, as a context manager; :meth:`recording` gives what was seen so far, also while it
    still records. It changes nothing of what torch does, and leaves no hook behind. Code that
    was compiled before it began is recorded from then on.

    Args:
        root: the folder from which frames are named; the present one without it.
        phase: what the program is in until it says otherwise.
        adding_up: count equal events instead of keeping each, for long runs.
        watch: look for the lines that write guarded state: True for those that guards read,
            or guard sources by frame (``file:qualified name``). Slows Python code down.
        journal: is told of each event, for a record that outlives a crash.
    """

    def __init__(
        self,
        root: str = "",
        *,
        phase: Phase = Phase.STEADY,
        adding_up: bool = False,
        watch: bool | Wanted = False,
        journal: OnEvent | None = None,
    ) -> None:
        # A text: it is compared with code objects' files.
        self._root = root or os.getcwd()  # noqa: PTH109
        self._kept = Ledger(self._root, adding_up)
        self._mark = Mark(phase=phase)
        self._marked = 0
        self._is_aside = False
        self._steady_at: float | None = None
        self._steady_hits: int | None = None
        self._steady_runs: int | None = None
        self._lock = threading.RLock()
        self._stances = Stances()
        self._watching = watch is not False
        wanted = None if isinstance(watch, bool) else watch
        self._hooks = _dynamo.Hooks(self, _dynamo.Watch(wanted) if self._watching else None)
        self._journal: OnEvent = journal or _forget
        self._trace_log = _dynamo.TraceLog(self)
        self._counters_before: dict[str, int] = {}

    def __enter__(self) -> Recorder:
        self._counters_before = _dynamo.counters()
        self._hooks.install()
        if not (_dynamo.has("compile") and _dynamo.has("attempt")):
            self._trace_log.install()
        marks.listen(self)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        marks.forget(self)
        self._trace_log.remove()
        self._hooks.remove()
        if self._kept.errors:
            with suppress(Exception):  # a stderr that is broken is no reason to raise here
                print(
                    f"esper-audit: {len(self._kept.errors)} errors in the recorder's own hooks;"
                    f" the first: {clean(self._kept.errors[0].gist)}",
                    file=sys.stderr,
                )

    @property
    def lookups(self) -> Lookups:
        """Hits and misses so far."""
        return Lookups(self._hooks.lookups.hits, self._hooks.lookups.misses)

    @property
    def seconds(self) -> float:
        """Since the recording began."""
        return self._kept.seconds

    @property
    def attempts(self) -> int:
        """How often Dynamo has begun to compile so far."""
        return self._kept.attempts

    @property
    def gave_up(self) -> bool:
        """Whether torch runs any user code eagerly for good, as far as seen."""
        with self._lock:
            drafts = any(draft.runs_after is RunsAfter.EAGER for draft in self._kept.drafts)
            return drafts or any(skip.for_good for skip in self._kept.skips)

    @contextmanager
    def step(self, index: int, phase: Phase) -> Iterator[None]:
        """Events inside belong to this step; not meant to nest."""
        self._mark = Mark(index, phase)
        try:
            yield
        finally:
            self._mark = Mark(None, phase)

    def mark_step(self, label: str) -> None:
        """From here on, events belong to the next step, which has this name."""
        self._mark = Mark(self._marked, self._mark.phase, str(label))
        self._marked += 1
        self._kept.named_steps.begin(str(label), self._kept.seconds)

    def mark_steady(self) -> None:
        """From here on, no compile is expected."""
        if self._steady_at is None:
            self._steady_at = self._kept.seconds
            self._steady_hits = self._hooks.lookups.hits
            self._steady_runs = sum(draft.graph_runs for draft in self._kept.drafts)
        self._mark = Mark(self._mark.step, Phase.STEADY, self._mark.label)

    def recording(self) -> Recording:
        """What was recorded up to now, as plain frozen data."""
        with self._lock:
            compiles = tuple(self._kept.compiles())
            found = Recording(
                environment=_dynamo.environment(),
                compiles=compiles,
                deferred=tuple(self._kept.later),
                skips=tuple(self._kept.skips),
                lookups=self.lookups,
                unrecognized=tuple(unrecognized(compiles)),
                hook_errors=tuple(self._kept.errors),
                lost=_dynamo.lost(),
                torch_counters=self._counted(),
                stances=self._all_stances(),
                watched=self._watching,
                steps_marked=self._marked,
                named_steps=self._kept.named_steps.all(),
                steady_at=self._steady_at,
                steady_hits=self._steady_hits,
                steady_runs=self._steady_runs,
                graphs_before=self._counters_before.get("unique_graphs", 0),
                seconds=self._kept.seconds,
                began_at=self._kept.began_at,
            )
        return in_cells(encodable(found), cells())

    def _all_stances(self) -> tuple[Stance, ...]:
        """The last one with the calls up to now."""
        kept, now = tuple(self._kept.stances), self._stances.up_to(self._calls())
        return (*kept[:-1], *now) if kept and now else kept

    def _counted(self) -> dict[str, int]:
        before = self._counters_before
        return {name: number - before.get(name, 0) for name, number in _dynamo.counters().items()}

    # --- what the hooks tell (the listener of _dynamo.Hooks) ---

    def compile_began(self, begin: Begin | None) -> object:
        with self._lock:
            return self._kept.begin(begin, self._mark)

    def compile_ended(self, token: object, end: End) -> None:
        if isinstance(token, Draft):
            with self._lock:
                caught = end.failed and not _dynamo.has("convert_frame")  # may be: not known
                token.raised = bool(end.refused_by) or (end.failed and not caught)
                self._kept.end(token, end)
                self._journal(self._kept.freeze(token))

    def graph_made(self, token: object, runs: Callable[[], int]) -> None:
        if isinstance(token, Draft):
            token.graphs.append(runs)

    def stages_known(self, stages: Stages) -> None:
        with self._lock:
            draft = self._kept.running(stages.compile_id)
            if draft is not None and not stages.backward:
                draft.stages = stages
                return
        kind = "backward" if stages.backward else "runtime"
        self._work(kind, stages.compile_id, stages.began, stages.total, stages.parts)

    def frame_returned(self, returned: Returned, token: object) -> None:
        with self._lock:
            if isinstance(token, Draft):
                token.runs_after, token.reason = returned.runs_after, returned.reason
                token.direct = returned.direct
                told = token.raised or returned.runs_after is not RunsAfter.COMPILE
                token.raised = False  # torch caught the error and runs the frame eagerly
                if token.end is not None and told:
                    self._journal(self._kept.freeze(token))
                return
            skip = SkippedFrame(
                frame=self._kept.frame(returned.code),
                reason=returned.reason,
                step=self._mark.step,
                for_good=returned.runs_after is RunsAfter.EAGER,
                sequence=self._kept.attempts,
                called_from=returned.called_from,
                direct=returned.direct,
                at=round(self._kept.seconds, 6),
                label=self._mark.label,
                by_rule=returned.by_rule,
                ran=returned.ran,
                within=returned.within,
                operation=returned.operation,
            )
            self._kept.skip(skip)
            self._journal(skip)

    @contextmanager
    def aside(self) -> Iterator[None]:
        """What happens inside is our own doing, and no part of the program."""
        before, self._is_aside = self._is_aside, True
        try:
            yield
        finally:
            self._is_aside = before

    def stance_set(self, stance: str, location: Location | None) -> None:
        if self._is_aside:
            return
        with self._lock:
            at = round(self._kept.seconds, 6)
            for event in self._stances.set(stance, location, at, self._calls()):
                self._kept.stance(event)
                self._journal(event)

    def _calls(self) -> Calls:
        lookups = self._hooks.lookups
        return Calls(self._hooks.entered(), lookups.hits, lookups.misses)

    def device_work(self, kind: str, compile_id: str, began: float, seconds: float) -> None:
        self._work(kind, compile_id, began, seconds, ())

    def _work(
        self,
        kind: str,
        compile_id: str,
        began: float | None,
        seconds: float | None,
        stages: tuple[Stage, ...],
    ) -> None:
        with self._lock:
            row = DeferredWork(
                kind,
                compile_id,
                self._mark.step,
                seconds,
                at=None if began is None else self._kept.since_began(began),
                thread=threading.current_thread().name,
                stages=self._kept.staged(stages),
            )
            self._kept.device_work(row)
            self._journal(row)

    def hook_failed(self, hook: str, trace: str) -> None:
        with self._lock:
            error = HookError(hook, trace)
            self._kept.error(error)
            self._journal(error)


def _forget(event: object) -> None:
    """The journal of a recorder without one."""
    del event
