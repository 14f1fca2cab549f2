"""What each line that wrote guarded state has cost, over all frames and recordings.

Worked example: ``set_alpha`` writes ``self.alpha``, and three compiled modules guard it. A cause is
found for each of the three; here they are one line, with the recompiles of all.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from esper_audit.data.compiles import STATE_KINDS, Compile, GuardFailure, Outcome, Write
from esper_audit.data.places import Frame, Location
from esper_audit.data.reasons import Reason, Why
from esper_audit.data.steps import Phase
from esper_audit.diagnosis.sharing import explained

_NOT_RECORDED = Reason(why=Why.NOT_RECORDED)
_Key = tuple[Location | None, bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class Blame:
    """A line, and the attempts to compile that it led to.

    ``passed``: it is the call that passed an argument, and wrote no state. Without a ``location``,
    nobody knows the line; ``reasons`` say why. ``attempts`` hit a limit or were refused, and made
    no cache entry; each of the ``recompiles`` made one. ``recordings`` are the names of those that
    it wrote in.
    """

    location: Location | None
    passed: bool = False
    sources: tuple[str, ...] = ()
    frames: tuple[Frame, ...] = ()
    recordings: tuple[str, ...] = ()
    recompiles: int = 0
    attempts: int = 0
    seconds: float = 0.0
    reasons: tuple[Reason, ...] = ()


@dataclass(frozen=True, slots=True)
class Blames:
    """All lines, those that cost most first and what is unknown last, with what they cost together.

    A recompile of several lines counts in each of them, and once in ``recompiles``, ``attempts``
    and ``seconds`` here.
    """

    lines: tuple[Blame, ...]
    recompiles: int = 0
    attempts: int = 0
    seconds: float = 0.0

    @property
    def is_shared(self) -> bool:
        """Whether the lines share recompiles or attempts, so that they add up to more."""
        told = sum(line.recompiles + line.attempts for line in self.lines)
        return told > self.recompiles + self.attempts

    @property
    def knows_a_line(self) -> bool:
        """Whether any line is known."""
        return any(line.location is not None for line in self.lines)


@dataclass
class _Sum:
    """A line, while attempts are added up."""

    sources: dict[str, None] = field(default_factory=dict)
    frames: dict[str, Frame] = field(default_factory=dict)
    recordings: dict[str, None] = field(default_factory=dict)
    reasons: list[Reason] = field(default_factory=list)
    recompiles: int = 0
    attempts: int = 0
    seconds: float = 0.0

    def add(self, attempt: Compile, recording: str) -> None:
        self.frames.setdefault(attempt.frame.key, attempt.frame)
        self.recordings[recording] = None
        made = attempt.outcome is Outcome.RECOMPILED
        self.recompiles += attempt.count if made else 0
        self.attempts += 0 if made else attempt.count
        self.seconds += attempt.seconds.total

    def tell(self, failure: GuardFailure, write: Write | None) -> None:
        settings = ", ".join(failure.fields) if failure.kind in STATE_KINDS else ""
        self.sources[settings or failure.source] = None
        reason = (write.unknown if write is not None else _NOT_RECORDED) or _NOT_RECORDED
        if reason not in self.reasons:
            self.reasons.append(reason)


def blames(
    recordings: Iterable[tuple[str, Sequence[Compile]]], *, after_warm_up_only: bool = False
) -> Blames:
    """The lines behind all recompiles of these recordings, each of which has a name."""
    sums: dict[_Key, _Sum] = {}
    whole = _Sum()
    for name, compiles in recordings:
        told = explained(compiles)
        for attempt in compiles:
            if attempt.sequence not in told:
                continue
            if after_warm_up_only and attempt.phase is not Phase.STEADY:
                continue
            whole.add(attempt, name)
            found: dict[_Key, None] = {}
            for _, failure in told[attempt.sequence]:
                key, write = _line(attempt, failure)
                sums.setdefault(key, _Sum()).tell(failure, write)
                found[key] = None
            for key in found:
                sums[key].add(attempt, name)
    lines = [_blame(key, made) for key, made in sums.items()]
    lines.sort(key=lambda line: (line.location is None, -line.seconds))
    return Blames(tuple(lines), whole.recompiles, whole.attempts, whole.seconds)


def _line(attempt: Compile, failure: GuardFailure) -> tuple[_Key, Write | None]:
    """The line that wrote what made the guard fail, or that passed it."""
    writes = [write for write in attempt.writes if write.source == failure.written]
    known = next((write for write in writes if write.location is not None), None)
    if known is not None:
        return (known.location, False), known
    write = writes[0] if writes else None
    unknown = write.unknown if write is not None else None
    if unknown is not None and unknown.why is Why.IS_ARGUMENT and attempt.stack:
        return (attempt.stack[-1], True), write
    return (None, False), write


def _blame(key: _Key, made: _Sum) -> Blame:
    location, passed = key
    return Blame(
        location=location,
        passed=passed,
        sources=tuple(made.sources),
        frames=tuple(made.frames.values()),
        recordings=tuple(made.recordings),
        recompiles=made.recompiles,
        attempts=made.attempts,
        seconds=made.seconds,
        reasons=tuple(made.reasons) if location is None else (),
    )
