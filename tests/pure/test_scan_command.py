"""``esper-audit scan`` in a folder: what it reads, what suppresses, how it ends."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from esper_audit.data.scans import Pattern
from esper_audit.report.formats import Format
from esper_audit.report.words.scans import _WHAT

BAD = """from torch import nn
import torch


class M(nn.Module):
    def __init__(self):
        super().__init__()
        self.c = None

    def forward(self, x):
        if self.c is None:
            self.c = torch.ones(4)
        return x * self.c
"""
LINE = BAD.splitlines().index("            self.c = torch.ones(4)") + 1
GOOD = BAD.replace("if self.c is None", "if x is None")


@pytest.fixture
def files(desk):
    def write(**texts):
        for name, text in texts.items():
            path = desk.folder / f"{name.replace('__', '/')}.py"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)

    return write


def configure(desk, text):
    (desk.folder / "pyproject.toml").write_text(
        f"[tool.esper-audit]\n[tool.esper-audit.scan]\n{text}\n"
    )


def test_a_finding_ends_with_1_and_names_its_line(desk, files):
    files(m=BAD)
    code, out, err = desk.run("scan", "m.py")
    assert (code, err) == (1, "")
    assert f"lazy-cache: self.c at m.py:{LINE} in M.forward" in out
    assert f"written at m.py:{LINE} in M.forward, which forward reaches" in out


def test_source_without_findings_ends_with_0(desk, files):
    files(m=GOOD)
    code, out, _ = desk.run("scan", ".")
    assert code == 0
    assert out.startswith("Passed: found nothing that is known to recompile")
    assert out.splitlines()[0].endswith("; 13 lines in 1 file read.")


def test_a_file_that_cannot_be_parsed_is_listed_and_the_rest_is_scanned(desk, files):
    files(m=BAD, old="print 'x'\n")
    code, out, _ = desk.run("scan", ".")
    assert code == 1
    assert out.splitlines()[0].endswith(" read; 1 file could not be read.")
    assert "Files that could not be read" in out and "old.py:1: " in out


def test_only_files_that_cannot_be_parsed_end_with_3(desk, files):
    files(old="print 'x'\n")
    code, out, _ = desk.run("scan", ".")
    assert (code, out.splitlines()[0]) == (3, "Not completed: no Python file could be read.")


def test_a_pipe_is_told_and_waits_for_nobody(desk, files):
    files(m=BAD)
    os.mkfifo(desk.folder / "pipe.py")
    code, out, _ = desk.run("scan", ".")
    assert code == 1 and "pipe.py: this is no regular file" in out


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_lines_are_counted_whatever_ends_them(desk, end):
    (desk.folder / "m.py").write_bytes(BAD.replace("\n", end).encode())
    _, out, _ = desk.run("scan", "m.py")
    assert f"m.py:{LINE} " in out and "13 lines in 1 file read." in out


def test_files_that_are_all_left_out_fail_no_hook(desk, files):
    files(src__m=BAD)
    configure(desk, 'exclude = ["src"]')
    code, out, _ = desk.run("scan", "src/m.py")
    assert (code, "1 file left out by the configuration" in out) == (0, True)
    assert out.startswith("Passed: the configuration leaves out all files")


@pytest.mark.parametrize("path", ["nothing.py", "empty", "notes.txt"])
def test_a_path_that_holds_nothing_to_scan_ends_with_2(desk, path):
    (desk.folder / "empty").mkdir()
    (desk.folder / "notes.txt").write_text("x")
    code, out, err = desk.run("scan", path)
    assert (code, out) == (2, "")
    assert path in err


@pytest.mark.parametrize("form", [form for form in Format if form is not Format.CHROME_TRACE])
def test_every_format_names_the_line(desk, files, form):
    files(m=BAD)
    code, out, _ = desk.run("scan", "m.py", "--format", form.value)
    assert code == 1
    assert "lazy-cache" in out and str(LINE) in out


def test_a_saved_scan_is_shown_with_its_exit_code(desk, files):
    files(m=BAD)
    code, out, _ = desk.run("scan", "m.py", "--save", "s.json")
    again, shown, _ = desk.run("show", "s.json")
    assert (code, again) == (1, 1)
    assert shown == out
    assert json.loads((desk.folder / "s.json").read_text())["kind"] == "scan"


@pytest.mark.parametrize("damage", [lambda text: text[:60], lambda text: text.replace("13", "-1")])
def test_a_damaged_scan_names_no_command_that_never_wrote_it(desk, files, damage):
    files(m=GOOD)
    desk.run("scan", "m.py", "--save", "s.json", "-q")
    text = damage((desk.folder / "s.json").read_text())
    (desk.folder / "s.json").write_text(text)
    code, _, err = desk.run("show", "s.json")
    assert code == 2 and "ave it again with the command that wrote it." in err


def test_a_comment_suppresses_what_is_on_its_line(desk, files):
    files(m=BAD.replace("ones(4)", "ones(4)  # esper-audit: ignore[lazy-cache]"))
    code, out, _ = desk.run("scan", "m.py")
    assert code == 0
    assert "1 finding suppressed" in out


@pytest.mark.parametrize(
    ("comment", "said"),
    [
        (
            "# esper-audit: ignore[int-counter]",
            "ignore[int-counter] suppresses nothing on this line",
        ),
        ("# esper-audit: ignore[lazy-cash]", "ignore[lazy-cash] names no diagnosis"),
        ("# esper-audit: ignore", "this comment names no diagnosis"),
        ("# esper-audit: disable[lazy-cache]", "this comment names no diagnosis"),
    ],
)
def test_a_comment_that_is_of_no_use_is_told_and_suppresses_nothing(desk, files, comment, said):
    files(m=BAD.replace("ones(4)", f"ones(4)  {comment}"))
    code, out, _ = desk.run("scan", "m.py")
    assert code == 1
    assert f"m.py:{LINE}: {said}" in out


@pytest.mark.parametrize(
    "comment",
    [
        "# noqa: E501  # esper-audit: ignore[lazy-cache]",
        "# esper-audit: ignore[lazy-cache]  # esper-audit: ignore[lazy-cache]",
        "# Esper-Audit: ignore[lazy-cache] for a reason",
    ],
)
def test_a_comment_suppresses_beside_others_and_in_any_case(desk, files, comment):
    files(m=BAD.replace("ones(4)", f"ones(4)  {comment}"))
    code, out, _ = desk.run("scan", "m.py")
    assert (code, "suppresses nothing" in out) == (0, False)


def test_one_comment_may_name_several_diagnoses(desk, files):
    files(m=BAD.replace("ones(4)", "ones(4)  # esper-audit: ignore[int-counter, lazy-cache]"))
    code, out, _ = desk.run("scan", "m.py")
    assert code == 0
    assert "ignore[int-counter] suppresses nothing" in out


@pytest.mark.parametrize(
    ("made", "code"),
    [
        ("torch.ones(\n    4,\n)  {}", 0),
        ("torch.ones(4) + \\\n    1  {}", 0),
        ("torch.ones(\n    4,  {}\n)", 1),
        ("torch.ones(4)\n            x = x  {}", 1),
        ("torch.ones(4)\n            {}", 1),
    ],
)
def test_a_comment_at_the_end_of_a_statement_counts_for_all_its_lines(desk, files, made, code):
    made = made.format("# esper-audit: ignore[lazy-cache]")
    files(m=BAD.replace("torch.ones(4)", made))
    found, out, _ = desk.run("scan", "m.py")
    assert found == code
    assert ("suppresses nothing" in out) == bool(code)


def test_what_looks_like_a_comment_in_a_text_suppresses_nothing(desk, files):
    files(m=BAD.replace("ones(4)", 'ones(4, names="# esper-audit: ignore[lazy-cache]")'))
    assert desk.run("scan", "m.py")[0] == 1


@pytest.mark.parametrize(
    "text",
    [
        'ignore = ["lazy-cache"]',
        'exclude = ["src"]',
        'exclude = ["src/*.py"]',
        'exclude = ["m.py"]',
        'per-file-ignores = { "src/m.py" = ["lazy-cache"] }',
    ],
)
def test_the_configuration_leaves_findings_out(desk, files, text):
    files(src__m=BAD, n=GOOD)
    configure(desk, text)
    assert desk.run("scan", ".")[0] == 0


@pytest.mark.parametrize(
    "text",
    [
        'ignore = ["int-counter"]',
        'exclude = ["tests"]',
        'per-file-ignores = { "n.py" = ["lazy-cache"] }',
    ],
)
def test_the_configuration_leaves_nothing_else_out(desk, files, text):
    files(src__m=BAD, n=GOOD)
    configure(desk, text)
    assert desk.run("scan", "src")[0] == 1


def test_an_unknown_diagnosis_in_the_configuration_ends_with_2(desk, files):
    files(m=BAD)
    configure(desk, 'ignore = ["lazy-cash"]')
    code, _, err = desk.run("scan", ".")
    assert code == 2
    assert "ignore" in err


def test_without_paths_the_folder_of_the_project_is_scanned(desk, files, monkeypatch):
    files(src__m=BAD)
    configure(desk, "")
    monkeypatch.chdir(desk.folder / "src")
    assert desk.run("scan")[0] == 1


def test_writers_are_looked_for_in_the_whole_project(desk, files):
    model = BAD.replace("self.c = None", "self.a = 0.5").replace("if self.c is None:", "if True:")
    model = model.replace("self.c = torch.ones(4)", "y = x.clamp(max=self.a)").replace(
        "* self.c", "* y"
    )
    files(src__m=model, train="import torch\ndef f(m, rate):\n    m.a = rate\n")
    assert desk.run("scan", "src")[0] == 0
    configure(desk, "")
    code, out, _ = desk.run("scan", "src")
    assert code == 1
    assert "written at train.py:3 in f" in out


def test_a_scan_imports_neither_torch_nor_libcst_nor_the_files(desk, files):
    files(m=f"{BAD}\nraise SystemExit(7)\n")
    code = (
        "import sys\nfrom esper_audit.cli import main\nsys.argv = ['esper-audit', 'scan', 'm.py']\n"
        "try:\n    main()\nexcept SystemExit as left:\n    print(left.code)\n"
        "print(sorted({'torch', 'libcst', 'm'} & set(sys.modules)))\n"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.splitlines()[-2:] == ["1", "[]"]


def test_every_pattern_has_its_words():
    assert set(_WHAT) == set(Pattern)
