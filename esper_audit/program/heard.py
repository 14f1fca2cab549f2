"""What is known of a process that still runs: counted as it comes, judged as a report judges it.

Its totals are of all events. Causes, states and forecasts are judged from the latest ones, so that
a run with 100,000 compiles is judged as quickly as one with a few thousand.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field, fields, replace
from enum import Enum, auto

from esper_audit.data.audits import ProgramAudit
from esper_audit.data.compiles import Compile, DeferredWork, GuardFailure, Outcome, Stance
from esper_audit.data.compiles import SkippedFrame as Skip
from esper_audit.data.diagnoses import Diagnosis
from esper_audit.data.findings import Finding, FrameSummary
from esper_audit.data.notices import HookError
from esper_audit.data.recording import UNKNOWN, Recording
from esper_audit.data.steps import Lookups
from esper_audit.diagnosis import judge_program
from esper_audit.diagnosis.sharing import cases, shared_frame
from esper_audit.recording.journal import Ended, Event, compile_key

MOST_KEPT = 1024
"""Compiles of one process that are judged; of many processes, fewer of each."""

_OF_ONE_FRAME = 256
"""Of which torch itself keeps no more cache entries (accumulated_recompile_limit)."""

_SKIPS = 256
_HAPPENED = 64


class Life(Enum):
    """Whether what is watched still runs, as far as this machine tells."""

    WAITING = auto()
    """There is nothing to read yet."""
    RUNNING = auto()
    SILENT = auto()
    """No process that may be looked at here writes it: it has died, or runs elsewhere."""
    UNSEEN = auto()
    """Its process is there, but what it writes was removed or renamed."""
    ENDED = auto()
    DIED = auto()
    """Its process is gone, and has left no end."""


@dataclass(slots=True)
class Tally:
    """Sums over events; ``again_seconds`` are those of recompiles."""

    attempts: int = 0
    compiles: int = 0
    recompiles: int = 0
    limits: int = 0
    failed: int = 0
    graph_breaks: int = 0
    seconds: float = 0.0
    again_seconds: float = 0.0

    def add(self, compile_: Compile, sign: int = 1) -> None:
        """Count a compile, or with ``sign`` -1 take it back."""
        count = sign * compile_.count
        again = compile_.outcome is Outcome.RECOMPILED
        seconds = sign * compile_.seconds.total
        self.attempts += count
        self.compiles += count * compile_.succeeded
        self.recompiles += count * again
        self.limits += count * compile_.limit_hit
        self.failed += count * (compile_.outcome is Outcome.FAILED)
        self.graph_breaks += count * len(compile_.graph_breaks)
        self.seconds += seconds
        self.again_seconds += seconds * again


@dataclass(frozen=True, slots=True)
class Happened:
    """One attempt to compile, and what it was for, where guards tell."""

    compile: Compile
    diagnosis: Diagnosis | None = None
    failure: GuardFailure | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessState:
    """What a view shows of one process.

    ``audit`` is judged from the latest compiles; its frames have the counts of all of them;
    ``frames`` is how many there are. ``happened`` are the latest attempts, ``cause`` explains the
    last recompile. ``lost`` counts lines that can't be read. ``read``: nothing more is to be read
    now. ``runs``: how many runs were seen in this place, each after the one before.
    ``file`` is what can be shown of one that died; ``ended``: its program has, with these words.
    """

    place: str
    life: Life
    audit: ProgramAudit
    tally: Tally
    frames: int = 0
    happened: tuple[Happened, ...] = ()
    cause: Finding | None = None
    lost: int = 0
    read: bool = True
    runs: int = 1
    pid: int | None = None
    file: str = ""
    ended: bool = False

    @property
    def rank(self) -> int | None:
        """The program's, where it has one."""
        return self.audit.rank


