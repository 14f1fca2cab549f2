"""Writers of guarded state, from a watched recording into the unwatched one of the same code. Pure.

The watched one only lends its writers: compiles, counts and seconds are those of the unwatched.
"""

from __future__ import annotations

from dataclasses import replace

from esper_audit.data.compiles import GUARDS_FAILED, STATE_KINDS, Compile, Write
from esper_audit.data.reasons import Reason, Why
from esper_audit.data.recording import Recording


def wanted(recording: Recording) -> dict[str, tuple[str, ...]]:
    """The guard sources that failed, in torch's terms, by frame (``file:qualified name``)."""
    found: dict[str, dict[str, None]] = {}
    for compile_ in recording.compiles:
        if compile_.outcome in GUARDS_FAILED:
            frame = found.setdefault(f"{compile_.frame.file}:{compile_.frame.raw_name}", {})
            for failure in compile_.guard_failures:
                if failure.kind in STATE_KINDS or failure.written.startswith(("L[", "G[")):
                    frame[failure.written] = None
    return {frame: tuple(sources) for frame, sources in found.items() if sources}


def with_writers(recording: Recording, watched: Recording, *, cut: bool = False) -> Recording:
    """The recording with the writers of the watched one, where both made the same compiles.

    ``cut``: the watched one was ended early, and holds the first compiles alone.
    """
    difference = _difference(recording, watched, cut)
    if difference is not None:
        return without_writers(recording, difference)
    known = tuple(
        replace(mine, writes=theirs.writes)
        for mine, theirs in zip(recording.compiles, watched.compiles, strict=not cut)
    )
    rest = recording.compiles[len(known) :]
    return replace(recording, compiles=(*known, *rest), watched=True)


def without_writers(recording: Recording, why: Reason) -> Recording:
    """The recording with ``why`` in place of every writer, and among its notes."""
    note = Reason(why=Why.WRITERS_UNNAMED, cause=why)
    return replace(unexplained(recording, why), notes=(*recording.notes, note))


def unexplained(recording: Recording, why: Reason) -> Recording:
    """The recording with ``why`` in place of every writer."""
    compiles = tuple(_with_reason(compile_, why) for compile_ in recording.compiles)
    return replace(recording, compiles=compiles)


def _with_reason(compile_: Compile, why: Reason) -> Compile:
    sources = dict.fromkeys(failure.written for failure in compile_.guard_failures)
    return replace(compile_, writes=tuple(Write(source, unknown=why) for source in sources))


def _difference(recording: Recording, watched: Recording, cut: bool) -> Reason | None:
    """The first place at which two recordings tell of different compiles; None where none is."""
    mine, theirs = recording.compiles, watched.compiles
    for place, (one, other) in enumerate(zip(mine, theirs, strict=False)):
        if _signature(one) != _signature(other):
            names = tuple(
                text for made in (one, other) for text in (made.frame.name, made.outcome.value)
            )
            return Reason(why=Why.OTHER_COMPILES, count=place, names=names)
    if len(mine) != len(theirs) and not (cut and len(theirs) < len(mine)):
        return Reason(why=Why.OTHER_NUMBER, numbers=(len(mine), len(theirs)))
    return None


def _signature(compile_: Compile) -> tuple[object, ...]:
    sources = frozenset((failure.kind, failure.torch_source) for failure in compile_.guard_failures)
    return compile_.frame.key, compile_.outcome, sources, compile_.count
