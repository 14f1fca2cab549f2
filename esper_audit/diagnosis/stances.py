"""Compiling switched off for all functions, by a stance or a setting: from when to when."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from esper_audit.data.compiles import Stance
from esper_audit.data.diagnoses import Diagnosis
from esper_audit.data.findings import Finding, Since
from esper_audit.data.places import Frame, Location
from esper_audit.data.reasons import Reason, Why
from esper_audit.data.recording import Recording

EVERY_FRAME = Frame("every compiled function", "", 0, "*", "*")
ON_RECOMPILE = "eager_on_recompile"
_SWITCHED_OFF = ("force_eager", ON_RECOMPILE)
_OFF = {"disable": ("True",), "TORCH_COMPILE_DISABLE": ("1",), "TORCHDYNAMO_DISABLE": ("1",)}


def switched_off(recording: Recording) -> Iterator[Finding]:
    """One finding for each line that set such a stance, where calls ran eagerly in its time."""
    grouped: dict[tuple[str, Location | None], list[Stance]] = {}
    for stance in recording.stances:
        if stance.stance in _SWITCHED_OFF and stance.calls != 0:
            grouped.setdefault((stance.stance, stance.location), []).append(stance)
    for group in grouped.values():
        if any(map(_eager_calls, group)):
            yield _of_stance(group)
    for name, values in _OFF.items():
        value = recording.environment.settings.get(name)
        if value in values:
            yield _off(Reason(why=Why.SETTING, names=(name,), text=value), Since(), None)


def now_in_force(recording: Recording) -> Stance | None:
    """The stance at the end that leaves calls eager: all of them, or those that match no entry."""
    last = recording.stances[-1] if recording.stances else None
    return last if last is not None and last.stance in _SWITCHED_OFF else None


def answered_by_stance(recording: Recording) -> int:
    """Calls that matched no cache entry and that a stance left eager, as far as counted."""
    return sum(s.misses or 0 for s in recording.stances if s.stance == ON_RECOMPILE)


def unanswered_under(stance: Stance, missed: int) -> Finding:
    """Of a stance in whose time nobody counted: how many calls of a recording it left eager."""
    cause = Reason(why=Why.UNANSWERED, count=missed)
    why = Reason(why=Why.STANCE, text=stance.stance, cause=cause)
    return _off(why, Since(seconds=stance.at), stance.location, unanswered=missed)


def _eager_calls(stance: Stance) -> bool:
    """Whether calls ran eagerly under it; ``eager_on_recompile`` leaves what matches compiled."""
    if stance.calls is None or stance.stance != ON_RECOMPILE:
        return stance.stance != ON_RECOMPILE
    return bool(stance.misses) or not stance.hits


def _of_stance(group: Sequence[Stance]) -> Finding:
    first, last = group[0], group[-1]
    missed = sum(stance.misses or 0 for stance in group)
    cause = Reason(why=Why.UNANSWERED, count=missed) if missed else None
    known = all(stance.calls is not None for stance in group)
    return _off(
        Reason(why=Why.STANCE, text=first.stance, cause=cause),
        Since(seconds=first.at),
        first.location,
        unanswered=missed,
        until=Since(seconds=last.until) if last.until is not None else None,
        calls=sum(stance.calls or 0 for stance in group) if known else None,
    )


def _off(why: Reason, when: Since, place: Location | None, **fields: object) -> Finding:
    found = Finding(
        id=Diagnosis.EAGER_DISABLED,
        frame=EVERY_FRAME,
        why=why,
        since=when,
        written_by=place,
        no_writer=None if place else Reason(why=Why.IS_ENVIRONMENT),
    )
    return replace(found, **fields)  # type: ignore[arg-type]
