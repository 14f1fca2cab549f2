"""The smallest set of remedies that frees all cases: a set cover over what was proven. Pure.

Worked example: patch P frees the cases 1 and 2, lever L frees 2, and L with P frees 3. The smallest
set is P and ``L with P``: two parts, L and P, free all three.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations, islice

from esper_audit.data.remedies import Cause, LeverKind, Remedy
from esper_audit.remedies.candidates import REACHES, changed_by
from esper_audit.remedies.combined import together
from esper_audit.remedies.search import Tried
from esper_audit.remedies.states import key_of

_EXACT = 12
"""Options up to which every set is looked at; of more, the one that frees most is taken first."""

_LOOKED_AT = 200  # sets whose edits are merged

CURE = "cure"


@dataclass(frozen=True, slots=True)
class Option:
    """A remedy that was proven for some ``cases``, by their numbers, and what it is made of.

    ``hoped``: cases that it was not tried on, but that have no other causes than it is for.
    """

    tried: Tried
    parts: frozenset[object]
    cases: frozenset[int]
    hoped: frozenset[int] = frozenset()

    @property
    def frees(self) -> frozenset[int]:
        """The cases that it frees, or may."""
        return self.cases | self.hoped


def options_of(
    proven: Mapping[int, Sequence[Tried]], causes: Mapping[int, Sequence[Cause]]
) -> tuple[Option, ...]:
    """The different remedies among those that were proven for each case."""
    found: dict[object, Option] = {}
    for case, remedies in proven.items():
        for tried in remedies:
            key = changed_by(tried.remedy)
            known = found.get(key, Option(tried, tried.parts, frozenset()))
            found[key] = replace(known, cases=known.cases | {case})
    covers = {key: _covered(proven, key) for key in found}
    return tuple(
        replace(option, hoped=_hoped(covers[key], causes, option.cases))
        for key, option in found.items()
    )


def _covered(proven: Mapping[int, Sequence[Tried]], key: object) -> set[tuple[str, str, str]]:
    """The causes that a remedy is for, in any case that it was proven for."""
    tried = (one.remedy for remedies in proven.values() for one in remedies)
    own = (remedy for remedy in tried if changed_by(remedy) == key)
    return {key_of(cause) for remedy in own for cause in remedy.covers}


def _hoped(
    covers: set[tuple[str, str, str]],
    causes: Mapping[int, Sequence[Cause]],
    cases: frozenset[int],
) -> frozenset[int]:
    own = {case: {key_of(cause) for cause in found} for case, found in causes.items()}
    return frozenset(case for case, keys in own.items() if keys and keys <= covers) - cases


def smallest(options: Sequence[Option], cases: Sequence[int]) -> tuple[Option, ...]:
    """The set of fewest parts that frees all of these cases that any option frees.

    Where no such set can be had at once, as two edit one line, one that frees fewer cases.
    """
    wanted = frozenset(cases) & frozenset(case for option in options for case in option.frees)
    if not wanted:
        return ()
    sets = islice(_sets(options, wanted), _LOOKED_AT) if len(options) <= _EXACT else ()
    exact = (chosen for chosen in sets if compatible(chosen, cases))
    return next(exact, None) or _greedy(options, wanted, cases)


def _sets(options: Sequence[Option], wanted: frozenset[int]) -> list[tuple[Option, ...]]:
    """The sets that free all that is wanted, those of fewest parts first."""
    sets = (
        chosen
        for size in range(1, min(len(options), len(wanted)) + 1)
        for chosen in combinations(options, size)
        if wanted <= frozenset(case for option in chosen for case in option.frees)
    )
    return sorted(sets, key=_cost)


def _greedy(
    options: Sequence[Option], wanted: frozenset[int], cases: Sequence[int]
) -> tuple[Option, ...]:
    """What frees most of what is left, then the next, as far as they agree."""
    chosen: tuple[Option, ...] = ()
    left = set(wanted)
    rest = list(options)
    while left and rest:
        best = min(rest, key=lambda option: (-len(left & option.frees), _cost((option,))))
        rest.remove(best)
        if left & best.frees and compatible((*chosen, best), cases):
            chosen += (best,)
            left -= best.frees
    return chosen


def _cost(chosen: Sequence[Option]) -> tuple[int, ...]:
    """Safe before unsafe, few parts before many, edits before levers, narrow before wide."""
    remedies = [option.tried.remedy for option in chosen]
    return (
        sum(remedy.unsafe for remedy in remedies),
        len(frozenset(part for option in chosen for part in option.parts)),
        sum(not remedy.edits for remedy in remedies),
        sum(REACHES.index(remedy.reach) for remedy in remedies),
        sum(len(option.hoped) for option in chosen),
    )


def cure_of(chosen: Sequence[Option], case: int | None) -> Remedy | None:
    """All of these as one remedy for a case, None for one that needs none of them.

    Edits and settings hold for every case. What is done to a callable, an argument or in warm-up is
    done for the cases that it was proven for. None where two contradict.
    """
    parts = [
        option.tried.remedy if case in option.frees else _shared(option.tried.remedy)
        for option in chosen
    ]
    joint = together(parts)
    return None if joint is None else replace(joint, id=CURE)


def _shared(remedy: Remedy) -> Remedy:
    kept = tuple(lever for lever in remedy.levers if lever.kind is LeverKind.CONFIG)
    return replace(remedy, levers=kept)


def compatible(chosen: Sequence[Option], cases: Iterable[int]) -> bool:
    """Whether they can all be had at once, in each of these cases and in those that need none."""
    return all(cure_of(chosen, case) is not None for case in (*cases, None))


def without_hope(options: Iterable[Option], cases: Iterable[int]) -> tuple[Option, ...]:
    """The options where what was hoped of these cases has turned out wrong."""
    wrong = frozenset(cases)
    return tuple(replace(option, hoped=option.hoped - wrong) for option in options)
