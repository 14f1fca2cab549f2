"""When warm-up is over: as the program said, or after a number of calls of each frame."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from esper_audit.data.compiles import Compile
from esper_audit.data.recording import Recording
from esper_audit.data.steps import Lookups, Phase


def is_steady(compile_: Compile, warm_up_calls: int | None = None) -> bool:
    """Whether a compile came after warm-up."""
    if warm_up_calls is None:
        return compile_.phase is Phase.STEADY
    # Calls are counted by graph runs: of a frame without a graph, nobody knows.
    return compile_.graph_runs is None or compile_.calls_before >= warm_up_calls


def window(before: Recording, after: Recording) -> Recording:
    """What was recorded between two looks at one recording."""
    known = {compile_.sequence: compile_.count for compile_ in before.compiles}
    hits = after.lookups.hits - before.lookups.hits
    return replace(
        after,
        compiles=tuple(
            replace(compile_, count=compile_.count - known.get(compile_.sequence, 0))
            for compile_ in after.compiles
            if compile_.count > known.get(compile_.sequence, 0)
        ),
        skips=after.skips[len(before.skips) :],
        stances=after.stances[len(before.stances) :],
        deferred=after.deferred[len(before.deferred) :],
        named_steps=tuple(
            step for step in after.named_steps if step.index >= before.steps_marked - 1
        ),
        hook_errors=after.hook_errors[len(before.hook_errors) :],
        lookups=Lookups(hits, after.lookups.misses - before.lookups.misses),
        earlier_runs=_runs(after, known) - _runs(before, known),
    )


def _runs(recording: Recording, known: Collection[int]) -> int:
    """How often graphs of these compiles have run."""
    return sum(
        compile_.graph_runs or 0 for compile_ in recording.compiles if compile_.sequence in known
    )