@dataclass(slots=True)
class Heard:
    """The events of one process, as they come."""

    most: int = MOST_KEPT
    tally: Tally = field(default_factory=Tally)
    lost: int = 0
    ended: bool = False
    _head: Recording = field(default_factory=lambda: Recording(environment=UNKNOWN))
    _lookups: Lookups = Lookups()
    _kept: dict[object, Compile] = field(default_factory=dict)
    _old: set[object] = field(default_factory=set)
    _keys: dict[str, deque[object]] = field(default_factory=dict)
    _frames: dict[str, Tally] = field(default_factory=dict)
    _skips: deque[Skip] = field(default_factory=lambda: deque(maxlen=_SKIPS))
    _stances: dict[object, Stance] = field(default_factory=dict)
    _errors: deque[HookError] = field(default_factory=lambda: deque(maxlen=_SKIPS))
    _untold: dict[object, None] = field(default_factory=dict)
    _news: list[Happened] = field(default_factory=list)
    _audit: ProgramAudit | None = None
    _happened: tuple[Happened, ...] = ()
    _cause: Finding | None = None

    def begin(self, head: Recording) -> None:
        """The head of a journal: of which program this is."""
        self._head, self._audit = head, None

    def end(self, ended: Ended) -> None:
        """The program's last line, its exit or its error."""
        self._head = replace(self._head, program=ended.program, seconds=ended.seconds)
        self.ended, self._audit = True, None

    def add(self, event: Event, lookups: Lookups) -> None:
        """An event; a compile may come again, with more known of it."""
        self._lookups, self._audit = lookups, None
        if isinstance(event, Compile):
            self._add_compile(event)
        elif isinstance(event, Skip):
            self._skips.append(event)
        elif isinstance(event, Stance):
            self._stances[event.at, event.stance] = event
            if len(self._stances) > _SKIPS:
                del self._stances[next(iter(self._stances))]
        elif isinstance(event, HookError):
            self._errors.append(event)
        else:
            assert isinstance(event, DeferredWork)

    def whole(self, recording: Recording) -> None:
        """A whole recording in place of what came before; what is new in it is told."""
        told = self._old.union(self._kept).difference(self._untold)
        self._clear()
        self.begin(recording)
        for compile_ in recording.compiles:
            self._add_compile(compile_)
        for key in told:
            self._untold.pop(key, None)
        self._lookups, self._skips = recording.lookups, deque(recording.skips, _SKIPS)
        self._stances = {(s.at, s.stance): s for s in recording.stances[-_SKIPS:]}
        self.ended = recording.complete

    def _clear(self) -> None:
        """Forget everything but what was lost, in the place: others hold this object."""
        anew = Heard(self.most, lost=self.lost)
        for part in fields(self):
            setattr(self, part.name, getattr(anew, part.name))

    def _add_compile(self, compile_: Compile) -> None:
        key, frame = compile_key(compile_), compile_.frame.key
        known = self._kept.get(key)
        if known is None and key in self._old:
            return  # told again after so many others: it is counted
        of_frame = self._frames.setdefault(frame, Tally())
        for tally in (self.tally, of_frame):
            if known is not None:
                tally.add(known, -1)
            tally.add(compile_)
        self._kept[key] = compile_
        if known is None:
            self._untold[key] = None
            self._keep(key, frame)

    def _keep(self, key: object, frame: str) -> None:
        """Judge this one from now on; the oldest goes where there are too many."""
        keys = self._keys.setdefault(frame, deque())
        keys.append(key)
        if len(keys) > _OF_ONE_FRAME:
            self._forget(keys.popleft())
        elif len(self._kept) > self.most:
            oldest = next(iter(self._kept))
            self._keys[self._kept[oldest].frame.key].popleft()
            self._forget(oldest)

    def _forget(self, key: object) -> None:
        del self._kept[key]
        self._untold.pop(key, None)
        self._old.add(key)

    # --- judging ---

    def news(self) -> list[Happened]:
        """The attempts that were not told before, in order."""
        self._judge()
        found, self._news = self._news, []
        return found

    def state(
        self,
        place: str,
        life: Life,
        *,
        read: bool,
        runs: int,
        pid: int | None = None,
        file: str = "",
    ) -> ProcessState:
        """What is known now."""
        audit = self._judge()
        return ProcessState(
            place=place,
            life=life,
            audit=audit,
            tally=self.tally,
            frames=len(self._frames),
            happened=self._happened,
            cause=self._cause,
            lost=self.lost,
            read=read,
            runs=runs,
            pid=pid,
            file=file,
            ended=self.ended,
        )

    def _judge(self) -> ProgramAudit:
        if self._audit is not None:
            return self._audit
        recording = replace(
            self._head,
            compiles=tuple(self._kept.values()),
            skips=tuple(self._skips),
            stances=tuple(self._stances.values()),
            lookups=self._lookups,
            hook_errors=tuple(self._errors),
        )
        found = judge_program(recording)
        frames = tuple(_exact(frame, self._frames.get(frame.frame.key)) for frame in found.frames)
        self._audit = replace(found, frames=frames)
        explained: dict[object, tuple[Diagnosis, GuardFailure]] = {}
        for compile_, diagnosis, failure in cases(recording.compiles):
            explained.setdefault(compile_key(compile_), (diagnosis, failure))
        last = [*self._kept.items()][-_HAPPENED:]
        self._happened = tuple(Happened(c, *explained.get(key, ())) for key, c in last)
        self._news += [Happened(self._kept[key], *explained.get(key, ())) for key in self._untold]
        self._untold.clear()
        recompiled = [happened for happened in self._happened if happened.failure is not None]
        self._cause = _cause(recompiled[-1], found.findings) if recompiled else self._cause
        return self._audit


def _cause(happened: Happened, findings: tuple[Finding, ...]) -> Finding | None:
    """The finding that explains an attempt."""
    failure = happened.failure
    if failure is None:
        return None
    frames = (happened.compile.frame.key, shared_frame(happened.compile.frame).key)
    of_frame = [
        finding
        for finding in findings
        if finding.id is happened.diagnosis
        and finding.pattern is not None
        and finding.frame.key in frames
    ]
    named = [finding for finding in of_frame if failure.source in finding.sources]
    return next(iter(named or of_frame), None)


def _exact(frame: FrameSummary, tally: Tally | None) -> FrameSummary:
    """The summary with the counts of all compiles of its frame."""
    if tally is None:  # it was refused, and never compiled
        return frame
    return replace(
        frame,
        attempts=tally.attempts,
        compiles=tally.compiles,
        recompiles=tally.recompiles,
        graph_breaks=tally.graph_breaks,
        seconds=max(0.0, tally.seconds),
    )
