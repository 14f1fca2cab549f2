"""The command ``ticket``, and the file of points that it reads."""

from __future__ import annotations

import pytest
from test_closings import program_report
from test_tickets import POINTS, SLOT, saved

from esper_audit.data.storage import save
from esper_audit.data.tickets import load_points
from esper_audit.errors import UsageError


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("id = ", "is not TOML"),
        ("idd = 'x'", "idd is unknown here"),
        ("[[claims]]\nsaid = 1", "expected a text"),
        ("[[claims]]\nsaid = 'x'", "'x' is decided by 0 keys"),
        ("[[claims]]\nsaid = 'x'\nclaim = 'a'\nuntested = 'b'", "is decided by 2 keys"),
        ("[[boxes]]\nsaid = 'x'\nclaim = 'a'\ndone = 'maybe'", "invalid enum value"),
    ],
)
def test_a_wrong_file_of_points_is_refused(tmp_path, text, said):
    (tmp_path / "points.toml").write_text(text)
    with pytest.raises(UsageError, match=said):
        load_points(tmp_path / "points.toml")


def test_the_command_writes_a_ticket_to_stdout_or_a_file(desk):
    (desk.folder / "blend.py").write_text(SLOT)
    (desk.folder / "points.toml").write_text(POINTS)
    save(saved(desk.folder), desk.folder / "a.json")
    code, out, err = desk.run("ticket", "a.json", "--points", "points.toml", "--id", "T-2")
    assert (code, err) == (0, "")
    assert out.startswith("# Finding Ticket: A title\n") and "`T-2`" in out
    code, printed, _ = desk.run(
        "ticket", "a.json", "--points", "points.toml", "-o", "t.md", "--id", "T-2"
    )
    assert (code, printed) == (0, "")
    assert (desk.folder / "t.md").read_text() == out


def test_the_configuration_fills_in_what_the_command_leaves_out(desk):
    (desk.folder / "pyproject.toml").write_text(
        "[tool.esper-audit.ticket]\npoints = 'points.toml'\nagent = 'auditor'\nid = 'C-1'\n"
    )
    (desk.folder / "blend.py").write_text(SLOT)
    (desk.folder / "points.toml").write_text(POINTS)
    save(saved(desk.folder), desk.folder / "a.json")
    _, out, _ = desk.run("ticket", "a.json")
    assert "| **Agent** | `auditor` |" in out and "| **Ticket ID** | `T-1` |" in out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("a.json", "--date", "yesterday"), "--date 'yesterday' is no day."),
        (("a.json", "--date", "2025-02-30"), "--date '2025-02-30' is no day."),
        (("a.json", "--date", "٢٠٢٥-01-01"), "is no day."),
        (("missing.json",), "missing.json can't be read"),
        (("a.json", "--points", "missing.toml"), "missing.toml can't be read"),
        (("a.json", "--fix", "a.json"), "a.json holds a report, not a fix"),
        (("a.json", "-o", "a.json"), "a.json is used by this command itself"),
    ],
)
def test_wrong_usage_of_the_command_is_told(desk, arguments, said):
    save(saved(desk.folder), desk.folder / "a.json")
    code, out, err = desk.run("ticket", *arguments)
    assert (code, out) == (2, "") and said in err


@pytest.mark.parametrize(
    ("points", "said"),
    [
        (
            "[[claims]]\nsaid = 'x'\nseverity = 'p2'",
            "names an unknown severity, 'p2'",
        ),
        ("[[claims]]\nsaid = 'x'\nseverity = 'unknown'", "names an unknown severity, 'unknown'"),
        ("subject = {class = 'Bland', attribute = 'cached'}", "there is no class Bland"),
        ("subject = {class = 'Blend', attribute = 'cache'}", "nothing writes Blend.cache"),
    ],
)
def test_a_point_that_nothing_can_decide_is_refused(desk, points, said):
    (desk.folder / "blend.py").write_text(SLOT)
    (desk.folder / "points.toml").write_text(points)
    save(saved(desk.folder), desk.folder / "a.json")
    code, out, err = desk.run("ticket", "a.json", "--points", "points.toml")
    assert (code, out) == (2, "") and said in " ".join(err.split())


def test_an_audit_of_a_program_has_no_ticket(desk):
    save(program_report(), desk.folder / "p.json")
    code, _, err = desk.run("ticket", "p.json")
    assert code == 2 and "p.json is no audit of scenarios." in err
