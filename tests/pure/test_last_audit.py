"""The last audit is kept: found without a file, bounded, and never at the cost of an audit."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from builders import audit, program_audit
from report_builders import failing, report

from esper_audit.cli import output
from esper_audit.cli.last import _ago, keep
from esper_audit.data import last_audit
from esper_audit.data.audits import ProgramReport
from esper_audit.data.last_audit import FOLDER_VARIABLE, Shelf, project_of, shelf_of
from esper_audit.errors import UsageError


@pytest.fixture
def cache(tmp_path_factory, monkeypatch):
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv(FOLDER_VARIABLE, str(folder))
    return folder / "last"


@pytest.fixture
def shelf(cache, tmp_path):
    return shelf_of(tmp_path, ("run", "checks.py"))


def replays(scenario="rollout"):
    return report(failing(scenario))


# --- show ---


def test_show_without_a_file_prints_the_last_audit_in_any_format(desk, cache):
    name = desk.saved(failing("rollout"))
    assert desk.gate(name)[0] == 1
    code, out, err = desk.run("show")
    assert (code, "No audit" in err) == (1, False)
    assert "esper-audit: the last audit (just now): esper-audit gate a.json" in err
    assert json.loads(desk.run("show", "--format", "json")[1])["kind"] == "gate"
    assert desk.run("show", "-v", "-o", "b.md", "--format", "concise")[0] == 1
    assert (desk.folder / "b.md").exists()
    assert desk.run("show", "--export", "r.html")[0] == 1
    assert "<html" in (desk.folder / "r.html").read_text()
    assert out


def test_show_with_a_file_shows_that_file(desk, cache):
    name = desk.saved(failing("rollout"))
    desk.gate(name)
    code, out, err = desk.run("show", name)
    assert (code, err) == (1, "") and "rollout" in out


def test_without_a_last_audit_show_says_how_to_make_one(desk, cache):
    code, out, err = desk.run("show")
    assert (code, out) == (2, "")
    assert f"No audit of {desk.folder} is kept." in err and "esper-audit run" in err


def test_what_is_shown_is_not_kept_again(desk, cache):
    desk.gate(desk.saved(failing("rollout")))
    desk.run("show", "-q")
    assert "esper-audit gate a.json" in desk.run("show", "-q")[2]


def test_exec_keeps_the_report_on_its_program(tmp_path, cache):
    (tmp_path / "inner").mkdir()
    (tmp_path / "x.py").write_text("import os; os.chdir('inner'); os.environ.clear()")
    command = [sys.executable, "-m", "esper_audit"]
    subprocess.run([*command, "exec", "x.py", "--fast"], cwd=tmp_path, check=True)
    shown = subprocess.run([*command, "show"], cwd=tmp_path, capture_output=True, text=True)
    assert shown.returncode == 0
    assert "x.py: nothing was compiled" in shown.stdout
    assert shown.stderr.endswith("esper-audit exec x.py --fast\n")


# --- which project ---


@pytest.mark.parametrize("mark", ["pyproject.toml", "setup.py", ".git"])
def test_all_folders_of_a_project_share_its_last_audit(tmp_path, mark):
    (tmp_path / mark).touch()
    (tmp_path / "a" / "b").mkdir(parents=True)
    assert project_of(tmp_path / "a" / "b") == project_of(tmp_path) == tmp_path


def test_a_folder_without_a_project_is_its_own(tmp_path):
    assert project_of(tmp_path) == tmp_path


def test_projects_do_not_see_each_other(cache, tmp_path):
    (tmp_path / "a").mkdir()
    assert shelf_of(tmp_path).keep(replays())
    with pytest.raises(UsageError, match=r"No audit of .*a is kept"):
        shelf_of(tmp_path / "a").last()


def test_the_users_cache_folder_is_asked_of_the_system(monkeypatch, tmp_path):
    monkeypatch.delenv(FOLDER_VARIABLE)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert shelf_of(tmp_path).folder == tmp_path / "xdg" / "esper-audit" / "last"


def test_an_empty_variable_keeps_nothing(monkeypatch, tmp_path):
    monkeypatch.setenv(FOLDER_VARIABLE, "")
    assert not shelf_of(tmp_path).keep(replays())


def test_a_relative_folder_is_that_of_the_command(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(FOLDER_VARIABLE, "mine")
    shelf = shelf_of(tmp_path)
    monkeypatch.chdir("/")
    assert shelf.keep(replays()) and (tmp_path / "mine" / "last").is_dir()


# --- what is kept ---


def test_every_kind_of_report_comes_back_as_it_was(shelf):
    for document in (replays(), ProgramReport(root="/p", audits=(program_audit(),))):
        shelf.keep(document)
        kept = shelf.last()
        assert (kept.document, kept.words) == (document, ("run", "checks.py"))
        assert 0 <= kept.age < 60


def test_a_command_line_that_is_no_utf8_is_kept(cache, tmp_path):
    shelf = shelf_of(tmp_path, ("run", "\udce9.py"))
    assert shelf.keep(replays()) and shelf.last().words == (r"run", r"\udce9.py")


def test_only_the_newest_of_a_project_is_kept(shelf, cache):
    for name in ("first", "second"):
        shelf.keep(replays(name))
    assert [audit.scenario for audit in shelf.last().document.audits] == ["second"]
    assert len(list(cache.iterdir())) == 1


def test_the_oldest_projects_are_forgotten(cache, monkeypatch):
    monkeypatch.setattr(last_audit, "_MOST_PROJECTS", 3)
    shelves = [Shelf(f"/p{number}", cache) for number in range(6)]
    for number, shelf in enumerate(shelves):
        shelf.keep(replays())
        os.utime(str(shelf.file), (number, number))
    assert [shelf.file.exists() for shelf in shelves] == [False] * 3 + [True] * 3


def test_all_together_take_no_more_than_their_share(cache, monkeypatch):
    Shelf("/old", cache).keep(replays())
    [old] = cache.iterdir()
    os.utime(old, (1, 1))
    monkeypatch.setattr(last_audit, "_MOST_BYTES", 10)
    Shelf("/new", cache).keep(replays())
    assert Shelf("/new", cache).last() and not old.exists()


def test_an_audit_that_is_too_large_leaves_no_older_one_in_its_place(shelf, monkeypatch):
    shelf.keep(replays())
    monkeypatch.setattr(last_audit, "_LARGEST", 10)
    with pytest.raises(UsageError, match="MiB are kept"):
        shelf.keep(replays())
    with pytest.raises(UsageError, match="is kept"):
        shelf.last()


def test_what_a_killed_process_has_left_is_removed(shelf, cache):
    shelf.keep(replays())
    left, fresh = cache / ".esper-audit-old", cache / ".esper-audit-new"
    for path in (left, fresh):
        path.write_text("half")
    os.utime(left, (1, 1))
    shelf.keep(replays())
    assert (left.exists(), fresh.exists()) == (False, True)


def test_the_documents_state_the_limits():
    text = (Path(__file__).parents[2] / "docs/reference/cli.md").read_text()
    most, one = last_audit._MOST_BYTES >> 20, last_audit._LARGEST >> 20
    assert f"at most {last_audit._MOST_PROJECTS}, and {most} MiB together" in text
    assert f"one above {one} MiB is not kept" in text


def test_others_can_not_read_what_is_kept(shelf, cache):
    shelf.keep(replays())
    assert cache.stat().st_mode & 0o077 == 0


# --- trouble ---


def test_what_was_asked_for_is_written_before_anything_is_kept(desk, cache, monkeypatch):
    seen = []
    monkeypatch.setattr(output, "keep", lambda *_: seen.append((desk.folder / "o.md").exists()))
    desk.gate(desk.saved(failing("rollout")), "-o", "o.md")
    assert seen == [True]


@pytest.mark.parametrize(
    "data",
    [b"", b"\n", b"{}\n{}", b"[]\n", b"\xff\xfe\n", b'{"root": 1}\n', b"[" * 100_000, b"\x00" * 99],
    ids=["empty", "lines", "objects", "a list", "no UTF-8", "a number", "deep", "zeros"],
)
def test_a_damaged_file_is_refused_in_words(shelf, data):
    shelf.keep(replays())
    shelf.file.write_bytes(data)
    with pytest.raises(UsageError):
        shelf.last()


def test_a_file_that_was_cut_off_is_refused_in_words(shelf):
    shelf.keep(replays())
    shelf.file.write_bytes(shelf.file.read_bytes()[:-100])
    with pytest.raises(UsageError, match=r"The last audit of .* is not JSON"):
        shelf.last()


@pytest.mark.parametrize("place", ["a file", "/proc/nowhere", "/dev/full", "x" * 300])
def test_a_cache_that_cannot_be_written_costs_nothing(desk, monkeypatch, place):
    if place == "a file":
        (desk.folder / place).touch()
    monkeypatch.setenv(FOLDER_VARIABLE, place)
    desk.accept(failing("rollout"))
    code, out, err = desk.gate("accepted.json")
    assert (code, err) == (0, "")
    assert "Passed" in out


def test_at_a_terminal_one_word_says_that_nothing_is_kept(tmp_path, monkeypatch, capsys):
    (tmp_path / "a").touch()
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    assert not keep(report(audit()), Shelf("/p", tmp_path / "a"))
    said = capsys.readouterr().err
    assert "esper-audit: not kept for `esper-audit show`: File exists" in said
    assert said.count("\n") == 1


def test_a_folder_that_has_gone_costs_nothing(desk, cache, monkeypatch):
    name = Path(desk.saved(failing("rollout"))).absolute()
    gone = desk.folder / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    code, _, err = desk.run("show")
    assert code == 2 and "The current folder has gone." in err
    assert desk.run("show", str(name))[0] == 1


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "just now"),
        (1, "1 second ago"),
        (59.9, "59 seconds ago"),
        (60, "1 minute ago"),
        (7200, "2 hours ago"),
        (200_000, "2 days ago"),
    ],
)
def test_the_age_is_told_in_the_largest_unit(seconds, words):
    assert _ago(seconds) == words


def test_a_clock_that_was_set_back_makes_no_age(shelf, monkeypatch):
    shelf.keep(replays())
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now - 1e6)
    assert shelf.last().age == 0
