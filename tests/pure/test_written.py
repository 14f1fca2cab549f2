"""What can't be written costs nothing else: the rest is written, and exactly what is not is said."""

from __future__ import annotations

import errno
import os
import resource
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from builders import audit
from report_builders import BUFFER, failing

from esper_audit.data.storage import write_atomically
from esper_audit.data.written import Written
from esper_audit.errors import IncompleteError, UsageError
from esper_audit.report import formats

PASSING = audit(scenario="rollout", parameters=BUFFER)
FAILING = failing(scenario="rollout", count=3, parameters=BUFFER)
COMMANDS = {
    "show": ("show", "a.json", "-o", "bad.json", "-o", "good.md"),
    "show --export": ("show", "a.json", "--export", "bad.txt", "-o", "good.md"),
    "compare": ("compare", "a.json", "a.json", "--save", "bad.json", "-o", "good.md"),
    "gate": ("gate", "a.json", "-o", "good.md", "-o", "bad.json"),
    "gate --save": ("gate", "a.json", "-o", "good.md", "--save", "bad.json"),
    "gate --update": (
        *("gate", "a.json", "--update-baseline", "--baseline", "bad.json"),
        *("-o", "good.md", "--save", "good.json"),
    ),
}


@pytest.fixture
def broken(monkeypatch):
    """Breaks a call of the system for the files of one name, as a full or locked disk does."""

    def breaks(call, number, name="bad"):
        whole = getattr(os, call)

        def call_of(*arguments, **named):
            if Path(str(arguments[-1])).name.startswith(name):
                raise OSError(number, os.strerror(number))
            return whole(*arguments, **named)

        monkeypatch.setattr(os, call, call_of)

    return breaks


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EROFS])
@pytest.mark.parametrize("command", COMMANDS)
def test_one_output_that_fails_costs_no_other(desk, broken, command, number):
    desk.saved(PASSING)
    broken("replace", number)
    code, out, err = desk.run(*COMMANDS[command])
    assert code == 3
    assert f"bad.{'txt' if '--export' in command else 'json'} can't be written" in err
    assert os.strerror(number) in err
    assert "good.md" in err.partition("Written: ")[2]
    assert (desk.folder / "good.md").read_text()
    assert not list(desk.folder.glob("bad*")) and not list(desk.folder.glob(".esper*"))
    assert out or "--export" in command, "the report is printed"
    assert "Updated" not in out


def test_a_baseline_that_cannot_be_written_stays_as_it_was(desk, broken):
    desk.accept(PASSING)
    before = desk.baseline.read_bytes()
    broken("replace", errno.ENOSPC, desk.baseline.name)
    name = desk.saved(FAILING)
    code, out, err = desk.gate(name, "--update-baseline", "--save", "s.json", "-o", "r.md")
    assert (code, desk.baseline.read_bytes()) == (3, before)
    assert out.startswith("Failed: 1 audit checked")
    assert "Written: s.json, r.md, the report on stdout." in err


def test_an_update_is_kept_where_only_the_save_fails(desk, broken):
    broken("replace", errno.ENOSPC)
    name = desk.saved(PASSING)
    code, out, err = desk.gate(name, "--update-baseline", "--save", "bad.json")
    assert (code, desk.baseline.exists()) == (3, True)
    assert "Updated" in out and "bad.json can't be written" in err


def test_all_that_fails_is_named(desk, broken):
    broken("replace", errno.ENOSPC)
    name = desk.saved(PASSING)
    _, _, err = desk.run("show", name, "-o", "bad.json", "-o", "bad.md", "-o", "good.txt")
    assert [line.split()[0] for line in err.splitlines() if "can't be" in line] == [
        "bad.json",
        "bad.md",
    ]


def test_a_file_that_was_not_written_is_named_in_no_next_command(desk, broken):
    broken("replace", errno.ENOSPC)
    _, out, _ = desk.gate(desk.saved(FAILING), "-o", "bad.json")
    assert "bad.json" not in out


