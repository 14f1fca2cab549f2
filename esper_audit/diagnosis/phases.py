"""When warm-up is over: as the program said, or after a number of calls of each frame."""

from __future__ import annotations

from dataclasses import replace

from esper_audit.events import Compile, Lookups, Phase, Recording


def is_steady(compile_: Compile, warm_up_calls: int | None = None) -> bool:
    """Whether a compile came after warm-up."""
    if warm_up_calls is None:
        return compile_.phase is Phase.STEADY
    return compile_.calls_before >= warm_up_calls


def window(before: Recording, after: Recording) -> Recording:
    """What was recorded between two looks at one recording."""
    known = {each.sequence for each in before.compiles}
    hits = after.lookups.hits - before.lookups.hits
    return replace(
        after,
        compiles=tuple(each for each in after.compiles if each.sequence not in known),
        skips=after.skips[len(before.skips) :],
        stances=after.stances[len(before.stances) :],
        ledger=after.ledger[len(before.ledger) :],
        hook_errors=after.hook_errors[len(before.hook_errors) :],
        lookups=Lookups(hits, after.lookups.misses - before.lookups.misses),
    )
