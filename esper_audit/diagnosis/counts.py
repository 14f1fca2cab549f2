"""Each count of a recording, once, under one name. Every verdict and every table asks here.

A **recompile** is a compile in which every existing cache entry failed a guard. A **compile after
warm-up** is one of any kind: of a frame, for the first time, again, or anew after a reset; of a
backward; of a CUDA graph. Worked example: a frame compiles in warm-up, the program resets Dynamo,
and the frame compiles once more: 2 compiles, 0 recompiles, 1 compile after warm-up.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from esper_audit.data.compiles import Compile, DeferredWork, Outcome, RunsAfter
from esper_audit.data.recording import Recording
from esper_audit.data.steps import Phase
from esper_audit.diagnosis.phases import is_steady

LATE_COMPILES = ("backward", "cuda-graph")
"""Kinds of ledger rows that are compile work of their own."""

IsLate = Callable[[Compile], bool]


@dataclass(frozen=True, slots=True)
class Counts:
    """What torch.compile did over a recording, in numbers.

    ``refused`` are recompiles that torch had to make and raised instead, ``failed`` are attempts to
    compile that ended in an error, ``limits`` those that hit a recompile limit.
    """

    compiles: int = 0
    recompiles: int = 0
    compiles_in_warm_up: int = 0
    compiles_after_warm_up: int = 0
    recompiles_after_warm_up: int = 0
    refused: int = 0
    refused_after_warm_up: int = 0
    failed: int = 0
    limits: int = 0
    graph_breaks: int = 0


def count(recording: Recording, warm_up_calls: int | None = None) -> Counts:
    """All counts of a recording. ``warm_up_calls``: calls of each frame that are warm-up."""
    is_late = late(recording, warm_up_calls)
    made = [compile_ for compile_ in recording.compiles if compile_.succeeded]
    again = [compile_ for compile_ in made if compile_.outcome is Outcome.RECOMPILED]
    refused = [attempt for attempt in recording.compiles if is_refused(attempt)]
    frames_late = _sum(filter(is_late, made))
    return Counts(
        compiles=_sum(made),
        recompiles=_sum(again),
        compiles_in_warm_up=_sum(made) - frames_late,
        compiles_after_warm_up=frames_late + _other_compiles(recording, filter(is_late, made)),
        recompiles_after_warm_up=_sum(filter(is_late, again)),
        refused=_sum(refused),
        refused_after_warm_up=_sum(filter(is_late, refused)),
        failed=_sum(attempt for attempt in recording.compiles if has_failed(attempt)),
        limits=_sum(attempt for attempt in recording.compiles if attempt.limit_hit),
        graph_breaks=sum(
            len(attempt.graph_breaks) * attempt.count for attempt in recording.compiles
        ),
    )


def late(recording: Recording, warm_up_calls: int | None = None) -> IsLate:
    """Whether a compile came after warm-up; of a replay, in one of its steady steps."""
    if not recording.steps:
        return lambda compile_: is_steady(compile_, warm_up_calls)
    steady = {step.index for step in recording.steps if step.phase is Phase.STEADY}
    return lambda compile_: compile_.step in steady


def seconds_after_warm_up(recording: Recording, warm_up_calls: int | None = None) -> float:
    """What all attempts to compile a frame after warm-up took, recompiles or not."""
    is_late = late(recording, warm_up_calls)
    return sum(attempt.seconds.total for attempt in filter(is_late, recording.compiles))


def holds_graph(compile_: Compile) -> bool:
    """Whether a compile made a graph, as far as known: one that ends at a break may hold none."""
    return compile_.graph_runs is not None or compile_.graph_ops != 0


def is_refused(compile_: Compile) -> bool:
    """Whether torch had to recompile, and raised instead, as it was told to."""
    return compile_.outcome is Outcome.REFUSED and compile_.cache_entries_before > 0


def has_failed(compile_: Compile) -> bool:
    """Whether the attempt ended in an error; not where torch gave up on what it can't trace."""
    given_up = compile_.runs_after is RunsAfter.EAGER and compile_.unsupported
    return compile_.outcome is Outcome.FAILED and not given_up


def _other_compiles(recording: Recording, frames: Iterable[Compile]) -> int:
    """Backwards and CUDA graphs after warm-up, of frames that were compiled before."""
    counted = {compile_.id for compile_ in frames}
    rows = [row for row in recording.deferred if _is_late_row(row, recording)]
    return len({(row.step, row.compile_id) for row in rows if row.compile_id not in counted})


def _is_late_row(row: DeferredWork, recording: Recording) -> bool:
    if row.kind not in LATE_COMPILES:
        return False
    if not recording.steps:
        return row.phase is Phase.STEADY
    return any(step.index == row.step and step.phase is Phase.STEADY for step in recording.steps)


def _sum(compiles: Iterable[Compile]) -> int:
    return sum(compile_.count for compile_ in compiles)
