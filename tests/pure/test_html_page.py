"""A page of HTML: its own markup alone, whatever it holds, and all that a text format says."""

from __future__ import annotations

import re
from base64 import b64decode
from dataclasses import replace
from hashlib import sha256
from itertools import pairwise
from typing import Any

import html_parts
import pytest
from builders import program_audit
from figures_shown import DIFF, card, figures, pictured
from hostile import CONTROL, HOSTILE
from report_builders import failing, report
from test_clean import hostile
from test_formats import DOCUMENTS

from esper_audit.data.audits import ProgramReport
from esper_audit.data.clean import clean
from esper_audit.data.logs import LogSource
from esper_audit.report.build import page
from esper_audit.report.export import export_report
from esper_audit.report.formats import Format, render
from esper_audit.report.html.addresses import Addresses
from esper_audit.report.html.document import html
from esper_audit.report.html.figures import heat_step
from esper_audit.report.html.markup import Markup, tag, text
from esper_audit.report.pictures import with_figures
from esper_audit.report.sections import (
    Closing,
    Next,
    Page,
    Section,
    Style,
    Table,
    item,
    line,
    words,
)

RUN = DOCUMENTS["run"]
HEADLINE = (item("Yes."),)


def shown(*sections: Section, **fields: Any) -> html_parts.Parts:
    return html_parts.check(html(Page(HEADLINE, sections, **fields), RUN))


@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_page_says_what_the_terminal_says(name):
    parts = html_parts.check(render(DOCUMENTS[name], Format.HTML))
    said = parts.text
    for section in page(DOCUMENTS[name], 1).sections:
        assert section.title in said
        assert all(note.text in said for note in section.notes)
        rows = [row for block in section.body for row in getattr(block, "rows", ())]
        assert all(cell.text in said for row in rows for cell in row)


@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_page_answers_first_and_ends_with_the_commands(name):
    made = with_figures(DOCUMENTS[name], page(DOCUMENTS[name], 1), 1)
    parts = html_parts.check(render(DOCUMENTS[name], Format.HTML))
    assert parts.headings[0].endswith(made.headline[0].line.text)
    assert parts.headings[1:] == [
        *(section.title for section in made.sections),
        *(["Next"] if made.closing.about or made.closing.commands else []),
    ]
    places = [parts.text.rindex(following.command) for following in made.closing.commands]
    assert places == sorted(places)
    assert all(parts.text.rindex(title) < place for title in parts.headings for place in places)


def test_quiet_leaves_the_answer_alone():
    parts = html_parts.check(render(RUN, Format.HTML, -1))
    assert "h1" in parts.tags and "table" not in parts.tags


def test_an_export_is_the_same_page():
    assert export_report(RUN, ".html", 100) == render(RUN, Format.HTML)


@pytest.mark.parametrize("said", HOSTILE)
def test_no_name_becomes_markup_a_script_or_a_link(said):
    made = html(pictured(page(hostile(said), 1), said), hostile(said))
    parts = html_parts.check(made)
    assert not CONTROL.search(made)
    assert clean(said) in parts.text
    assert not [link for link in parts.links if not link.startswith("#")]


@pytest.mark.parametrize("evil", ["<i>", '<a href="javascript:x">', "<script>x</script>", "<!--"])
def test_the_check_of_parts_can_fail(evil):
    with pytest.raises(AssertionError):
        html_parts.check(render(RUN, Format.HTML).replace("</main>", f"{evil}</main>"))


@pytest.mark.parametrize(
    ("target", "address"),
    [
        ("known", "#known"),
        ("#known", "#known"),
        ("https://docs.example/a?b=1#c", "https://docs.example/a?b=1#c"),
        ("file:///p/slot.py#49", "file:///p/slot.py#49"),
        ("tl_out/index.html#x", "tl_out/index.html#x"),
        ("../rank_0/index.html", "../rank_0/index.html"),
        ("javascript:alert(1)", None),
        ("JavaScript:alert(1)", None),
        (" javascript:alert(1)", None),
        ("data:text/html,x", None),
        ("http://evil.example", None),
        ("//evil.example/x", None),
        ("\\\\evil.example\\x", None),
        ("/etc/passwd", None),
        ("a b", None),
        ("https://a\nb", None),
        ("#unknown", None),
        ("", None),
    ],
)
def test_words_lead_into_the_page_to_files_and_to_the_web_alone(target, address):
    known = Section("Known", (item("x"),), anchor="known")
    assert Addresses(Page((), (known,))).to(target) == address
    led = Section("Led", (item(line(words("there", to=target))),))
    links = shown(known, led).links
    assert [link for link in links if link not in ("#content", "#known", "#led")] == (
        [address] if address not in (None, "#known") else []
    )


def test_two_of_a_name_have_an_id_each_and_links_lead_to_the_first():
    twice = Section("Same title", (), figures=(card("same"), card("same")))
    parts = shown(twice, replace(twice, anchor="same"))
    assert {"same-title", "same", "same-2"} <= set(parts.ids)


def test_a_page_has_one_heading_of_the_first_level_and_skips_none():
    made = html(pictured(page(RUN, 1)), RUN)
    levels = [int(level) for level in re.findall(r"<h(\d)", made)]
    assert levels.count(1) == 1 and levels[0] == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))


