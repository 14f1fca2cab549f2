"""The committed ticket is true to the code of today; `tests/live/test_suite.py` holds the rest."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from esper_audit.data.config import load_config
from esper_audit.data.tickets import load_points
from esper_audit.source.cached import cached
from esper_audit.source.classes import classes_of
from esper_audit.source.invalidation import invalidations, project_around

ROOT = Path(__file__).parents[2]
TICKET = ROOT / "docs/tickets/B3-PT-06.md"
TEXT = TICKET.read_text()
POINTS = load_points(TICKET.with_suffix(".toml"))


def test_the_lines_that_it_quotes_are_todays():
    (file, first, last), *rest = re.findall(r"^# (\S+\.py):(\d+)-(\d+)$", TEXT, re.MULTILINE)
    assert not rest
    lines = (ROOT / file).read_text().splitlines()
    for number in range(int(first), int(last) + 1):
        assert f"\n{f'{number}  {lines[number - 1]}'.rstrip()}\n" in TEXT


def test_it_lists_every_line_that_invalidates_the_cache():
    scenarios = [str(path) for path in Path(load_config(ROOT).paths[0]).glob("*.py")]
    project = project_around(str(ROOT), str(ROOT / "slot/strategies.py"), scenarios)
    (made,) = classes_of(project).named(POINTS.subject.name)
    found = invalidations(project, cached(project, made, POINTS.subject.attribute))
    listed = re.findall(r"^\| `(slot/\S+):(\d+)` \| [a-z ]+ `(\w+)`", TEXT, re.MULTILINE)
    assert listed == [
        (str(Path(one.location.file).relative_to(ROOT)), str(one.location.line), one.attribute)
        for one in found
    ]


def test_the_patch_that_it_recommends_applies_to_the_code():
    diffs = re.findall(r"^```diff\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
    assert diffs
    for diff in diffs:
        done = subprocess.run(
            ["git", "apply", "--check", "-"], cwd=ROOT, input=diff, text=True, capture_output=True
        )
        assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("point", [*POINTS.claims, *POINTS.boxes], ids=lambda point: point.said)
def test_each_point_stands_in_it(point):
    said = re.sub(r"\W+", "", point.said)
    assert said in re.sub(r"\W+", "", TEXT)


def test_the_three_reviews_are_answered():
    assert len(POINTS.reviews) == 3
    for review in POINTS.reviews:
        assert f"## Cross-Review: {review.reviewer}\n" in TEXT
        assert review.points