def test_a_defect_in_one_format_costs_no_other(desk, monkeypatch):
    whole = formats.render

    def render(document, form, *more):
        if form is formats.Format.JUNIT:
            raise RuntimeError("a defect")
        return whole(document, form, *more)

    monkeypatch.setattr("esper_audit.cli.output.render", render)
    code, out, err = desk.run("show", desk.saved(PASSING), "-o", "x.xml", "-o", "good.md")
    assert (code, (desk.folder / "good.md").exists(), out != "") == (3, True, True)
    assert "RuntimeError: a defect" in err and "Written: good.md" in err


def test_an_interrupt_while_writing_leaves_no_temporary_file(tmp_path, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_atomically(tmp_path / "r.json", b"x")
    assert list(tmp_path.iterdir()) == []


def bound():
    """No file of this process may grow beyond one block: the kernel stands in for a full disk."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (512, 512))


def run(desk, *arguments, **options):
    return subprocess.run(
        [sys.executable, "-m", "esper_audit", *arguments],
        **{"cwd": desk.folder, "capture_output": True, "text": True, **options},
    )


def test_a_disk_that_fills_up_keeps_what_fits(desk):
    name = desk.saved(FAILING)
    result = run(desk, "gate", name, "-o", "big.json", "-o", "github=small", preexec_fn=bound)
    assert result.returncode == 3
    assert "big.json can't be written: File too large" in result.stderr
    assert result.stdout.startswith("Failed: 1 audit")
    assert (desk.folder / "small").exists() and not (desk.folder / "big.json").exists()


PROGRAM = "import sys\nprint('ran')\nsys.exit(int(sys.argv[1]))\n"


@pytest.mark.parametrize(("own", "code"), [(0, 3), (5, 5)])
def test_a_recording_that_cannot_be_saved_costs_no_report_and_no_exit_code(desk, own, code):
    (desk.folder / "p.py").write_text(PROGRAM)
    arguments = ("--save", "r.json", "-o", "r.md", "p.py", str(own))
    result = run(desk, "exec", *arguments, preexec_fn=bound)
    assert (result.returncode, result.stdout) == (code, "ran\n")
    assert "p.py: nothing was compiled" in result.stderr
    assert "r.json can't be written: File too large" in result.stderr
    assert (desk.folder / "r.md").read_text()


def test_a_folder_that_the_program_removes_costs_what_lies_in_it(desk):
    (desk.folder / "p.py").write_text("import shutil; shutil.rmtree('gone')\n")
    for _ in range(2):
        (desk.folder / "gone").mkdir()
        arguments = ("--save", "gone/r.json", "-o", "gone/r.xml", "-o", "r.md", "p.py")
        result = run(desk, "exec", *arguments)
        assert result.returncode == 3
        assert result.stderr.count("can't be written: there is no folder") == 2
        assert "r.md." in result.stderr.partition("Written: ")[2]
        shutil.rmtree(desk.folder / "gone", ignore_errors=True)


def test_stdout_that_is_full_costs_no_file(desk):
    with Path("/dev/full").open("w") as full:
        result = run(desk, "show", desk.saved(PASSING), "-o", "r.md", stdout=full, **STDERR)
    assert result.returncode == 3
    assert "No space left on device" in result.stderr
    assert (desk.folder / "r.md").exists()


STDERR = {"capture_output": False, "stderr": subprocess.PIPE}


def test_nothing_is_told_where_all_is_written():
    written = Written()
    assert written.attempt("x", lambda: 3) == 3
    written.check()
    assert written.has("x")


def test_what_failed_and_what_was_written_is_told_together():
    def fails():
        raise UsageError("a can't be written.")

    written = Written()
    assert written.attempt("a", fails) is None
    written.attempt("b", lambda: None)
    with pytest.raises(IncompleteError, match=r"a can't be written\.\n  Written: b\."):
        written.check()
