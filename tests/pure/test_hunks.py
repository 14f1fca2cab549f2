"""A unified diff read back: its changes, what two of them make together, and a text with them."""

from __future__ import annotations

import difflib
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from esper_audit.data.remedies import Edit
from esper_audit.remedies.diffs import unified
from esper_audit.remedies.hunks import (
    Change,
    OverlapError,
    StaleError,
    applied,
    changes_in,
    merged,
)

BEFORE = "a\nb\nc\nd\ne\nf\ng\nh\n"


def diff(before, after, file="m.py", context=3):
    """As `git diff` writes it, also where a last line has no end."""
    lines = difflib.unified_diff(_split(before), _split(after), f"a/{file}", f"b/{file}", n=context)
    ended = (
        line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines
    )
    return "".join(ended)


def _split(text):
    *whole, last = text.split("\n")
    return [*(f"{line}\n" for line in whole), *([last] if last else [])]


LINES = st.lists(
    st.sampled_from(["a", "b", "- c", "", "\f", "+++ x", "@@ -1 +1 @@", "é"]), max_size=9
)
TEXTS = st.builds(lambda lines, end: "\n".join(lines) + end, LINES, st.sampled_from(["", "\n"]))


@given(TEXTS, TEXTS, st.sampled_from([0, 1, 3]))
def test_a_diff_applied_to_its_text_gives_the_other(before, after, context):
    changes = changes_in(diff(before, after, context=context))
    assert applied(before, changes.get("m.py", ())) == after


def test_a_change_names_its_lines_from_zero():
    assert changes_in(diff(BEFORE, BEFORE.replace("c\n", "C\nD\n"))) == {
        "m.py": (Change(2, ("c\n",), ("C\n", "D\n")),)
    }


def test_lines_keep_their_ends_and_their_separators():
    before = "a\r\nb\x0c\r\nc\r\n"
    for made_from in (before, before.replace("\r\n", "\n")):
        changes = changes_in(diff(made_from, made_from.replace("b\x0c", "B")))
        assert applied(before, changes["m.py"]) == "a\r\nB\r\nc\r\n"


def test_a_text_that_is_another_takes_no_patch():
    changes = changes_in(diff(BEFORE, BEFORE.replace("c", "C")))["m.py"]
    for other in ("a\nb\nX\nd\n", "", f"new\n{BEFORE}"):
        with pytest.raises(StaleError):
            applied(other, changes)


def both(first, second, text=BEFORE):
    made = merged(changes_in(diff(text, first)), changes_in(diff(text, second)))
    return applied(text, made["m.py"])


def test_two_patches_of_one_file_are_made_one():
    assert both(BEFORE.replace("b", "B"), BEFORE.replace("g\n", "")) == "a\nB\nc\nd\ne\nf\nh\n"


def test_the_same_change_of_two_patches_is_made_once():
    first = BEFORE.replace("a\n", "import x\na\n")
    assert both(first.replace("c", "C"), first.replace("g", "G")) == (
        "import x\na\nb\nC\nd\ne\nf\nG\nh\n"
    )


def test_two_insertions_before_one_line_follow_each_other():
    made = both(BEFORE.replace("d", "one\nd"), BEFORE.replace("d", "two\nd"))
    assert made == BEFORE.replace("d", "one\ntwo\nd")


@pytest.mark.parametrize("other", ["a\nb\nX\nd\n", "a\nX\nd\n", "a\nb\nc\n"])
def test_two_changes_of_one_line_do_not_go_together(other):
    with pytest.raises(OverlapError):
        both("a\nb\nC\nD\n", other, "a\nb\nc\nd\n")


def test_files_of_two_patches_stand_side_by_side():
    made = merged(changes_in(diff("a\n", "b\n", "x.py")), changes_in(diff("c\n", "d\n", "y z.py")))
    assert set(made) == {"x.py", "y z.py"}


def test_git_and_this_reader_agree(tmp_path):
    (tmp_path / "m.py").write_text(BEFORE)
    after = BEFORE.replace("b", "B\n\tB2  ").replace("h\n", "H")
    text = diff(BEFORE, after)
    subprocess.run(["git", "apply", "-"], input=text, text=True, cwd=tmp_path, check=True)
    assert (tmp_path / "m.py").read_text() == after == applied(BEFORE, changes_in(text)["m.py"])


@pytest.mark.parametrize("name", ["m.py", "a b/c d.py", 'odd"\\\t.py', "b/é.py", "tab\there.py"])
def test_names_are_read_as_a_diff_writes_them(name):
    text = unified([Edit(file=f"/p/{name}", before="a\n", after="b\n")], "/p")
    assert set(changes_in(text)) == {name}
