"""Remedies that look like one and are none, and one that is, tried for real on one scenario."""

from __future__ import annotations

from typing import Any, cast

import pytest
from support import CASES

from esper_audit.data.jobs import Job
from esper_audit.data.recording import UNKNOWN
from esper_audit.data.remedies import (
    Edit,
    Ground,
    Lever,
    LeverKind,
    Reach,
    Remedy,
    RemedyState,
    Trial,
)
from esper_audit.diagnosis import judge
from esper_audit.fixing import Case, Trials
from esper_audit.remedies.candidates import Candidates, causes_of
from esper_audit.remedies.search import Search
from esper_audit.replay.pool import open_pool

FILE = CASES / "remedied.py"
NUMBER = "        self.scale = 0.5\n"
READ = "self.scale)\n"
WRITE = "        self.scale = value\n"
BUFFER = '        self.register_buffer("scale", torch.tensor(0.5), persistent=False)\n'


class Silent:
    def __getattr__(self, name: str) -> Any:
        return lambda *_: None


def patched(*pairs: tuple[str, str]) -> Edit:
    before = after = FILE.read_text()
    for old, new in pairs:
        assert before.count(old) == 1
        after = after.replace(old, new)
    return Edit(file=str(FILE), before=before, after=after)


@pytest.fixture(scope="module")
def trials() -> dict[str, Trial]:
    """What became of each remedy, and of the best one under the name "best"."""
    job = Job(scenario="scale_set", file=str(FILE), root=str(CASES))
    with open_pool(2) as pool:
        (replay,) = pool.replay([job])
        before = judge(replay, UNKNOWN)
        (cause,) = causes_of(before)

        def remedy(name: str, *edits: Edit, **fields: Any) -> Remedy:
            return Remedy(id=name, covers=(cause,), reach=Reach.SOURCE, edits=edits, **fields)

        dropped = Lever(kind=LeverKind.DROP_GUARD, value=repr(cause.torch_source))
        in_place = (WRITE, "        self.scale.fill_(value)\n")
        once = "        self.cached = torch.tensor(self.scale)\n"
        remedies = (
            remedy("guard dropped", levers=(dropped,), unsafe=True),
            remedy("buffer", patched((NUMBER, BUFFER), in_place)),
            remedy("kept once", patched((READ, "self.cached)\n"), (NUMBER, NUMBER + once))),
            remedy("broken", patched((NUMBER, BUFFER), (READ, "self.scael)\n"))),
        )
        search = Search(before, lambda *_: Candidates(remedies), all_=True)
        run = Trials(pool, cast("Any", Silent()), UNKNOWN, provenance=False)
        run.run([Case(job, search)])
    fix = search.fix(str(CASES))
    found = {trial.id: trial for trial in fix.trials}
    return found | ({"best": fix.trials[fix.best]} if fix.best is not None else {})


def because(trial: Trial) -> Ground | None:
    return trial.because.ground if trial.because is not None else None


def test_a_dropped_guard_hides_that_output_is_stale(trials):
    found = trials["guard dropped"]
    assert (found.state, because(found)) == (RemedyState.HIDES, Ground.STALE)
    assert found.compiles == 0


def test_a_cache_that_nothing_invalidates_hides_that_output_is_stale(trials):
    # Patched, compiled code equals eager code: both keep the first number.
    found = trials["kept once"]
    assert (found.state, because(found)) == (RemedyState.HIDES, Ground.STALE)
    assert found.compiles == 0


def test_a_patch_that_does_not_run_breaks(trials):
    found = trials["broken"]
    assert (found.state, because(found)) == (RemedyState.BREAKS, Ground.RAISED)


def test_a_buffer_that_is_written_in_place_is_proven(trials):
    assert trials["best"].id == "buffer"
    assert trials["best"].state is RemedyState.PROVEN
    assert trials["best"].gain.seconds_per_event > 0
