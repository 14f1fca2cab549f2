"""``esper-audit exec`` on programs without torch: where its report and its recording go."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from esper_audit.program.launch import Target
from esper_audit.program.places import recording_at, report_at
from esper_audit.program.run import _program


@pytest.fixture
def program(desk):
    (desk.folder / "plain.py").write_text("import os; os.chdir('/'); print('ran')")
    return desk


def exec_(desk, *arguments):
    """As a process: a program is run once in the life of one."""
    command = [sys.executable, "-m", "esper_audit", "exec", *arguments, "plain.py"]
    result = subprocess.run(command, cwd=desk.folder, capture_output=True, text=True)
    return result.returncode, result.stdout, result.stderr


def test_a_report_is_written_beside_what_is_printed(program):
    code, out, err = exec_(program, "-o", "r.json", "-o", "markdown=r")
    assert (code, out) == (0, "ran\n")
    assert "plain.py: nothing was compiled" in err
    assert json.loads((program.folder / "r.json").read_text())["kind"] == "program"
    assert (program.folder / "r").read_text().startswith("<!-- esper-audit -->")


def test_the_format_is_that_of_what_is_printed(program):
    _, _, err = exec_(program, "--format", "json", "-o", "r.txt")
    assert json.loads(err)["kind"] == "program"
    assert "nothing was compiled" in (program.folder / "r.txt").read_text()


def test_a_saved_recording_can_be_shown_and_an_output_does_not_overwrite_it(program):
    assert exec_(program, "--save", "r.json")[0] == 0
    assert "nothing was compiled" in program.run("show", "r.json")[1]
    code, out, err = exec_(program, "--save", "r.json", "-o", "./r.json")
    assert (code, out) == (2, "")
    assert "is named twice" in err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--fail-on", "weather"], "--fail-on: unknown kind 'weather'"),
        (["--fail-on", "worse"], "'worse' can't be given here: it is a kind of change"),
        (["-o", "report"], "does not tell the format"),
        (["-o", "json=r.sarif"], "the suffix .sarif means sarif"),
    ],
)
def test_wrong_usage_ends_with_2_before_the_program_runs(program, arguments, message):
    code, out, err = exec_(program, *arguments)
    assert (code, out) == (2, "")
    assert message in err


def test_each_rank_has_files_of_its_own(desk, monkeypatch):
    assert report_at(desk.folder / "r.json").name == "r.json"
    monkeypatch.setenv("RANK", "3")
    assert recording_at(str(desk.folder / "saved")) == desk.folder / "saved" / "rank-3.json"
    names = {"r.json": "r-rank-3.json", "v1.2.json": "v1.2-rank-3.json", "r": "r-rank-3"}
    names["x.sarif.json"] = "x-rank-3.sarif.json"
    assert {name: report_at(desk.folder / name).name for name in names} == names


@pytest.mark.parametrize("rank", ["", "-1", "٣", "1e3", "9" * 5000, "../1", "0x1"])
def test_a_rank_that_is_no_number_is_none(desk, monkeypatch, rank):
    monkeypatch.setenv("RANK", rank)
    assert recording_at(str(desk.folder / "saved") + "/").name == "rank-0.json"
    assert _program(Target("x.py")).rank is None


def test_a_folder_gets_a_file_for_the_only_rank(desk):
    (desk.folder / "saved").mkdir()
    assert recording_at(str(desk.folder / "saved")).name == "rank-0.json"


def test_a_folder_is_made_for_a_path_that_ends_like_one(program):
    assert exec_(program, "--save", "new/")[0] == 0
    assert (program.folder / "new" / "rank-0.json").is_file()


@pytest.mark.parametrize("option", [("--save", "plain.py"), ("-o", "plain=plain.py")])
def test_the_program_itself_is_not_overwritten(program, option):
    before = (program.folder / "plain.py").read_text()
    code, out, err = exec_(program, *option)
    assert (code, out) == (2, "")
    assert "is used by this command itself" in err
    assert (program.folder / "plain.py").read_text() == before


def test_a_module_may_follow_its_option_without_a_space(program):
    (program.folder / "named.py").write_text("import sys; print(sys.argv[1:])")
    code, out, _ = exec_(program, "-mnamed", "--help")
    assert (code, out) == (0, "['--help', 'plain.py']\n")


IMPORTS = {
    "import torch": "torch 9.9",
    "import threading; t = threading.Thread(target=__import__, args=('torch',)); t.start(); t.join()": (
        "torch 9.9"
    ),
    "import os\nif os.fork() == 0:\n    import torch\n    os._exit(0)\nos.wait()": (
        "torch not imported by this process"
    ),
    "import subprocess, sys; subprocess.run([sys.executable, '-c', 'import torch'])": (
        "torch not imported by this process"
    ),
    "try:\n    import torch.nowhere\nexcept ImportError:\n    pass": "torch 9.9",
}


@pytest.mark.parametrize(("source", "said"), IMPORTS.items(), ids=range(len(IMPORTS)))
def test_of_a_program_that_compiles_nothing_it_is_told_what_it_imported(program, source, said):
    (program.folder / "torch").mkdir()
    (program.folder / "torch" / "__init__.py").write_text("__version__ = '9.9'\n")
    (program.folder / "plain.py").write_text(source)
    code, _, err = exec_(program)
    assert (code, f"; {said}, Python" in err) == (0, True)
    assert "Processes that it starts are not recorded." in err
