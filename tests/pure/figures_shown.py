"""A figure of each kind, and a page that shows them."""

from __future__ import annotations

from dataclasses import replace

from esper_audit.report.figures import (
    Card,
    Figure,
    GuardRow,
    GuardTable,
    HeatCell,
    HeatMap,
    Lane,
    Timeline,
)
from esper_audit.report.figures import Span as Bar
from esper_audit.report.sections import Code, Page, Section, Style, item, line, words

SOURCE = "def read(self):\n    if self.cached is None:\n\treturn self.value\n    return self.cached"
DIFF = "--- a/host.py\n+++ b/host.py\n@@ -1 +1 @@\n-self.alpha = 0.5\n+self.alpha = torch.ones(1)"


def heat_map(said: str = "rollout") -> HeatMap:
    limit = HeatCell(line("✗ limit after 6"), Style.BAD, 0.8, said)
    reused = HeatCell(line("✓ reused"), Style.GOOD)
    stale = HeatCell(line("✗ stale"), Style.WRONG, 1.0)
    skipped = HeatCell(line("– skipped"), Style.MUTED, 0.1)
    error = HeatCell(line("! error"), Style.DOUBTFUL, 0.5)
    recompiled = HeatCell(line(f"✗ 2 recompiles {said}"), Style.BAD, 0.2, said)
    rows = (("b", (limit, reused)), ("a", (stale, recompiled)), ("c", (skipped, error)))
    return HeatMap(
        line(f"2 of 3 recompiled: {said}"),
        said,
        ("lazy", said),
        tuple((line(f"{name} {said}"), cells) for name, cells in rows),
    )


def timeline(said: str = "rollout", spans: int = 12) -> Timeline:
    compiles = tuple(
        Bar(at, at + 0.4, line(f"compile {at} {said}"), Style.BAD if at else Style.NEW, said)
        for at in range(spans)
    )
    eager = Bar(spans / 2, spans, line(f"ran eagerly {said}"), Style.SLOW)
    marked = tuple(Bar(at, at + 1, line(f"alpha = 0.{at}"), Style.PLAIN) for at in range(spans))
    lanes = (Lane(f"compiles {said}", compiles), Lane("eager", (eager,)), Lane("alpha", marked))
    return Timeline(line(f"{spans} compiles: {said}"), said, lanes)


def guard_table(said: str = "rollout") -> GuardTable:
    varied = GuardRow(line(said), (line("== 0.5"), line(f"== {said}"), line()), varied=True)
    held = GuardRow(line("self.conv"), (line("type Conv2d"),) * 3, varied=False)
    return GuardTable(line(f"1 of 2 varied: {said}"), said, ("0", "1", said), (held, varied))


def card(said: str = "rollout") -> Card:
    proven = item(line(words("✓ proven", Style.GOOD), f": {said}"), "0 recompiles")
    return Card(
        said,
        line(words("float-specialized", Style.STRONG), f": {said}"),
        (item(line("value: 0.5 → ", words(said, Style.BAD))), item(f"written by {said}")),
        Code(f"{SOURCE}\n{said}", "python"),
        59,
        61,
        ((proven, Code(f"{DIFF}\n {said}", "diff")), (item("– not tried: warm-up"), None)),
    )


def figures(said: str = "rollout") -> tuple[Figure, ...]:
    """One of each kind, all about the same."""
    return heat_map(said), timeline(said), guard_table(said), card(said)


def pictured(page: Page, said: str = "rollout") -> Page:
    """The page, with a section of figures before its own."""
    section = Section(f"Figures of {said}", (), figures=figures(said))
    return replace(page, sections=(section, *page.sections))
