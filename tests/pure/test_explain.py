"""``esper-audit explain``: every page, in every installation, readable without a browser."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from rich.console import Console

from esper_audit.cli import output
from esper_audit.data import pages
from esper_audit.data.diagnoses import MEANINGS, Diagnosis
from esper_audit.report.manual import Rule, index

ROOT = Path(__file__).parents[2]
SOURCES = ROOT / "docs/reference/diagnoses"


@pytest.mark.parametrize("diagnosis", Diagnosis)
def test_every_diagnosis_has_a_page_that_needs_no_link(diagnosis):
    page = Rule(diagnosis).page
    assert page.startswith(f"# `{diagnosis}`\n")
    assert "## How to fix it" in page
    prose = re.sub(r"^```.*?^```$", "", page, flags=re.DOTALL | re.MULTILINE)
    assert "](" not in prose and "../" not in prose


@pytest.mark.parametrize("diagnosis", Diagnosis)
def test_the_code_of_a_page_is_left_as_it_is(diagnosis):
    blocks = re.compile(r"^```.*?^```$", re.DOTALL | re.MULTILINE)
    source = (SOURCES / f"{diagnosis}.md").read_text()
    assert blocks.findall(Rule(diagnosis).page) == blocks.findall(source)


def test_a_link_to_another_diagnosis_becomes_its_name_and_a_command():
    page = "# `x`\n\nthe [limit](eager-after-limit.md#a), see [`flag-changed`](flag-changed.md)\n"
    assert "the limit (`eager-after-limit`), see `flag-changed`" in pages.standalone(page)
    assert pages.links(page)[0] == [Diagnosis.EAGER_AFTER_LIMIT, Diagnosis.FLAG_CHANGED]
    assert "- esper-audit explain eager-after-limit" in Rule("float-specialized").page


def test_a_link_to_another_document_becomes_its_address():
    page = "see [this](../../how-to/write-a-scenario.md) and [that](https://x.org/y)\n"
    base = "https://github.com/esper-audit/esper-audit/blob/main/docs"
    assert pages.standalone(page) == "see this and that\n"
    assert pages.links(page)[1] == [f"{base}/how-to/write-a-scenario.md", "https://x.org/y"]


def test_what_looks_like_a_link_in_code_is_none():
    page = "```python\nf[0](x.md)\n```\n[a](size-changed.md)\n"
    assert pages.standalone(page) == "```python\nf[0](x.md)\n```\na (`size-changed`)\n"
    assert pages.links(page) == ([Diagnosis.SIZE_CHANGED], [])


def test_the_page_is_plain_text_where_stdout_is_no_terminal(desk):
    code, out, err = desk.run("explain", "float-specialized")
    assert (code, err) == (0, "")
    assert out.startswith("# `float-specialized`\n") and "\x1b" not in out
    assert desk.run("explain", "float-specialized", "--format", "markdown")[1] == out


def test_without_an_identifier_each_has_one_line(desk):
    code, out, _ = desk.run("explain")
    lines = out.splitlines()
    assert code == 0
    assert [line.split(": ")[0] for line in lines] == [rule.id for rule in index()]
    assert f"lazy-cache: {MEANINGS[Diagnosis.LAZY_CACHE].what}." in lines


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("flot-specialized", "'flot-specialized' (did you mean 'float-specialized'?)."),
        ("eager", "'eager' (did you mean 'eager-"),
        ("zzz", "'zzz'."),
        ("../../secret", "'../../secret'."),
        ("README", "'README'."),
        ("\x1b[31m", r"'\x1b[31m'."),
    ],
)
def test_an_unknown_identifier_is_refused_with_the_closest(desk, name, said):
    code, out, err = desk.run("explain", name)
    assert (code, out) == (2, "")
    assert f"There is no diagnosis {said}" in err
    assert "\x1b" not in err


def test_an_identifier_is_found_in_capitals_too(desk):
    assert desk.run("explain", "Float-Specialized")[1].startswith("# `float-specialized`")


def test_programs_get_the_page_as_json(desk):
    one = json.loads(desk.run("explain", "int-counter", "--format", "json")[1])
    assert one["id"] == "int-counter" and one["page"] == Rule("int-counter").page
    assert one["url"].endswith("/docs/reference/diagnoses/int-counter.md")
    every = json.loads(desk.run("explain", "--format", "json")[1])
    assert one in every and len(every) == len(index())


@pytest.mark.parametrize("name", ["stale-output", "worse"])
def test_a_terminal_shows_the_page_drawn(desk, monkeypatch, name):
    console = Console(force_terminal=True, width=60, color_system="standard", _environ={})
    monkeypatch.setattr(output, "stdout", lambda: console)
    code, out, _ = desk.run("explain", name)
    plain = re.sub(r"\x1b\[[\d;]*m", "", out)
    assert code == 0 and out != plain
    assert "# `" not in plain and "```" not in plain
    address = Rule(name).also[-1]
    assert f"  {address}\n" in plain, "an address that is wrapped can't be followed"


def test_a_terminal_shows_the_titles_of_code(desk, monkeypatch):
    console = Console(force_terminal=True, width=60, color_system=None, _environ={})
    monkeypatch.setattr(output, "stdout", lambda: console)
    assert {"example:", "fixed:"} <= {
        line.strip() for line in desk.run("explain", "int-counter")[1].splitlines()
    }


def test_a_page_that_is_missing_is_named_with_its_address(desk, monkeypatch, tmp_path):
    monkeypatch.setattr(pages, "_FOLDERS", (tmp_path,))
    code, _, err = desk.run("explain", "int-counter")
    assert code == 3
    assert "The page of int-counter is not in this installation." in err
    assert "/docs/reference/diagnoses/int-counter.md" in err


def test_the_pages_travel_in_the_wheel(tmp_path):
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    [wheel] = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "installed")
    found = (tmp_path / "installed/esper_audit/data/diagnosis_pages").glob("*.md")
    assert {page.stem for page in found} == {*map(str, Diagnosis), "README"}
    style = tmp_path / "installed/esper_audit/report/html"
    assert {path.name for path in style.iterdir()} >= {"style.css", "page.js"}
    code = (
        "import sys; from esper_audit.report.manual import Rule; from esper_audit.data import pages;"
        "pages._FOLDERS = pages._FOLDERS[:1]; print(pages._FOLDERS[0]); print(Rule('int-counter').page);"
        "sys.exit('torch' in sys.modules)"
    )
    environment = os.environ | {"PYTHONPATH": str(tmp_path / "installed")}
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout.startswith(str(tmp_path / "installed"))
    assert Rule("int-counter").page in result.stdout
