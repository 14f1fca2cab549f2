"""The view of a watch fits every terminal, shows what matters first, and steers none."""

from __future__ import annotations

import io
import json

import pytest
from builders import FRAME, OTHER, compiled, failure, recording
from rich.cells import cell_len
from rich.console import Console

from esper_audit.data.compiles import Outcome, RunsAfter
from esper_audit.data.places import Frame
from esper_audit.data.recording import Program
from esper_audit.data.stages import Seconds
from esper_audit.data.steps import Lookups
from esper_audit.program.heard import Heard, Life
from esper_audit.program.watching import Kind, WatchState
from esper_audit.report.watch import WatchView, closing_lines, event_lines, plain_lines, rows

SIZES = [(80, 24), (100, 30), (140, 50), (40, 10), (20, 3), (40, 1)]


def again(number, frame=FRAME, **fields):
    made = failure(actual=f"0.{number}", torch_source="L['self'].alpha")
    defaults = {"guard_failures": (made,), "recompiles_left": 7 - number, "id": f"0/{number}"}
    return compiled(number, Outcome.RECOMPILED, frame=frame, **{**defaults, **fields})


def heard(*compiles, rank=None, size=None, argv=("train.py",), life=Life.RUNNING, lost=0):
    found = Heard(lost=lost)
    found.begin(recording(program=Program(argv=argv, rank=rank, world_size=size)))
    for event in compiles:
        found.add(event, Lookups(3, 1))
    return found.state(f"rank-{rank}.json", life, read=True, runs=1, pid=77)


def state(*processes, **fields):
    return WatchState(kind=Kind.FILE, name="r.json", processes=processes, **fields)


STORM = (compiled(0), *(again(n) for n in range(1, 6)))
HOSTILE = Frame(
    "\x1b[31mred\x1b]8;;http://x\x07" + "w" * 200, "/p/漢字.py", 7, "k\n::error::x", "x"
)
STATES = {
    "waiting": state(),
    "one": state(heard(*STORM)),
    "died": state(heard(*STORM, life=Life.DIED, lost=3)),
    "hostile": state(heard(compiled(0, frame=HOSTILE), again(1, HOSTILE), argv=("漢字" * 60,))),
    "ranks": state(
        *(heard(*STORM[: 3 + (n == 7)], rank=n, size=66) for n in range(64)), missing=("64 to 65",)
    ),
    "frames": state(
        heard(*(compiled(n, frame=Frame(f"f{n}", "/p/a.py", n, f"a:f{n}", "f")) for n in range(90)))
    ),
}


def drawn(shown, width, height, **options):
    stream = io.StringIO()
    Console(file=stream, width=width, height=height, force_terminal=True, **options).print(
        WatchView(shown)
    )
    return stream.getvalue()


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("name", STATES)
def test_a_view_fits_the_terminal(name, size):
    width, height = size
    found = rows(STATES[name], width, height)
    assert 0 < len(found) <= height
    assert max(cell_len(row.text) for row in found) <= width
    printed = drawn(STATES[name], width, height).splitlines()
    assert len(printed) == len(found)


@pytest.mark.parametrize("name", STATES)
def test_what_a_program_says_steers_no_terminal(name):
    assert "\x1b" not in drawn(STATES[name], 100, 40, color_system=None, no_color=True)
    assert "\x1b" not in "\n".join(plain_lines(STATES[name]))


def text(shown, width=100, height=40):
    return "\n".join(row.text for row in rows(shown, width, height))


def test_a_view_shows_the_last_cause_and_the_forecast():
    found = text(STATES["one"])
    assert "float-specialized: self.alpha in Host.forward: 0.5 -> 0.1, 0.2" in found
    assert "2 more values at 0.1 s each (0.2 s) until the recompile limit" in found
    assert "limit in 2 values" in found
    assert "6 compiles (5 recompiles); 0.6 s spent compiling (0.5 s in recompiles)" in found


def test_the_smallest_view_keeps_the_answer_and_the_cause():
    found = text(STATES["one"], 40, 10)
    assert "running" in found
    assert "5 recompiles" in found
    assert "self.alpha" in found


def test_frames_near_their_limit_come_first():
    many = [compiled(0, frame=OTHER, seconds=Seconds(9.0))]
    found = text(state(heard(*STORM, *many)))
    assert found.index("Host.forward  ") < found.index("helper  ")


def test_a_frame_at_its_limit_says_what_it_does_now():
    limit = compiled(
        6,
        Outcome.LIMIT,
        guard_failures=(failure(),),
        limit="recompile_limit",
        runs_after=RunsAfter.CACHED_ONLY,
    )
    found = text(state(heard(*STORM, limit)))
    assert "the recompile limit was hit: now cached-only" in found


def test_many_ranks_are_classes_and_no_row_for_each():
    found = text(STATES["ranks"], 140, 60)
    assert len(found.splitlines()) < 40
    assert "64 processes: 64 running" in found
    assert "ranks 0 to 6, 8 to 63" in found
    assert "rank 7" in found and "differs in Host.forward" in found
    assert "nothing was seen of rank 64 to 65" in found


def test_a_thousand_ranks_make_no_longer_view():
    many = state(*(heard(*STORM[: 1 + n % 5], rank=n, size=1000) for n in range(1000)))
    assert len(plain_lines(many)) < 100


def test_a_death_and_lost_lines_are_said():
    found = text(STATES["died"])
    assert "died before it could save" in found
    assert "3 lines can't be read" in found


def test_the_end_names_what_the_program_did():
    assert closing_lines(STATES["one"])[0].startswith("6 compiles (5 recompiles)")


def test_an_event_is_one_line_whatever_its_names_hold():
    found = Heard()
    found.begin(recording())
    found.add(compiled(0, frame=HOSTILE), Lookups())
    process = found.state("r", Life.RUNNING, read=True, runs=1)
    [line] = event_lines([(process, one) for one in found.news()])
    assert line.isprintable()
    assert json.dumps(line)
