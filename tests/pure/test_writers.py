"""Writers go from a watched recording into the unwatched one, only where both tell the same."""

from __future__ import annotations

from builders import compiled, failure, recording, told

from esper_audit.data.compiles import Outcome, Write
from esper_audit.data.places import Location
from esper_audit.data.steps import Phase
from esper_audit.recording.writers import wanted, with_writers, without_writers
from esper_audit.report.words.reasons import in_words

WRITE = Write("L['self'].alpha", Location("/p/slot.py", 120, "set_alpha"))


def again(number, source="L['self'].alpha", outcome=Outcome.RECOMPILED, **fields):
    return compiled(number, outcome, guard_failures=(failure(source=source),), **fields)


def test_only_sources_that_failed_and_are_python_state_are_wanted():
    compiles = [
        compiled(0),
        again(1),
        again(2),
        again(3, "G['mode']"),
        again(4, "<global state>"),
        again(5, "L['self'].beta", Outcome.LIMIT),
    ]
    assert wanted(recording((), compiles)) == {
        "/p/host.py:Host.forward": ("L['self'].alpha", "G['mode']", "L['self'].beta")
    }


def test_the_writers_come_over_and_nothing_else_does():
    mine, theirs = again(1, graph_runs=9), again(1, graph_runs=2, writes=(WRITE,))
    found = with_writers(recording((), [mine]), recording((), [theirs])).compiles[0]
    assert (found.writes, found.graph_runs) == ((WRITE,), 9)


def test_a_watched_run_with_other_compiles_names_no_writer_and_says_so():
    watched = recording((), [again(1, writes=(WRITE,)), again(2)])
    found = with_writers(recording((), [again(1)]), watched)
    assert found.compiles[0].writes[0].location is None
    assert "the watched run made other compiles: 1 unwatched, 2 watched" in in_words(found.notes[0])


def test_the_first_difference_is_named():
    mine, theirs = [again(1)], [again(1, "L['self'].beta")]
    found = with_writers(recording((), mine), recording((), theirs))
    assert "compile 0 is of Host.forward (recompiled) unwatched" in in_words(found.notes[0])


def test_the_phase_is_no_difference():
    watched = recording((), [again(1, phase=Phase.WARM_UP, writes=(WRITE,))])
    assert with_writers(recording((), [again(1)]), watched).compiles[0].writes == (WRITE,)


def test_a_watched_run_that_was_cut_lends_the_writers_of_its_compiles():
    mine = recording((), [again(1), again(2), again(3)])
    watched = recording((), [again(1, writes=(WRITE,))])
    found = with_writers(mine, watched, cut=True).compiles
    assert [compile_.writes for compile_ in found] == [(WRITE,), (), ()]
    assert with_writers(mine, watched).compiles[0].writes[0].location is None
    longer = recording((), [again(n, writes=(WRITE,)) for n in range(1, 5)])
    assert with_writers(mine, longer, cut=True).compiles[0].writes[0].location is None


def test_a_reason_stands_in_for_every_writer():
    found = without_writers(recording((), [again(1)]), told("it crashed"))
    assert [write.unknown for write in found.compiles[0].writes] == [told("it crashed")]
    assert in_words(*found.notes) == "Writers of guarded state are not named: it crashed."