def test_the_policy_names_the_only_style_and_script():
    made = render(RUN, Format.HTML)
    parts = html_parts.check(made)
    policy = re.search(r'Content-Security-Policy content="([^"]*)"', made)
    assert policy is not None
    assert policy[1].startswith("default-src &#x27;none&#x27;;")
    digests = {b64decode(found) for found in re.findall(r"sha256-([\w+/=]+)", policy[1])}
    assert digests == {sha256(content.encode()).digest() for _, content in parts.code}


def test_no_style_and_no_script_names_another_file():
    parts = html_parts.check(html(pictured(page(RUN, 1)), RUN))
    for _, content in parts.code:
        assert not re.search(r"@import|url\(|https?://|fetch\(|import\(|innerHTML|eval\(", content)


def test_a_figure_is_told_in_words_and_as_a_table():
    section = Section("Pictures", (), figures=figures("alpha"))
    parts = shown(section)
    assert parts.tags.count("figcaption") == 3
    assert parts.tags.count("table") == 4, "a heat map, a timeline, guards that varied and held"
    for said in ("2 of 3 recompiled: alpha", "12 compiles: alpha", "compile 11 alpha", "7.4"):
        assert said in parts.text


def test_a_card_marks_its_line_and_shows_the_diff_as_it_is():
    made = html(Page(HEADLINE, (Section("Causes", (), figures=(card(),)),)), RUN)
    assert "<span data-n=60>    if self.cached is None:</span>\n<mark data-n=61>" in made
    assert "<mark data-n=61>&#9;return self.value</mark>" in made
    assert "<span class=del>-self.alpha = 0.5</span>" in made
    assert DIFF in html_parts.check(made).text


def test_guards_that_varied_come_first_and_those_that_held_are_folded():
    said = shown(Section("Guards", (), figures=(figures("alpha")[2],))).text
    assert said.index("== 0.5") < said.index("1 guard held") < said.index("type Conv2d")


@pytest.mark.parametrize(
    ("heat", "step"),
    [(0, 0), (0.001, 1), (0.5, 4), (1, 9), (7, 9), (-1, 0), (float("nan"), 0), (float("inf"), 0)],
)
def test_heat_has_nine_steps_and_none_for_no_heat(heat, step):
    assert heat_step(heat) == step


def test_many_lines_under_an_item_are_folded():
    few, many = (item("head", *map(str, range(count))) for count in (10, 11))
    assert "details" not in shown(Section("Steps", (few,))).tags
    assert shown(Section("Steps", (many,))).tags.count("details") == 1


def test_a_page_of_a_thousand_compiles_is_under_a_megabyte():
    whole = report(*(failing(f"scenario_{n}", count=7) for n in range(125)))
    assert sum(len(audit.recording.compiles) for audit in whole.audits) == 1000
    made = render(whole, Format.HTML)
    assert html_parts.check(made).tags.count("section") > 5
    assert len(made.encode()) < 1_000_000


def test_rows_that_sum_up_stay_below_what_is_sorted():
    strong, muted = (
        (line(words(f"{style}", style)), line(words("9", style)))
        for style in (Style.STRONG, Style.MUTED)
    )
    rows = ((line("b"), line("2")), strong, (line("a"), line("1")), muted, strong)
    made = html(Page(HEADLINE, (Section("Costs", (Table(rows, ("frame", "s")),)),)), RUN)
    assert made.index("<tfoot>") > made.index(">a<")
    assert made[made.index("<tfoot>") :].count("<tr>") == 2
    assert "<tfoot>" not in html(Page(HEADLINE, (Section("Costs", (Table(rows),)),)), RUN)


def test_a_column_without_a_name_heads_nothing():
    rows = ((line("a"), line("1")),)
    made = html(Page(HEADLINE, (Section("Costs", (Table(rows, ("", "s")),)),)), RUN)
    assert "<tr><td></td><th scope=col>s</th></tr>" in made


def test_commands_follow_what_they_are_for():
    closing = Closing(lead="First:", command="a 'b'", then=Next("Then:", "c && d"))
    said = shown(closing=closing).text
    assert said.index("First:") < said.index("a 'b'") < said.index("Then:") < said.index("c && d")


def test_a_page_is_titled_by_the_command_that_made_it():
    titles = {name: render(DOCUMENTS[name], Format.HTML) for name in ("run", "program", "fix")}
    assert [re.findall("esper-audit <b>(.*?)</b>", made) for made in titles.values()] == [
        ["run"],
        ["exec"],
        ["fix"],
    ]
    imported = program_audit(trace_log=LogSource(files=("/logs/rank_0.log",)))
    assert "esper-audit <b>import</b>" in render(
        ProgramReport(root="/p", audits=(imported,)), Format.HTML
    )


def test_an_answer_is_marked_by_more_than_its_colour():
    said = item(line("It failed.", style=Style.BAD))
    assert "✗ It failed." in html_parts.check(html(Page((said,)), RUN)).text


def test_attributes_are_quoted_where_they_must_be():
    assert tag("p", "x", title="a b") == '<p title="a b">x</p>'
    assert tag("p", "<", title="\">'") == '<p title="&quot;&gt;&#x27;">&lt;</p>'
    assert tag("p", hidden=True, class_="", open=False) == "<p hidden></p>"
    assert text(Markup("<b>")) == "<b>"
