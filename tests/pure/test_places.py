"""An output that would cost an input, or another output, is refused before anything runs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from builders import audit, program_audit
from report_builders import BUFFER

from esper_audit.cli.places import check_places
from esper_audit.data.recording import Program
from esper_audit.data.storage import save
from esper_audit.errors import UsageError
from esper_audit.report.formats import Format, Output

PASSING = audit(scenario="rollout", parameters=BUFFER)
WAYS = ("itself", "relative", "symbolic link", "hard link", "folder link", "descriptor")


@pytest.fixture
def other_name(tmp_path):
    """Another name of a file in ``tmp_path``, made in one of the ``WAYS``."""
    opened = []

    def name(way: str, path: Path) -> str:
        link = tmp_path / "link.json"
        if way == "itself":
            return str(path)
        if way == "relative":
            return f"x/../{path.name}"
        if way == "symbolic link":
            link.symlink_to(path)
        if way == "hard link":
            link.hardlink_to(path)
        if way == "folder link":
            (tmp_path / "here").symlink_to(tmp_path)
            return f"here/{path.name}"
        if way == "descriptor":
            opened.append(path.open("ab"))
            return f"/dev/fd/{opened[-1].fileno()}"
        return link.name

    (tmp_path / "x").mkdir()
    yield name
    for file in opened:
        file.close()


COMMANDS = (
    ("show", "a.json", "-o", "json={}"),
    ("show", "a.json", "--export", "{}"),
    ("compare", "a.json", "b.json", "-o", "json={}"),
    ("compare", "b.json", "a.json", "--save", "{}"),
    ("gate", "a.json", "--save", "{}"),
    ("gate", "a.json", "-o", "json={}"),
    ("gate", "b.json", "--baseline", "a.json", "--save", "{}"),
    ("exec", "-o", "json={}", "p.py", "a.json"),
    ("exec", "--save", "{}", "p.py", "--data", "a.json"),
)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_no_command_replaces_what_it_reads(desk, other_name, way, command):
    desk.accept(PASSING)
    desk.saved(PASSING, name="b.json")
    (desk.folder / "p.py").write_text("print('ran')\n")
    path = desk.folder / desk.saved(PASSING)
    if "--baseline" in command:
        path.write_bytes(desk.baseline.read_bytes())
    if way == "descriptor" and "--export" in command:
        pytest.skip("an export tells its format by its suffix")
    before = path.read_bytes()
    target = other_name(way, path)
    code, out, err = desk.run(*(word.format(target) for word in command))
    assert (code, out) == (2, ""), err
    assert path.read_bytes() == before
    assert any(why in err for why in ("used by this command itself", "is a baseline")), err


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("option", [("--save", "{}"), ("-o", "plain={}")], ids="".join)
def test_a_scenario_is_not_replaced_by_its_report(desk, other_name, way, option):
    path = desk.folder / "s.py"
    path.write_text("from esper_audit import scenario\n")
    target = other_name(way, path)
    code, out, err = desk.run("run", "s.py", *(word.format(target) for word in option))
    assert (code, out, path.read_text()) == (2, "", "from esper_audit import scenario\n"), err


@pytest.mark.parametrize("way", [way for way in WAYS if way != "itself"])
def test_two_outputs_to_one_file_are_refused(desk, other_name, way):
    name = desk.saved(PASSING)
    (desk.folder / "s.py").write_text("from esper_audit import scenario\n")
    there = desk.folder / "out.json"
    there.write_text("")
    target = other_name(way, there)
    for command in (("show", name), ("compare", name, name), ("gate", name), ("run", "s.py")):
        code, out, err = desk.run(*command, "-o", "json=out.json", "-o", f"json={target}")
        assert (code, out) == (2, ""), err
        assert "are one file" in err or "used by" in err
    assert there.read_text() == ""


def test_a_file_that_is_not_there_yet_is_known_by_its_path(desk):
    (desk.folder / "here").symlink_to(desk.folder)
    name = desk.saved(PASSING)
    code, _, err = desk.run("show", name, "-o", "new.json", "-o", "here/new.json")
    assert (code, "are one file" in err) == (2, True)


@pytest.mark.parametrize(
    "file", ["scenario.py", "pyproject.toml", "esper-audit-baseline.json", "to_code.md"]
)
def test_no_report_replaces_code_configuration_or_a_baseline(desk, file):
    desk.accept(PASSING)
    name = desk.saved(PASSING)
    (desk.folder / "scenario.py").write_text("x = 1\n")
    (desk.folder / "to_code.md").symlink_to("scenario.py")
    (desk.folder / "pyproject.toml").write_text("[project]\n")
    before = (desk.folder / file).read_bytes()
    for command in (("show", name), ("compare", name, name), ("gate", name)):
        code, _, err = desk.run(*command, "-o", f"json={file}")
        assert code == 2, err
    assert (desk.folder / file).read_bytes() == before


def test_a_recording_of_a_folder_is_not_replaced(desk):
    (desk.folder / "runs").mkdir()
    recording = program_audit(program=Program(argv=("x.py",))).recording
    for place in ("runs/rank-0.json", "runs/rank-1.json.partial"):
        save(recording, desk.folder / place)
        code, _, err = desk.run("show", "runs", "-o", f"json={place}")
        assert (code, "used by this command" in err) == (2, True)


def test_a_report_may_be_replaced_by_a_later_one(desk):
    name = desk.saved(PASSING)
    for _ in range(2):
        assert desk.run("show", name, "-o", "r.json", "-o", "r.md")[0] == 0


def test_an_output_beside_the_scenarios_may_be_written_again(desk):
    desk.saved(PASSING, name="report.json")
    check_places([Output(Format.JSON, desk.folder / "report.json")], [desk.folder])


def test_a_device_may_be_named_twice():
    check_places([Output(Format.JSON, Path("/dev/null")), Output(Format.JUNIT, Path("/dev/null"))])


def piped(desk, line):
    environment = os.environ | {"tool": f"{sys.executable} -m esper_audit"}
    return subprocess.run(
        ["bash", "-c", line], cwd=desk.folder, env=environment, capture_output=True, text=True
    )


@pytest.mark.parametrize(
    "line",
    [
        "$tool show a.json -o json=out.txt > out.txt",
        "$tool show a.json >> a.json",
        "$tool show a.json -o json=err.txt 2> err.txt",
        "$tool show /dev/stdin -o json=a.json < a.json",
    ],
)
def test_what_stdout_or_stdin_is_counts_as_named(desk, line):
    before = (desk.folder / desk.saved(PASSING)).read_bytes()
    assert piped(desk, line).returncode == 2
    assert (desk.folder / "a.json").read_bytes() == before


def test_stdout_may_be_named_where_it_is_a_file(desk):
    desk.saved(PASSING)
    assert piped(desk, "$tool show a.json -q -o json=/dev/stdout > out.txt").returncode == 0
    assert '"kind": "report"' in (desk.folder / "out.txt").read_text()


def test_an_output_that_cannot_be_is_refused_before_the_rest_is_looked_at(tmp_path):
    with pytest.raises(UsageError, match="is a folder"):
        check_places([Output(Format.JSON, tmp_path)], [])


def test_a_descriptor_that_is_not_open_is_refused():
    with pytest.raises(UsageError, match="/dev/fd/99 can't be written"):
        check_places([Output(Format.JSON, Path("/dev/fd/99"))])


def test_the_journal_of_a_recording_is_no_place_for_a_report(desk):
    (desk.folder / "x.py").write_text("print('ran')\n")
    arguments = ("--save", "r.json", "-o", "json=r.json.partial", "x.py")
    code, out, err = desk.run("exec", *arguments)
    assert (code, out) == (2, ""), err


def test_the_last_audit_is_an_input_of_show(desk, monkeypatch):
    kept = desk.folder / "kept.audit"
    kept.write_text("kept")
    monkeypatch.setattr("esper_audit.cli.last.kept_files", lambda: [kept])
    code, _, err = desk.run("show", "-o", f"json={kept}")
    assert code == 2 and "is used by this command itself" in err
    assert kept.read_text() == "kept"
