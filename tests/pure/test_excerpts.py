"""Lines of source around a place: of a file that may be gone, changed, huge, or no source at all."""

from __future__ import annotations

import os

import pytest

from esper_audit.data.places import Location, cell_file
from esper_audit.report.words.excerpts import missing_words
from esper_audit.source import excerpts
from esper_audit.source.excerpts import Excerpt, Missing, SourceLines

TEXT = "".join(f"line {number}\n" for number in range(1, 11))


def around(path, line=5, began_at=None, root=""):
    return SourceLines(root).around(Location(str(path), line), began_at)


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "slot.py"
    path.write_text(TEXT)
    return path


def test_three_lines_before_and_after_are_shown_with_the_one_to_look_at(file):
    found = around(file)
    assert found == Excerpt(tuple(f"line {n}" for n in range(2, 9)), 2, 5)
    assert around(file, 1) == Excerpt(tuple(f"line {n}" for n in range(1, 5)), 1, 1)
    assert around(file, 10) == Excerpt(tuple(f"line {n}" for n in range(7, 11)), 7, 10)


def test_a_relative_path_is_read_from_the_project(file):
    assert isinstance(around("slot.py", root=str(file.parent)), Excerpt)
    assert around("slot.py") is Missing.NOT_HERE


def test_a_file_that_is_newer_than_the_recording_is_told_so(file):
    os.utime(file, (1000, 1000))
    assert around(file, began_at=2000.0).changed is False
    assert around(file, began_at=500.0).changed is True
    assert around(file).changed is False, "nobody knows when it was recorded"


@pytest.mark.parametrize("line", [0, -1, 11, 10**9])
def test_a_line_that_the_file_does_not_have_is_told(file, line):
    assert around(file, line) is Missing.NO_SUCH_LINE


def test_what_is_no_file_of_source_is_never_read(tmp_path):
    pipe = tmp_path / "pipe.py"
    os.mkfifo(pipe)
    folder = tmp_path / "folder.py"
    folder.mkdir()
    secret = tmp_path / "id_rsa"
    secret.write_text(TEXT)
    assert around(pipe) is Missing.NOT_HERE
    assert around(folder) is Missing.NOT_HERE
    assert around(tmp_path / "gone.py") is Missing.NOT_HERE
    assert around(secret) is Missing.NO_PYTHON
    assert around(cell_file(3)) is Missing.CELL
    assert around("a\0.py", root="/p") in (Missing.NOT_HERE, Missing.UNREADABLE)
    assert around(f"/{'x' * 5000}.py") in (Missing.NOT_HERE, Missing.UNREADABLE)


def test_a_file_that_is_too_large_is_not_read_whole(file, monkeypatch):
    monkeypatch.setattr(excerpts, "MOST_BYTES", 20)
    assert around(file) is Missing.TOO_LARGE


@pytest.mark.parametrize(
    ("data", "line"),
    [
        (b"# coding: latin-1\nx = '\xe4'\n", "x = 'ä'"),
        ("\ufeffa\nx = 'ä'\n".encode(), "x = 'ä'"),
        (b"a\r\nb\r\n", "b"),
        (b"a\rb\rc", "b"),
        (b"a\nb\0", "b\0"),
        (b"a\n" + b"y" * 1000, "y" * 239 + "…"),
    ],
)
def test_a_file_is_read_in_its_own_encoding_whatever_it_holds(tmp_path, data, line):
    path = tmp_path / "odd.py"
    path.write_bytes(data)
    found = around(path, 2)
    assert isinstance(found, Excerpt)
    assert found.lines[found.marked - found.first] == line


def test_bytes_that_are_no_text_are_shown_as_what_they_are(tmp_path):
    path = tmp_path / "odd.py"
    path.write_bytes(b"a\nb\nc = '\xff'\n")
    assert around(path, 3).lines[-1] == "c = '\ufffd'"


def test_an_encoding_that_there_is_not_is_told(tmp_path):
    path = tmp_path / "odd.py"
    path.write_bytes(b"# coding: klingon\nx\n")
    assert around(path, 2) is Missing.UNREADABLE


def test_a_file_is_read_once(file, monkeypatch):
    lines = SourceLines()
    lines.around(Location(str(file), 1))
    file.unlink()
    assert isinstance(lines.around(Location(str(file), 2)), Excerpt)


def test_each_reason_has_words():
    assert len({missing_words(missing) for missing in Missing}) == len(Missing)
