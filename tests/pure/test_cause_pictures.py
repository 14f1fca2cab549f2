"""Tables of guards and cause cards: what varied, who wrote it, the lines of the user."""

from __future__ import annotations

from dataclasses import replace

import html_parts
import pytest
from builders import compiled, failure
from drawn_pictures import RUN, figures
from fix_builders import HOPELESS, fix, fix_report
from report_builders import failing, report
from test_program import limit, made
from test_program_report import WRITE
from test_program_report import report as program_report

from esper_audit.data.compiles import Outcome
from esper_audit.data.logs import LogSource
from esper_audit.data.places import Frame, Location
from esper_audit.report.figures import Card, GuardTable, HeatMap, Timeline
from esper_audit.report.formats import Format, render

# --- guards by cache entries ---


def table_of(*compiles):
    [found] = figures(program_report(compiles), GuardTable)
    return found, {row.source.text: [cell.text for cell in row.wanted] for row in found.rows}


FIRST = compiled(0, id="0/0", guard_count=9)
SECOND = compiled(1, Outcome.RECOMPILED, id="0/1", guard_failures=(failure(actual="0.6"),))
THIRD = compiled(
    2,
    Outcome.RECOMPILED,
    id="0/2",
    guard_failures=(
        failure("0/0", actual="0.7"),
        failure("0/1", expected="0.6", actual="0.7"),
        failure("0/1", "self.mode", expected="'a'", actual="'b'"),
    ),
)


def test_a_guard_tells_what_each_entry_wants_and_what_came_for_the_last():
    found, rows = table_of(FIRST, SECOND, THIRD)
    assert found.entries == ("0/0", "0/1", "0/2")
    assert rows == {"self.alpha": ["0.5", "0.6", "0.7"], "self.mode": ["", "'a'", "'b'"]}
    assert "2 guards failed, over 3 cache entries" in found.summary.text
    assert "other 7 guards of an entry were not seen to fail" in found.summary.text


def test_entries_of_before_a_reset_want_nothing_of_what_came_after_it():
    anew = replace(FIRST, sequence=2)
    after = replace(SECOND, sequence=3, guard_failures=(failure(expected="0.1", actual="0.2"),))
    found, rows = table_of(FIRST, SECOND, anew, after)
    assert found.entries == ("0/0", "0/1", "0/0 (2)", "0/1 (2)")
    assert rows == {"self.alpha": ["0.5", "0.6", "0.1", "0.2"]}


def test_an_attempt_that_made_no_entry_has_a_column_that_says_so():
    found, _ = table_of(*made(1), limit())
    assert found.entries[-1] == "0/9 not made"
    assert "2 cache entries" in found.summary.text


def test_a_frame_without_a_failing_guard_has_no_table():
    assert figures(program_report((FIRST,)), GuardTable) == []


# --- cards ---


@pytest.fixture
def written(tmp_path):
    """A project with the file that guards, and a program's report on it."""
    path = tmp_path / "slot.py"
    path.write_text("".join(f"line_{n}\n" for n in range(1, 100)))
    line = Location(str(path), 61, "read")

    def made_of(**fields):
        found = failure(actual="0.6", user_line=line)
        again = compiled(1, Outcome.RECOMPILED, guard_failures=(found,), writes=(WRITE,))
        return program_report((FIRST, again), root=str(tmp_path), watched=True, **fields)

    return made_of


def card_of(document):
    [found] = figures(document, Card)[:1]
    return found, [fact.line.text for fact in found.facts]


def test_a_card_shows_the_line_its_writer_and_what_helps(written):
    found, facts = card_of(written())
    assert found.code is not None
    assert found.code.text.split("\n")[found.marked - found.first] == "line_61"
    assert "written by Slot.set_alpha (/p/slot.py:120), called from /p/train.py:88 in main" in facts
    assert any(fact.startswith("single: 1 recompile") for fact in facts)
    assert any(fact.startswith("try: keep it in a tensor") for fact in facts)
    assert found.title.spans[0].to == "about-float-specialized"


def test_a_file_that_was_changed_since_the_recording_is_told_on_the_card(written):
    assert any(
        "was changed after the recording" in fact for fact in card_of(written(began_at=1.0))[1]
    )
    later = card_of(written(began_at=4e9))[1]
    assert not any("changed after" in fact for fact in later)


def test_a_card_without_its_file_says_so():
    found, facts = card_of(RUN)
    assert found.code is None
    assert "slot.py:61 in read: its lines are not shown: the file is not on this machine" in facts


