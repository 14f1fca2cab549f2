"""Whole pages with figures: bounded, steered by nobody, with links that lead somewhere."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import html_parts
import pytest
from builders import FRAME, audit, compiled, failure, judged
from drawn_pictures import drawn, figures
from hostile import HOSTILE
from report_builders import failing, report
from test_formats import DOCUMENTS
from test_program import limit, made
from test_program_report import WRITE
from test_program_report import report as program_report

from esper_audit.data.compiles import Outcome, Stance
from esper_audit.data.places import Location
from esper_audit.data.stages import Seconds, Stage
from esper_audit.data.verdicts import StepVerdict
from esper_audit.diagnosis import count
from esper_audit.report.build import page
from esper_audit.report.figures import HeatMap, Timeline
from esper_audit.report.formats import Format, render
from esper_audit.report.pictures.cards import MOST_CARDS
from esper_audit.report.pictures.clock import MOST_COMPILES
from esper_audit.report.pictures.guard_tables import MOST_FRAMES
from esper_audit.report.pictures.of_run import MOST_TIMELINES
from esper_audit.report.sections import Table

DOCUMENT = Path(__file__).parents[2] / "docs/how-to/look-at-a-page.md"


@pytest.mark.parametrize("name", DOCUMENTS)
def test_all_that_a_page_leads_to_is_on_it(name):
    text = render(DOCUMENTS[name], Format.HTML)
    parts = html_parts.check(text)
    inside = [link[1:] for link in parts.links if link.startswith("#")]
    assert inside and set(inside) <= set(parts.ids)


@pytest.mark.parametrize("name", DOCUMENTS)
def test_quiet_draws_nothing(name):
    assert not any(section.figures for section in drawn(DOCUMENTS[name], -1).sections)


@pytest.mark.parametrize("said", HOSTILE)
def test_no_name_of_a_figure_steers_who_reads_it(said):
    again = compiled(
        1,
        Outcome.RECOMPILED,
        label=said,
        frame=replace(FRAME, name=said),
        guard_failures=(failure("0/0", said, expected=said, actual=f"{said}2"),),
        writes=(replace(WRITE, source=said, location=Location(said, 3, said)),),
        stages=(Stage(said, 0.0, 0.1),),
    )
    first = compiled(0, id="0/0", frame=replace(FRAME, name=said))
    whole = program_report((first, again), stances=(Stance(said, None),))
    html_parts.check(render(whole, Format.HTML))
    steps = tuple(judged(n, StepVerdict.REUSED, label=said) for n in range(2))
    html_parts.check(render(report(audit(scenario=said, steps=steps)), Format.HTML))


def test_a_page_of_a_thousand_compiles_is_below_a_megabyte():
    frames = [replace(FRAME, name=f"Block{n}.forward", key=f"b.py:{n}") for n in range(200)]
    attempts = [
        compiled(
            n,
            Outcome.RECOMPILED if n >= 200 else Outcome.COMPILED,
            frame=frames[n % 200],
            id=f"{n % 200}/{n // 200}",
            at=n * 0.2,
            guard_failures=(failure(f"{n % 200}/0", actual=str(n)),) if n >= 200 else (),
        )
        for n in range(1000)
    ]
    text = render(program_report(attempts), Format.HTML)
    assert len(text.encode()) < 1_000_000
    assert "left out" in text


def test_a_run_of_many_audits_is_bounded_and_says_what_it_leaves_out():
    audits = [failing(f"scenario_{n}", 2, limit=False) for n in range(300)]
    document = report(*audits)
    assert len(figures(document, Timeline)) == 80
    text = render(document, Format.HTML)
    assert "steps of 220 more audits left out" in text and "100 more rows left out" in text
    assert len(text.encode()) < 1_500_000


def test_many_audits_that_passed_are_bounded_too():
    whole = report(*(audit(scenario=f"s{n}", parameters={}) for n in range(90)))
    assert "steps of 10 more audits left out" in render(whole, Format.HTML)


def test_counts_of_the_page_are_those_of_the_headline():
    document = program_report(made(2, runs=41))
    counts = count(document.audits[0].recording)
    headline = page(document, 1).headline[0].line.text
    assert f"{counts.compiles} compiles ({counts.recompiles} recompiles) in 0.3 s" in headline
    [found] = figures(document, HeatMap)
    [(_, cells)] = found.rows
    assert [cell.line.text for cell in cells[:4]] == ["3", "2", "40", "0.3"]
    costs = next(section for section in drawn(document).sections if section.anchor == "costs")
    assert costs.body[0].line.text.startswith("0.3 s of compiling")


def test_the_document_tells_the_bounds_of_a_page():
    said = DOCUMENT.read_text()
    bounds = (MOST_TIMELINES, "timelines"), (MOST_CARDS, "cards"), (MOST_FRAMES, "tables of guards")
    assert all(f"{most} {what}" in said for most, what in bounds)
    assert f"{MOST_COMPILES} compiles in a lane" in said


@pytest.mark.parametrize("name", DOCUMENTS)
def test_the_document_names_every_part_that_is_drawn(name):
    said = " ".join(DOCUMENT.read_text().split())
    told = page(DOCUMENTS[name], 1).sections
    own = [section for section in drawn(DOCUMENTS[name]).sections if section not in told]
    titles = {section.title.split(" after ")[0].partition(": ")[0] for section in own}
    assert {title for title in titles if title not in said} == set()


RECORDINGS = {
    "one compile": made(),
    "recompiles": made(3),
    "at the limit": [*made(3), limit()],
    "two causes of one": [
        *made(1),
        compiled(
            5,
            Outcome.RECOMPILED,
            guard_failures=(failure(), failure(source="self.mode", actual="'b'", expected="'a'")),
        ),
    ],
    "equal compiles, counted": [*made(), replace(made(1)[1], count=40, seconds=Seconds(4.0))],
    "a failed compile": [*made(1), compiled(7, Outcome.FAILED, reason="Oops: no")],
    "two frames": [*made(2), compiled(8, frame=replace(FRAME, name="g", key="g"))],
}


@pytest.mark.parametrize("name", RECORDINGS)
def test_every_sum_of_a_page_is_that_of_the_headline(name):
    document = program_report(RECORDINGS[name])
    counts = count(document.audits[0].recording)
    seconds = sum(one.seconds.total for one in RECORDINGS[name])
    [found] = figures(document, HeatMap)
    cells = [[cell.line.text for cell in cells] for _, cells in found.rows]
    assert sum(int(row[0]) for row in cells) == counts.compiles
    assert sum(int(row[1]) for row in cells) == counts.recompiles
    costs = next(section for section in drawn(document).sections if section.anchor == "costs")
    assert f"in {seconds:.1f} s" in page(document, 1).headline[0].line.text
    tables = [block for block in costs.body if isinstance(block, Table)]
    assert tables
    assert all(table.rows[-1][1].text == f"{seconds:.1f}" for table in tables)
