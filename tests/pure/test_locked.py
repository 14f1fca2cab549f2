"""Two updates of one baseline at once keep the entries of both."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from builders import audit
from report_builders import BUFFER

from esper_audit.data.baseline_file import load_baseline
from esper_audit.errors import IncompleteError
from esper_audit.gate import locked as lock_file
from esper_audit.gate.locked import locked

MOST = 6


@pytest.fixture(autouse=True)
def cache(tmp_path_factory, monkeypatch):
    """A cache folder of the test's own."""
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder))
    return folder


def passing(name):
    return audit(scenario=name, parameters=BUFFER)


def scenarios(desk):
    return sorted({entry.scenario for entry in load_baseline(desk.baseline)})


def test_updates_at_once_keep_every_entry(desk):
    names = [f"s{number}" for number in range(MOST)]
    command = [sys.executable, "-m", "esper_audit", "gate", "--update-baseline"]
    running = [
        subprocess.Popen(
            [*command, desk.saved(passing(name), name=f"{name}.json")],
            cwd=desk.folder,
            stdout=subprocess.PIPE,
        )
        for name in names
    ]
    said = [process.communicate()[0] for process in running]
    assert all(b"Updated" in out for out in said)
    assert scenarios(desk) == names


def test_an_entry_that_was_accepted_since_the_gate_began_stays(desk, monkeypatch):
    """As of an audit that takes long: another update comes between reading and writing."""
    desk.accept(passing("a"))
    first = desk.baseline.read_bytes()
    desk.saved(passing("b"), name="b.json")
    assert desk.gate("b.json", "--update-baseline")[0] == 0
    both = desk.baseline.read_bytes()
    desk.baseline.write_bytes(first)

    def late(path):
        desk.baseline.write_bytes(both)
        return locked(path)

    monkeypatch.setattr("esper_audit.gating.locked", late)
    desk.saved(passing("c"), name="c.json")
    code, out, _ = desk.gate("c.json", "--update-baseline")
    assert (code, "Updated" in out) == (0, True)
    assert scenarios(desk) == ["a", "b", "c"]


def test_a_whole_suite_removes_no_entry_that_it_has_not_seen(desk, monkeypatch):
    """Its own scenarios are all that it knows; what another update has added is not stale."""
    declared = {"declared": {"a": {"alpha": ("buffer",)}}}
    desk.accept(passing("new"))
    added = desk.baseline.read_bytes()
    desk.baseline.unlink()

    def late(path):
        desk.baseline.write_bytes(added)
        return locked(path)

    monkeypatch.setattr("esper_audit.gating.locked", late)
    assert desk.gate(desk.saved(passing("a"), **declared), "--update-baseline")[0] == 0
    assert scenarios(desk) == ["a", "new"]


def test_a_baseline_that_was_broken_meanwhile_is_left_alone(desk, monkeypatch):
    def late(path):
        desk.baseline.write_text("<<<<<<< ours\n")
        return locked(path)

    monkeypatch.setattr("esper_audit.gating.locked", late)
    code, out, err = desk.gate(desk.saved(passing("a")), "--update-baseline")
    assert (code, desk.baseline.read_text()) == (3, "<<<<<<< ours\n")
    assert "contains merge conflict markers" in err and "Updated" not in out


def test_an_update_that_waits_in_vain_says_so_and_reports(desk, monkeypatch):
    monkeypatch.setattr(lock_file, "PATIENCE_SECONDS", 0.2)
    name = desk.saved(passing("a"))
    script = "import sys, pathlib; from esper_audit.gate.locked import locked\n"
    script += "with locked(pathlib.Path(sys.argv[1])): print('held', flush=True); input()"
    command = [sys.executable, "-c", script, str(desk.baseline)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout.readline() == b"held\n"
        code, out, err = desk.gate(name, "--update-baseline", "--save", "s.json")
        holder.communicate(b"\n")
    assert (code, desk.baseline.exists()) == (3, False)
    assert "another update has held it for" in err and "Written: s.json" in err
    assert out.startswith("Failed: 1 audit")
    assert desk.gate(name, "--update-baseline")[0] == 0


def test_a_process_that_dies_holds_no_lock(desk):
    script = "import sys, pathlib, os; from esper_audit.gate.locked import locked\n"
    script += "with locked(pathlib.Path(sys.argv[1])): os.kill(os.getpid(), 9)"
    subprocess.run([sys.executable, "-c", script, str(desk.baseline)])
    assert desk.gate(desk.saved(passing("a")), "--update-baseline")[0] == 0


def test_nothing_is_left_beside_the_baseline(desk):
    assert desk.gate(desk.saved(passing("a")), "--update-baseline")[0] == 0
    assert sorted(path.name for path in desk.folder.iterdir()) == ["a.json", desk.baseline.name]


def test_every_name_of_a_baseline_has_one_lock(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("b.json").write_text("")
    Path("link.json").symlink_to("b.json")
    names = ("b.json", "./b.json", "link.json", str(tmp_path / "b.json"))
    assert len({next(lock_file._places(Path(name))) for name in names}) == 1


def test_a_cache_folder_that_cannot_be_written_costs_no_update(desk, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert desk.gate(desk.saved(passing("a")), "--update-baseline")[0] == 0


def test_where_no_lock_can_be_had_the_words_say_what_to_do(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setattr(lock_file, "_places", lambda _: [tmp_path / "file" / "x.lock"])
    lock = locked(tmp_path / "b.json")
    with pytest.raises(IncompleteError, match="no lock can be had") as caught, lock:
        pass
    assert "XDG_CACHE_HOME" in caught.value.hint
