"""Timelines as SVG: what is drawn, where, and how much of it."""

from __future__ import annotations

from dataclasses import replace

import html_parts
import pytest
from figures_shown import timeline as one
from test_formats import DOCUMENTS

from esper_audit.report.figures import Lane, Span, Timeline
from esper_audit.report.html.document import html
from esper_audit.report.html.timeline import Axis, fitted, merged
from esper_audit.report.sections import Page, Section, Style, item, line

AXIS = Axis(0, 1000)


def span(began: float, ended: float, style: Style = Style.NEW) -> Span:
    return Span(began, ended, line(f"{began}"), style)


def shown(*spans: Span) -> str:
    found = Timeline(line("all"), "s", (Lane("compiles", spans),))
    return html(Page((item("Yes."),), (Section("Time", (), figures=(found,)),)), DOCUMENTS["run"])


@pytest.mark.parametrize(
    ("began", "ended", "ticks"),
    [
        (0, 10, [0, 2, 4, 6, 8, 10]),
        (0, 7, [0, 1, 2, 3, 4, 5, 6, 7]),
        (0.5, 0.9, [0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9]),
        (3, 3, [3]),
        (-1e308, 1e308, [-1e308]),
        (0, 5e-324, [0]),
    ],
)
def test_an_axis_has_round_marks(began, ended, ticks):
    assert Axis(began, ended).ticks() == pytest.approx(ticks)


def test_an_axis_of_any_length_has_few_marks():
    for power in range(-11, 99):
        for factor in (1, 1.3, 3.7, 9.99):
            assert 2 <= len(Axis(0, factor * 10.0**power).ticks()) <= 16


@pytest.mark.parametrize(("moment", "at"), [(-5, 0), (0, 0), (250, 25), (1000, 100), (2000, 100)])
def test_a_moment_has_its_place_in_the_width(moment, at):
    assert AXIS.at(moment) == at


def test_slim_neighbours_of_a_style_are_drawn_as_one_and_nothing_else_is():
    near = [span(at, at + 0.4) for at in range(5)]
    [(whole, count)] = merged([span(at, at + 1) for at in range(5)], AXIS)
    assert (whole.began, whole.ended, count) == (0, 5, 5)
    assert len(list(merged(near, AXIS))) == 5, "there is room between them"
    wide = [span(0, 100), span(100, 100.5), span(100.5, 101)]
    assert [count for _, count in merged(wide, AXIS)] == [1, 2]
    mixed = [span(0, 1), span(1, 2, Style.BAD), span(2, 3)]
    assert len(list(merged(mixed, AXIS))) == 3


def test_what_is_drawn_as_one_says_so_and_its_table_has_every_row():
    made = shown(*(span(at, at + 1) for at in range(1500)))
    parts = html_parts.check(made)
    assert "0–1,500: 0 and 1,499 more" in parts.text
    assert parts.tags.count("rect") == 1
    assert parts.tags.count("tr") == 1501


def test_a_table_that_would_be_endless_says_what_it_leaves_out():
    assert (
        "1,000 more are in the JSON"
        in html_parts.check(shown(*(span(at, at + 1) for at in range(3000)))).text
    )


def test_recompiles_are_drawn_above_what_would_cover_them():
    made = shown(span(1, 2, Style.BAD), span(0, 100))
    assert made.index("class=new") < made.index("class=bad")


@pytest.mark.parametrize("odd", [float("nan"), float("inf"), -float("inf")])
def test_a_moment_that_is_no_number_is_in_the_table_alone(odd):
    parts = html_parts.check(shown(span(odd, 1), span(0, 1)))
    assert parts.tags.count("rect") == 1
    assert "unknown" in parts.text
    assert html_parts.check(shown(span(odd, odd))).tags.count("svg") == 0


def test_a_timeline_without_spans_is_an_empty_table():
    assert html_parts.check(shown()).tags.count("svg") == 0


def test_the_keyboard_and_screen_readers_go_to_the_table_of_a_timeline():
    found = Section("Time", (item("x"),), figures=(one("time"),), anchor="time")
    made = html(Page((item("Yes."),), (found,)), DOCUMENTS["run"])
    drawing = made[made.index("<div class=timeline") : made.index("As a table")]
    assert "aria-hidden=true" in drawing
    assert drawing.count("<a ") == drawing.count("tabindex=-1") > 0


def test_a_folded_timeline_shows_its_summary_and_unfolds_for_a_link():
    found = replace(one("time"), folded=True, anchor="steps-of-a")
    made = html(Page((item("Yes."),), (Section("Time", (), figures=(found,)),)), DOCUMENTS["run"])
    html_parts.check(made)
    summary, _, rest = made[made.index("<details><summary>") :].partition("</summary>")
    assert found.summary.text in summary
    assert rest.startswith("<figure id=")
    assert rest.index("class=timeline") < rest.index("</details>")


@pytest.mark.parametrize(
    ("words", "percent", "shown"),
    [
        ("R recompiled, step 3", 4.8, "R"),
        ("R recompiled, step 3", 20, "R recompiled, step 3"),
        ("· reused, steps 4 to 9", 8, "· reused"),
        ("0.421858", 4, "0.421858"),
        ("set_alpha(0.1)", 4, "set_alpha(0.1"),
        ("", 5, ""),
    ],
)
def test_a_narrow_span_shows_whole_words_where_a_first_one_fits(words, percent, shown):
    assert fitted(words, percent) == shown