def test_values_are_told_in_their_order():
    facts = card_of(report(failing(count=3, limit=False)))[1]
    assert "values as they came, each once: 0.5 -> 0.1 -> 0.2 -> 0.3" in facts


def test_values_of_several_audits_are_told_in_no_order():
    two = report(failing("a", 3, limit=False), failing("b", 4, limit=False))
    facts = card_of(two)[1]
    assert "all values: 0.5 -> 0.1, 0.2, 0.3, 0.4" in facts
    assert not any("as they came" in fact for fact in facts)


def test_each_case_of_remedies_has_a_card_with_all_that_was_tried():
    document = fix_report(fix(), HOPELESS)
    first, second = [card for card in figures(document, Card) if card.anchor.startswith("case")]
    states = [told.line.text.rpartition(": ")[2] for told, _ in first.remedies]
    assert states[0] == "proven" and first.remedies[0][1].language == "diff"
    assert len(first.remedies) == 5 and len(second.remedies) == 2
    [found] = figures(document, HeatMap)
    assert found.rows[0][1][0].line.text == "★ proven"
    assert found.rows[0][1][0].to == "case-1"
    assert "1 of 2 failed cases has a proven remedy" in found.summary.text


def test_a_line_of_ones_own_is_shown_before_one_of_a_library(tmp_path):
    path = tmp_path / "train.py"
    path.write_text("".join(f"own_{n}\n" for n in range(1, 20)))
    library = Location("/usr/lib/python3/site-packages/torch/nn/linear.py", 134, "forward")
    call = Location(str(path), 9, "main")
    found = failure(actual="0.6", user_line=library)
    again = compiled(1, Outcome.RECOMPILED, guard_failures=(found,), stack=(call,))
    card, _ = card_of(program_report((FIRST, again), root=str(tmp_path)))
    assert card.code.text.split("\n")[card.marked - card.first] == "own_9"


def test_callables_behind_one_wrapper_share_a_table_of_their_entries():
    def of(name, number, *failures):
        frame = Frame(name, "/t/external_utils.py", 69, f"external_utils.py:inner({name})", "inner")
        outcome = Outcome.RECOMPILED if number else Outcome.COMPILED
        return compiled(
            number,
            outcome,
            id=f"0/{number}",
            frame=frame,
            guard_failures=failures,
            cache_entries_before=number,
            instance=f"{name}@{number}",
        )

    other = failure("0/0", "fn", expected="Linear", actual="GELU", own=True)
    found, rows = table_of(of("Linear", 0), of("GELU", 1, other))
    assert (found.frame, found.entries) == ("inner", ("0/0", "0/1"))
    assert rows == {"fn": ["Linear", "GELU"]}
    assert all(row.varied for row in found.rows)


def test_a_tensor_in_place_of_none_is_told_in_few_words():
    tensor = "tensor(size=[2, 4], dtype=float32, device=cpu, stride=[4, 1], requires_grad=False)"
    none = failure("0/0", "self.cached", expected="None", actual=tensor, kind="NONE_MATCH")
    _, rows = table_of(FIRST, replace(SECOND, guard_failures=(none,)))
    assert rows == {"self.cached": ["None", "tensor [2, 4] float32"]}


def test_a_card_and_a_compile_lead_to_the_pages_of_tlparse(tmp_path):
    pages = {"0/1": str(tmp_path / "tl out" / "m_1.html"), "0/0": "tl_out/m_0.html"}
    document = program_report((FIRST, SECOND), trace_log=LogSource(pages=pages))
    card, facts = card_of(document)
    assert "tlparse's pages: 0/1" in facts
    [told] = [fact.line for fact in card.facts if fact.line.text.startswith("tlparse")]
    assert told.spans[1].to == (tmp_path / "tl out" / "m_1.html").as_uri()
    [compiles] = [lane for lane in figures(document, Timeline)[0].lanes if lane.name == "compiles"]
    assert [span.to for span in compiles.spans] == ["tl_out/m_0.html", card.anchor]
    links = html_parts.check(render(document, Format.HTML)).links
    assert {"tl_out/m_0.html", told.spans[1].to} <= set(links)


@pytest.mark.parametrize("forged", ["https://evil.example/x", "javascript:x", "//evil.example/x"])
def test_a_forged_page_of_tlparse_is_no_link(forged):
    document = program_report((FIRST, SECOND), trace_log=LogSource(pages={"0/1": forged}))
    links = html_parts.check(render(document, Format.HTML)).links
    assert not [link for link in links if "evil" in link and not link.startswith("file:///")]
    assert "javascript:x" not in links
