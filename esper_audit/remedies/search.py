"""Which remedy of a case is tried next, and what became of each. Pure: others replay.

A wave holds the best levers and the best patch that are left, side by side: of two that prove
equal the patch is preferred. The first wave with a proof ends the search, unless all are asked
for. What a remedy leaves (``partial``, ``converges``) is tried again with remedies for the causes
that are left, three together at most.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from esper_audit.data.audits import Audit
from esper_audit.data.remedies import (
    Because,
    Fix,
    Gain,
    Ground,
    NotMade,
    Remedy,
    RemedyState,
    Trial,
)
from esper_audit.data.steps import Phase
from esper_audit.data.verdicts import StepVerdict
from esper_audit.diagnosis.counts import count
from esper_audit.remedies import combined
from esper_audit.remedies.candidates import (
    REACHES,
    Candidates,
    causes_of,
    changed_by,
    group_of,
)
from esper_audit.remedies.diffs import made_from, relative, unified
from esper_audit.remedies.states import Shown, eager_is_wrong, state_of

Make = Callable[[Audit, Mapping[str, str]], Candidates]
"""The candidates for an audit, of files with these texts in place of those on disk, by path."""

_WIDTH = 2
_DEPTH = 3
_FOLLOWED = 3  # remedies of one case that others are added to
_FOLLOW_UPS = {0: 3, 1: 3, 2: 2, 3: 2, 4: 1}
"""How many remedies of each group are added to one, so that none is crowded out."""

_LEAVES = (RemedyState.PARTIAL, RemedyState.CONVERGES)
_NEAREST = (
    *(RemedyState.SLOWER, RemedyState.UNPROVEN, RemedyState.CONVERGES, RemedyState.PARTIAL),
    *(RemedyState.DELAYS, RemedyState.HIDES, RemedyState.NO_EFFECT, RemedyState.BREAKS),
)
"""States that prove nothing, by how near to a proof they are."""


@dataclass(eq=False)
class Tried:
    """A remedy, what changes it is made of, and what replays with it have shown so far."""

    remedy: Remedy
    parts: frozenset[object]
    after: Audit | None = None
    shown: Shown | None = None
    gain: Gain | None = None
    settled: bool = False
    followed: bool = False
    seconds: float = 0.0

    @property
    def state(self) -> RemedyState:
        """What it is known to be; not tried before it was replayed."""
        return self.shown.state if self.shown is not None else RemedyState.NOT_TRIED

    @property
    def depth(self) -> int:
        """How many remedies it is made of."""
        return len(self.parts)

    @property
    def is_proven(self) -> bool:
        """Whether timing it and comparing it with the code as it was has confirmed it, too."""
        return self.settled and self.state is RemedyState.PROVEN


@dataclass(eq=False)
class Search:
    """The trials of one failing case."""

    before: Audit
    make: Make
    all_: bool = False
    waiting: list[Tried] = field(default_factory=list)
    tried: list[Tried] = field(default_factory=list)
    not_made: tuple[NotMade, ...] = ()
    because: Because | None = None
    begun: bool = False
    _known: set[object] = field(default_factory=set)

    def begin(self) -> None:
        """Find the candidates; none where eager execution gives the same wrong output."""
        self.begun = True
        wrong = eager_is_wrong(self.before)
        if wrong is not None:
            self.because = Because(ground=Ground.EAGER_IS_WRONG, reason=wrong)
            return
        found = self.make(self.before, {})
        self.not_made = tuple(
            one for one in found.not_made if one.because.ground is not Ground.NO_CANDIDATE
        )
        new = (remedy for remedy in found.remedies if self._is_new(remedy))
        self.waiting = [Tried(remedy, frozenset((changed_by(remedy),))) for remedy in new]

    def _is_new(self, remedy: Remedy) -> bool:
        change = changed_by(remedy)
        is_new = change not in self._known
        self._known.add(change)
        return is_new

    def wave(self) -> list[Tried]:
        """What is tried next, side by side; nothing once the search is over.

        What can make output wrong waits until nothing else is left, additions to others included.
        """
        if self.best is not None and not self.all_:
            return []
        open_ = [one for one in self.waiting if not one.remedy.unsafe]
        if not open_ and self.to_follow() is None:
            open_ = self.waiting
        edits = [one for one in open_ if one.remedy.edits]
        others = [one for one in open_ if not one.remedy.edits]
        pairs = [*others[:1], *edits[:1]] if edits and others else open_[:_WIDTH]
        self.waiting = [one for one in self.waiting if one not in pairs]
        self.tried += pairs
        return pairs

    def learn(self, tried: Tried, after: Audit) -> None:
        """Take in the audit of a replay with this remedy."""
        tried.after = after
        tried.seconds += after.wall_seconds
        covers = tried.remedy.covers
        tried.shown = state_of(self.before, after, covers, causes_of(after))

    def to_settle(self) -> list[Tried]:
        """Remedies that pass, and were not yet timed and compared with the code as it was.

        Where all are tried, that is done for all together: the code as it was runs once.
        """
        if self.all_ and self.waiting:
            return []
        return self._passing()

    def _passing(self) -> list[Tried]:
        return [one for one in self.tried if one.state is RemedyState.PROVEN and not one.settled]

    def to_follow_now(self) -> Tried | None:
        """One that leaves fewer causes than there were: the way to a proof goes on from it."""
        following = self.to_follow()
        shown = following.shown if following is not None else None
        fewer = shown is not None and len(shown.left) < len(causes_of(self.before))
        return following if fewer else None

    def to_follow(self) -> Tried | None:
        """The remedy that comes next to adding others to it."""
        followed = [one for one in self.tried if one.followed]
        if self.proven or self._passing() or len(followed) >= _FOLLOWED:
            return None
        leaving = [
            one
            for one in self.tried
            if one.state in _LEAVES and not one.followed and one.depth < _DEPTH
        ]
        return min(leaving, key=_leaves, default=None)

    def follow(self, tried: Tried, after: Audit) -> None:
        """Add to a remedy those for what it leaves; ``after`` is its audit, with writers."""
        tried.followed = True
        texts = {edit.file: edit.after for edit in tried.remedy.edits}
        new: dict[int, list[Tried]] = {group: [] for group in _FOLLOW_UPS}
        for added in self.make(after, texts).remedies:
            both = combined.after(tried.remedy, added)
            if both is not None and self._is_new(both):
                new[group_of(both)].append(Tried(both, tried.parts | {changed_by(added)}))
        self.waiting[:0] = [
            one for group, found in new.items() for one in found[: _FOLLOW_UPS[group]]
        ]

    @property
    def best(self) -> Tried | None:
        """The proven remedy to report: an edit before levers, the smallest reach, few levers."""
        return min(self.proven, key=_worth, default=None)

    @property
    def proven(self) -> list[Tried]:
        """All remedies that were proven, in the order of their trials."""
        return [one for one in self.tried if one.is_proven]

    def fix(self, root: str, interrupted: bool = False) -> Fix:
        """What came of it. ``root``: the folder from which diffs name files."""
        done = [one for one in self.tried if one.state is not RemedyState.NOT_TRIED]
        best = self.best
        counts = count(self.before.recording)
        trials = [*(trial_of(one, root) for one in done), *self._untried(root, done, interrupted)]
        return Fix(
            title=self.before.title,
            file=self.before.file,
            parameters=self.before.parameters,
            backend=self.before.backend,
            verdict=self.before.verdict,
            compiles=counts.compiles_after_warm_up,
            eager=_eager_steps(self.before),
            causes=causes_of(self.before),
            trials=tuple(trials),
            best=None if best is None else done.index(best),
            because=None if best is not None else self._why_none(done, interrupted),
            seconds=sum(one.seconds for one in done),
            replay_seconds=self.before.wall_seconds,
        )

    def _untried(self, root: str, done: list[Tried], interrupted: bool) -> list[Trial]:
        ground = Ground.INTERRUPTED if interrupted else Ground.NOT_NEEDED
        rest = [one for one in (*self.tried, *self.waiting) if one not in done and one.depth == 1]
        left = [replace(trial_of(one, root), because=Because(ground=ground)) for one in rest]
        state = RemedyState.NOT_TRIED
        return left + [
            Trial(id=one.id, covers=one.covers, state=state, because=one.because)
            for one in self.not_made
        ]

    def _why_none(self, done: list[Tried], interrupted: bool) -> Because:
        if self.because is not None:
            return self.because
        unsettled = len(done) < len(self.tried) or bool(self._passing() or self.waiting)
        if interrupted and (unsettled or not self.begun):
            return Because(ground=Ground.INTERRUPTED)
        nearest = min(done, key=lambda one: _NEAREST.index(one.state), default=None)
        if nearest is not None and nearest.shown is not None and nearest.shown.because is not None:
            return nearest.shown.because
        return next((one.because for one in self.not_made), Because(ground=Ground.NO_CANDIDATE))


def _leaves(tried: Tried) -> tuple[bool, bool, int, int]:
    shown = tried.shown
    assert shown is not None
    return (
        tried.remedy.unsafe,
        shown.state is not RemedyState.PARTIAL,
        len(shown.left),
        shown.compiles,
    )


def _worth(tried: Tried) -> tuple[bool, bool, int, int, int]:
    remedy = tried.remedy
    reach, levers = REACHES.index(remedy.reach), len(remedy.levers)
    return remedy.unsafe, not remedy.edits, reach, levers, tried.depth


def _eager_steps(audit: Audit) -> int:
    steady = [step for step in audit.steps if step.phase is Phase.STEADY]
    return len([step for step in steady if step.verdict is StepVerdict.EAGER])


def trial_of(tried: Tried, root: str) -> Trial:
    """A remedy and what trying it showed. ``root``: the folder from which diffs name files."""
    remedy, shown, after = tried.remedy, tried.shown, tried.after
    if shown is not None and shown.state is RemedyState.PROVEN and not tried.settled:
        because = Because(ground=Ground.INTERRUPTED)
        shown = replace(shown, state=RemedyState.UNPROVEN, because=because)
    return Trial(
        id=remedy.id,
        covers=remedy.covers,
        state=shown.state if shown is not None else RemedyState.NOT_TRIED,
        reach=remedy.reach,
        levers=remedy.levers,
        files=tuple(relative(edit.file, root) for edit in remedy.edits),
        diff=unified(remedy.edits, root),
        made_from=made_from(remedy.edits, root),
        unsafe=remedy.unsafe,
        because=shown.because if shown is not None else None,
        verdict=after.verdict if after is not None else None,
        compiles=shown.compiles if shown is not None else None,
        left=shown.left if shown is not None else (),
        gain=tried.gain,
        seconds=tried.seconds,
    )
