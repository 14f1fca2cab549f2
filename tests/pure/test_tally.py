"""Counts that are kept while a recording grows equal those of the whole recording."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from builders import FRAME, OTHER, compiled, recording

from esper_audit.data.compiles import GraphBreak, Outcome, RunsAfter, SkippedFrame, Stance
from esper_audit.data.steps import Phase
from esper_audit.diagnosis import Tally, count

COUNTED = ("compiles", "recompiles", "recompiles_after_warm_up", "refused", "failed", "limits")


def an_attempt(chance, sequence):
    return compiled(
        None,
        chance.choice(list(Outcome)),
        sequence=sequence,
        phase=chance.choice(list(Phase)),
        cache_entries_before=chance.choice([0, 2]),
        unsupported=chance.choice([True, False]),
        graph_breaks=tuple(GraphBreak("print", None) for _ in range(chance.choice([0, 0, 2]))),
        limit=chance.choice(["", "", "recompile_limit"]),
    )


@pytest.mark.parametrize("seed", range(20))
def test_a_tally_counts_what_the_whole_recording_counts(seed):
    chance, tally = random.Random(seed), Tally()
    kept = {}
    for sequence in range(40):
        kept[sequence] = an_attempt(chance, sequence)
        tally.note(kept[sequence])
        again = chance.choice([*kept])  # torch tells more of an earlier one
        kept[again] = replace(kept[again], runs_after=chance.choice(list(RunsAfter)))
        tally.note(kept[again])
    whole, told = count(recording((), tuple(kept.values()))), tally.totals
    assert {name: getattr(told, name) for name in (*COUNTED, "graph_breaks")} == {
        name: getattr(whole, name) for name in (*COUNTED, "graph_breaks")
    }
    assert told.seconds == pytest.approx(sum(made.seconds.total for made in kept.values()))
    recompiles = [made for made in kept.values() if made.outcome is Outcome.RECOMPILED]
    assert told.recompile_seconds == pytest.approx(sum(made.seconds.total for made in recompiles))


def test_a_tally_says_when_what_runs_eagerly_may_have_changed():
    tally = Tally()
    seen: list[int] = []
    skip = SkippedFrame(FRAME, "no tensors", None, for_good=True)
    for event in (
        compiled(0),
        compiled(1, Outcome.LIMIT, runs_after=RunsAfter.CACHED_ONLY),
        skip,
        replace(skip, sequence=9, at=2.0),  # the same once more
        replace(skip, frame=OTHER),
        Stance("force_eager", None),
    ):
        tally.note(event)
        seen.append(tally.turns)
    assert seen == [0, 1, 2, 2, 3, 4]
