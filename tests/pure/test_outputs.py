"""Where a report goes: ``--output [FORMAT=]FILE``."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from esper_audit.data.storage import _is_stream, write_atomically
from esper_audit.errors import UsageError
from esper_audit.report.formats import Format, Output, parse_outputs


@pytest.mark.parametrize(
    ("text", "form", "file"),
    [
        ("b.json", "json", "b.json"),
        ("gate.md", "markdown", "gate.md"),
        ("out/report.html", "html", "out/report.html"),
        ("junit.XML", "junit", "junit.XML"),
        ("a.sarif", "sarif", "a.sarif"),
        ("a.sarif.json", "sarif", "a.sarif.json"),
        ("out/r.txt", "plain", "out/r.txt"),
        ("./odd=name.json", "json", "odd=name.json"),
        ("sarif=a.sarif", "sarif", "a.sarif"),
        ("sarif=a.json", "sarif", "a.json"),
        ("github=annotations.log", "github", "annotations.log"),
        ("rich=report.ansi", "rich", "report.ansi"),
        ("json=report", "json", "report"),
        ("json=/dev/stdout", "json", "/dev/stdout"),
    ],
)
def test_a_prefix_or_a_known_suffix_says_the_format(text, form, file):
    [output] = parse_outputs([text])
    assert (output.format.value, str(output.path)) == (form, file)


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("serif=a.sarif", r"unknown format 'serif' \(did you mean 'sarif'\?\)", "Formats: rich,"),
        ("sarif=", "--output sarif= has no file", "FORMAT=FILE"),
        ("json=x.sarif", "suffix .sarif means sarif", "Write sarif=x.sarif"),
        ("json=x.sarif.json", "suffix .sarif.json means sarif", "another suffix"),
        ("sarif=x.md", "would hold sarif, but the suffix .md means markdown", "markdown=x.md"),
        ("github=x.txt", "would hold github, but the suffix .txt means plain", "plain=x.txt"),
        ("report", "the name 'report' does not tell the format", ".xml (junit)"),
        ("report.log", "does not tell the format", "--output FORMAT=FILE"),
        ("/dev/stdout", "does not tell the format", "rich, plain, json"),
    ],
)
def test_a_name_that_contradicts_or_tells_nothing_is_refused(text, message, hint):
    with pytest.raises(UsageError, match=message) as caught:
        parse_outputs([text])
    assert hint in caught.value.hint


def test_a_format_is_known_in_upper_case():
    assert parse_outputs(["JSON=x.out"]) == (Output(Format.JSON, Path("x.out")),)


def test_a_stream_is_written_to_and_what_it_holds_stays(tmp_path):
    script = "from pathlib import Path; from esper_audit.data.storage import write_atomically as w;"
    script += " w(Path('/dev/stdout'), b'report')"
    out = tmp_path / "out.txt"
    out.write_text("before ")
    with out.open("a") as stream:
        subprocess.run([sys.executable, "-c", script], stdout=stream, check=True)
    assert out.read_text() == "before report"
    piped = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True)
    assert piped.stdout == b"report"


@pytest.mark.parametrize("name", ["/dev/fd/1", "/proc/self/fd/1", "/dev/stdout", "/dev/stderr"])
def test_a_descriptor_is_a_stream(name):
    assert _is_stream(Path(name))


def test_a_regular_file_in_shared_memory_is_replaced_and_not_added_to():
    path = Path(f"/dev/shm/esper-audit-test-{os.getpid()}.json")
    if not path.parent.is_dir():
        pytest.skip("this system has no /dev/shm")
    try:
        for text in (b"first", b"second"):
            write_atomically(path, text)
        assert path.read_bytes() == b"second"
    finally:
        path.unlink(missing_ok=True)
