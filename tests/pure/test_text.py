"""Reports for readers: within the width of a terminal, and unwrapped anywhere else."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest
from builders import told
from report_builders import report
from rich.console import Console
from test_formats import ACCEPT, BROKEN, DOCUMENTS, ERROR, FAILING, PASSING, gate

from esper_audit.report.build import page
from esper_audit.report.formats import Format, print_document, render
from esper_audit.report.sections import Code, Table


@pytest.mark.parametrize("width", [80, 100, 140])
@pytest.mark.parametrize("name", DOCUMENTS)
def test_the_report_fits_the_terminal_but_for_the_command(name, width):
    stream = io.StringIO()
    print_document(DOCUMENTS[name], Console(file=stream, width=width, highlight=False))
    lines = stream.getvalue().splitlines()
    assert max(len(line) for line in lines if not line.startswith("esper-audit gate")) <= width


def test_the_last_line_of_a_failure_is_the_command_whole():
    long = f"{ACCEPT} {'x' * 300}"
    text = render(gate([FAILING], [PASSING], accept=long), Format.PLAIN, width=80)
    assert text.rstrip("\n").splitlines()[-1] == long
    quiet = render(gate([FAILING], [PASSING], accept=long), Format.PLAIN, verbosity=-1)
    assert quiet.rstrip("\n").splitlines()[-1] == long


def test_plain_text_has_no_colour_and_rich_has():
    assert "\x1b[" not in render(BROKEN, Format.PLAIN)
    assert "\x1b[" in render(BROKEN, Format.RICH)


@pytest.mark.parametrize("name", DOCUMENTS)
@pytest.mark.parametrize("verbosity", [-1, 0, 1])
def test_where_nothing_limits_the_width_no_line_is_wrapped_or_padded(name, verbosity):
    made = page(DOCUMENTS[name], verbosity)
    lines = render(DOCUMENTS[name], Format.PLAIN, verbosity).splitlines()
    blocks = [block for section in made.sections for block in section.body]
    copied = {row.text for block in blocks if isinstance(block, Code) for row in block.lines}
    assert [text for text in lines if text != text.rstrip() and text not in copied] == []
    for section in made.sections:
        for block in section.body:
            for row in block.rows if isinstance(block, Table) else ():
                assert any(all(cell.text in text for cell in row) for text in lines), row


def test_columns_are_aligned_where_nothing_limits_the_width():
    whole = report(FAILING, replace(PASSING, scenario="a_rather_long_name_of_a_scenario"))
    lines = render(whole, Format.PLAIN).splitlines()
    cells = [
        text.index(mark)
        for text in lines
        for mark in ("✓ reused", "✗ limit after 6")
        if mark in text
    ]
    assert len(cells) == 2 and len(set(cells)) == 1


def test_values_of_a_program_cannot_steer_a_terminal():
    odd = replace(ERROR, reasons=(told("red \x1b[31m bell \x07 half \ud800 of a pair"),))
    for form in (Format.PLAIN, Format.RICH):
        text = render(report(odd), form)
        assert "\x1b[31m bell" not in text and "\x07" not in text
        assert text.encode()


def test_a_terminal_and_a_pipe_are_told_the_same():
    for document in DOCUMENTS.values():
        narrow = render(document, Format.PLAIN, width=1000)
        wide = render(document, Format.PLAIN)
        assert narrow.replace("─", "").split() == wide.replace("─", "").split()


def test_what_is_piped_is_not_wrapped_though_columns_says_so(desk, monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")
    name = desk.saved(*(replace(FAILING, scenario=f"scenario_{n}") for n in range(3)))
    _, out, _ = desk.run("show", name)
    assert "3 of 3 scenarios recompiled after warm-up; all 3 hit the recompile limit" in out
    assert [text for text in out.splitlines() if text.endswith(" ")] == []
