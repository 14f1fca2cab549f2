"""The baseline's file: one entry a line, and a clear word for a file that can't be used."""

from __future__ import annotations

import difflib
import json
import subprocess

import msgspec
import pytest

from esper_audit.data.baseline_file import dumps_baseline, load_baseline
from esper_audit.data.changes import Entry
from esper_audit.errors import UsageError


def entry(scenario: str, **fields) -> Entry:
    defaults = {"torch": "2.13.0", "device": "cpu", "in_warm_up": 1, "after_warm_up": 0}
    return Entry(scenario=scenario, **{**defaults, **fields})


ENTRIES = tuple(entry(name) for name in "abc")


def test_a_baseline_comes_back_as_it_was_written(tmp_path):
    path = tmp_path / "b.json"
    path.write_bytes(dumps_baseline(ENTRIES))
    assert load_baseline(path) == ENTRIES
    assert json.loads(path.read_text())[0] == {"kind": "baseline", "schema_version": 1}


def test_without_a_file_nothing_is_accepted(tmp_path):
    assert load_baseline(tmp_path / "none.json") == ()


@pytest.mark.parametrize("place", [0, 1, 2, 3])
def test_one_entry_more_is_one_line_more_wherever_it_stands(place):
    more = (*ENTRIES[:place], entry("new"), *ENTRIES[place:])
    texts = [dumps_baseline(entries).decode().splitlines() for entries in (ENTRIES, more)]
    changed = [line for line in difflib.ndiff(texts[0], texts[1]) if line[0] in "+-"]
    assert len(changed) == 1
    assert '"new"' in changed[0]


def test_two_branches_that_add_different_entries_merge_cleanly(tmp_path):
    middle = tuple(entry(name) for name in "bdfhjl")
    versions = {
        "ours": (entry("a"), *middle),
        "base": middle,
        "theirs": (*middle, entry("z")),
    }
    for name, entries in versions.items():
        (tmp_path / name).write_bytes(dumps_baseline(entries))
    merged = subprocess.run(
        ["git", "merge-file", "-p", *versions], cwd=tmp_path, capture_output=True, check=False
    )
    assert merged.returncode == 0
    (tmp_path / "merged").write_bytes(merged.stdout)
    assert len(load_baseline(tmp_path / "merged")) == 8


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("[{", "is not JSON", "--update-baseline"),
        (dumps_baseline(ENTRIES).decode()[:90], "is not JSON", "--update-baseline"),
        ("", "is not JSON", "--update-baseline"),
        ("[" * 100_000, "is not JSON", "--update-baseline"),
        ("\x00", "is not JSON", "--update-baseline"),
        ("{}", "is not a baseline", "--update-baseline"),
        ("[]", "is not a baseline", "--update-baseline"),
        ('{"schema_version": 1, "kind": "report"}', "is not a baseline", "--update-baseline"),
        ('[{"kind": "baseline", "schema_version": 2}]', "uses format 2", "Upgrade"),
        ('[{"kind": "baseline", "schema_version": 0}]', "uses format 0", "Move it aside"),
        ('[{"kind": "baseline", "schema_version": "1"}]', "uses format 1", "Move it aside"),
        ('[{"kind": "baseline", "schema_version": 1}, 3]', "does not fit format 1", "Fix the file"),
        (
            '[{"kind": "baseline", "schema_version": 1}, {"torch": "2"}]',
            "does not fit",
            "Fix the file",
        ),
        ("<<<<<<< ours\n[]\n=======\n>>>>>>> theirs\n", "merge conflict", "both sides"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_and_left_as_it_is(tmp_path, text, message, hint):
    path = tmp_path / "b.json"
    path.write_text(text)
    with pytest.raises(UsageError) as caught:
        load_baseline(path)
    assert message in str(caught.value)
    assert str(path) in str(caught.value)
    assert hint in caught.value.hint
    assert path.read_text() == text


def test_bytes_that_are_no_text_are_refused(tmp_path):
    path = tmp_path / "b.json"
    path.write_bytes(b'["\xff\xfe"]')
    with pytest.raises(UsageError, match="is not JSON"):
        load_baseline(path)


def test_two_entries_of_one_key_are_refused(tmp_path):
    path = tmp_path / "b.json"
    path.write_bytes(dumps_baseline([entry("a"), entry("a", after_warm_up=4)]))
    with pytest.raises(UsageError, match=r"has two entries for a \(torch 2.13.0, cpu\)"):
        load_baseline(path)


def test_an_unknown_field_is_refused():
    line = msgspec.json.encode(entry("a")).replace(b'"scenario"', b'"scenrio"')
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(line, type=Entry)
