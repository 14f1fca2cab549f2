"""The last proof of remedies that pass: timed and compared with the code as it was, side by side.

A patch changes eager execution as well as compiled code, so that the two may agree and both be
wrong. What the code as it was gave, compiled and equal to its own eager execution, is the measure:
checksums of its outputs and gradients, step by step, from a replay beside the patched one's. Where
a patch differs or seems slower, a second round tells whether the code gives the same from run to
run, and whether the machine was busy.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from esper_audit.data.audits import Audit
from esper_audit.data.jobs import Job, Replay, ReplayStatus, Variant
from esper_audit.data.remedies import Because, Ground, Lever, LeverKind, Remedy, RemedyState
from esper_audit.data.steps import Step
from esper_audit.remedies.gains import Timed, differing, gain_of, is_slower
from esper_audit.remedies.search import Tried
from esper_audit.remedies.states import wrong_steps

EAGER_THROUGHOUT = (Lever(kind=LeverKind.COMPILE, name="disable", value="True"),)

Key = tuple[str, int]
"""What a replay is for: its part, and the place of the remedy; -1 for none."""

_BASE, _EAGER, _AGAIN = ("base", -1), ("eager", -1), ("again", -1)


@dataclass(eq=False)
class Settling:
    """Remedies of one case: ask for jobs, give their replays, decide; until no job is asked for."""

    job: Job
    before: Audit
    passing: Sequence[Tried]
    replays: dict[Key, Replay] = field(default_factory=dict)
    rounds: int = 0

    def jobs(self) -> list[tuple[Key, Job]]:
        """What is to be replayed now."""
        wanted = self._first() if not self.rounds else self._second()
        return [(key, self._job(variant)) for key, variant in wanted]

    def _first(self) -> Iterator[tuple[Key, Variant]]:
        yield _BASE, Variant()
        for place, tried in enumerate(self.passing):
            remedy = tried.remedy
            yield ("timed", place), _variant(remedy)
            if remedy.edits and remedy.levers:
                yield ("edits", place), _variant(replace(remedy, levers=()))
        yield _EAGER, Variant(levers=EAGER_THROUGHOUT)

    def _second(self) -> Iterator[tuple[Key, Variant]]:
        left = [(n, tried.remedy) for n, tried in enumerate(self.passing) if not tried.settled]
        if left:
            yield _AGAIN, Variant()
        for place, remedy in left:
            yield ("retimed", place), _variant(remedy)

    def _job(self, variant: Variant) -> Job:
        variant = replace(variant, record=False, checksums=True)
        return replace(self.job, compare=False, variant=variant)

    def learn(self, key: Key, replay: Replay) -> None:
        """Take in one replay."""
        self.replays[key] = replay
        if key[1] >= 0:
            self.passing[key[1]].seconds += replay.wall_seconds

    def decide(self) -> None:
        """Settle what these replays settle; what is in doubt stays for a second round."""
        self.rounds += 1
        for place, tried in enumerate(self.passing):
            if not tried.settled:
                self._decide(place, tried)

    def _decide(self, place: int, tried: Tried) -> None:
        timed = self.replays["timed", place]
        if timed.status is not ReplayStatus.COMPLETED:
            because = Because(ground=Ground.RAISED, reason=timed.reason)
            _settle(tried, RemedyState.BREAKS, because)
            return
        doubt = self._wrong(place, tried) or self._slower(place, tried)
        if doubt is not None and self.rounds == 1:
            return
        assert tried.after is not None
        tried.gain = gain_of(self.before, tried.after, self._timed(place))
        _settle(tried, *(doubt or (RemedyState.PROVEN, None)))

    def _wrong(self, place: int, tried: Tried) -> tuple[RemedyState, Because] | None:
        """Whether patched code gives something else than the code as it was; and whether it can."""
        if not tried.remedy.edits:
            return None
        base = self.replays[_BASE]
        patched = self.replays.get(("edits", place), self.replays["timed", place])
        for replay in (base, patched):
            if replay.status is not ReplayStatus.COMPLETED:
                because = Because(ground=Ground.NOT_COMPARED, reason=replay.reason)
                return RemedyState.UNPROVEN, because
        unsure = list(wrong_steps(self.before))
        wrong = differing(_steps(base), _steps(patched), unsure)
        if not wrong:
            return None
        again = self.replays.get(_AGAIN)
        if again is not None and differing(_steps(base), _steps(again), unsure):
            return RemedyState.UNPROVEN, Because(ground=Ground.NOT_COMPARED)
        return RemedyState.HIDES, Because(ground=Ground.STALE, count=len(wrong))

    def _slower(self, place: int, tried: Tried) -> tuple[RemedyState, Because] | None:
        """Whether a reused step takes longer, in both rounds where there were two."""
        assert tried.after is not None
        rounds = [self._timed(place)]
        if ("retimed", place) in self.replays:
            again, base = self.replays["retimed", place], self.replays[_AGAIN]
            rounds.append(Timed(_steps(base), _steps(again)))
        if not all(is_slower(self.before, tried.after, timed) for timed in rounds):
            return None
        return RemedyState.SLOWER, Because(ground=Ground.SLOWER)

    def _timed(self, place: int) -> Timed:
        parts = (self.replays.get(key) for key in (_BASE, ("timed", place), _EAGER))
        return Timed(*(_steps(replay) for replay in parts))


def _variant(remedy: Remedy) -> Variant:
    overlay = {edit.file: edit.after for edit in remedy.edits}
    return Variant(levers=remedy.levers, overlay=overlay)


def _steps(replay: Replay | None) -> Sequence[Step]:
    if replay is None or replay.recording is None:
        return ()
    return replay.recording.steps


def _settle(tried: Tried, state: RemedyState, because: Because | None) -> None:
    assert tried.shown is not None
    tried.shown = replace(tried.shown, state=state, because=because)
    tried.settled = True
