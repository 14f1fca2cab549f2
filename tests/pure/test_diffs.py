from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from esper_audit.data.remedies import Edit
from esper_audit.remedies.diffs import merged, unified

LINES = "".join(f"line {number}\n" for number in range(30))


def applied(root: Path, edits: list[Edit]) -> None:
    """Apply their diff with git, in a folder that is a repository of its own."""
    diff = unified(edits, str(root))
    subprocess.run(["git", "init", "-q", str(root)], check=True)
    command = ["git", "-c", "core.autocrlf=false", "apply", "--whitespace=nowarn", "-"]
    done = subprocess.run(command, cwd=root, input=diff.encode(), capture_output=True)
    assert done.returncode == 0, (done.stderr.decode(), diff)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (LINES, LINES.replace("line 3\n", "line three\n").replace("line 25\n", "")),
        ("a\nb", "a\nc"),
        ("a\nb\n", "a\nb"),
        ("a\nb", "a\nb\nc\n"),
        ("a\r\nb\r\nc\r\n", "a\r\nB\r\nc\r\n"),
        ("a\r\nb", "a\r\nb\r\nc"),
        ("a\fb\nc\n", "a\fb\nd\n"),
        ("a\u2028b\nc\n", "a\u2028b\nd\n"),
        ("one\rtwo\n", "one\rthree\n"),
        ("\ufeffimport a\n", "\ufeffimport b\n"),
        ("x = 1\n", ""),
    ],
)
def test_git_applies_the_diff_of_any_text(before, after, tmp_path: Path):
    file = tmp_path / "host.py"
    file.write_bytes(before.encode())
    applied(tmp_path, [Edit(file=str(file), before=before, after=after)])
    assert (file.read_bytes() if file.exists() else b"") == after.encode()


@pytest.mark.parametrize("name", ["a b.py", "é.py", 'q"q.py', "in/side.py", "tab\tbed.py"])
def test_git_applies_the_diff_of_any_name(name, tmp_path: Path):
    file = tmp_path / name
    file.parent.mkdir(exist_ok=True)
    file.write_text("x = 1\n")
    applied(tmp_path, [Edit(file=str(file), before="x = 1\n", after="x = 2\n")])
    assert file.read_text() == "x = 2\n"


def test_a_diff_holds_each_file_that_changes():
    same = Edit(file="/p/a.py", before="x\n", after="x\n")
    other = Edit(file="/p/in/b.py", before="x\n", after="y\n")
    assert unified([same, other], "/p").splitlines()[:2] == ["--- a/in/b.py", "+++ b/in/b.py"]


def test_edits_of_different_lines_merge():
    one = Edit(file="a", before=LINES, after=LINES.replace("line 3\n", "line three\n"))
    two = Edit(file="a", before=LINES, after=LINES.replace("line 20\n", "20\n21\n"))
    both = LINES.replace("line 3\n", "line three\n").replace("line 20\n", "20\n21\n")
    assert merged([one, two]) == (Edit(file="a", before=LINES, after=both),)


def test_edits_that_share_a_change_merge():
    one = Edit(file="a", before=LINES, after="import torch\n" + LINES.replace("line 3\n", "3\n"))
    two = Edit(file="a", before=LINES, after="import torch\n" + LINES.replace("line 9\n", "9\n"))
    (both,) = merged([one, two]) or ()
    assert both.after.count("import torch") == 1
    assert "\n3\n" in both.after and "\n9\n" in both.after


@pytest.mark.parametrize("other", ["4\n", ""])
def test_edits_of_the_same_line_do_not_merge(other):
    one = Edit(file="a", before=LINES, after=LINES.replace("line 3\n", "3\n"))
    two = Edit(file="a", before=LINES, after=LINES.replace("line 3\n", other))
    assert merged([one, two]) is None


def test_edits_of_different_texts_do_not_merge():
    one = Edit(file="a", before="x\n", after="y\n")
    assert merged([one, Edit(file="a", before="z\n", after="y\n")]) is None
