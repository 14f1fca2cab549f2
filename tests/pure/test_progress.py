"""How far a run is: one line of a terminal, and elsewhere a line at times."""

from __future__ import annotations

import io
import re
import time

import pytest
from rich.cells import cell_len
from rich.console import Console

from esper_audit.cli.progress import LiveProgress

LONG = frozenset(
    {"alpha_at_epoch_boundaries[lazy_cache-host-conv]", "ppo_rollout_\x1b[2J" + "漢" * 40}
)
_CODE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


@pytest.fixture
def watch():
    """Follows a run of three audits to its middle, on a stderr of this kind."""

    def run(seconds=0.0, every=20.0, **kind):
        stream = io.StringIO()
        console = Console(file=stream, **kind)
        with LiveProgress(console, every) as progress:
            progress.planned([None, None, None])  # type: ignore[list-item]
            progress.running(LONG)
            progress.finished(None)  # type: ignore[arg-type]
            time.sleep(seconds)
            progress._progress.refresh()
        return stream.getvalue()

    return run


@pytest.mark.parametrize("width", [40, 80, 200])
def test_progress_takes_one_line_of_a_terminal(watch, width):
    drawn = watch(width=width, force_terminal=True, force_interactive=True)
    lines = [line for line in re.split(r"[\r\n]", _CODE.sub("", drawn)) if line.strip()]
    assert any("replaying" in line and "1/3" in line for line in lines)
    assert max(map(cell_len, lines)) <= width
    assert "\x1b[1A" not in drawn.rpartition("1/3")[0], "it moved up: it had taken two lines"


def test_a_run_that_is_piped_says_now_and_then_how_far_it_is(watch):
    lines = watch(0.35, every=0.1).splitlines()
    assert 2 <= len(lines) <= 4
    said = re.compile(
        r"esper-audit: 0 s: replaying 1 of 3 \(alpha_at_epoch_boundaries\[.*, ppo_.*\)"
    )
    assert all(said.fullmatch(line) for line in lines)
    assert "\x1b" not in "".join(lines)


def test_a_short_run_that_is_piped_says_nothing(watch):
    assert watch() == ""
