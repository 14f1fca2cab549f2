"""The pages for those who change the tool: every file and command that they name exists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "esper_audit"
GUIDE = ROOT / "CONTRIBUTING.md"
PAGES = [
    GUIDE,
    ROOT / "docs/explanation/architecture.md",
    ROOT / "docs/explanation/how-it-works.md",
]
PLACES = [ROOT, PACKAGE, ROOT / "tests/live", ROOT / "tests/pure"]


def exists(name: str) -> bool:
    """Whether a page's name for a file or folder leads somewhere; NAME stands for a new one."""
    return "NAME" in name or any((place / name).exists() for place in PLACES)


def named_in(text: str) -> list[str]:
    """The files and the folders that a page names: ``a/b.py``, ``docs/x.md``, ``report/text/``."""
    text = re.sub(r"https?://\S+|torch/[\w/]+\.py|\S*\*\S*", "", text)
    found = re.findall(r"[\w./-]+\.(?:py|md|toml|json|txt)\b|(?<=[`\s])[\w./-]+/(?=[`\s])", text)
    return sorted({name.removeprefix("../../") for name in found if not name.startswith("/")})


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_file_and_folder_that_a_page_names_exists(page):
    names = named_in(page.read_text())
    assert len(names) > 3
    assert [name for name in names if not exists(name) and not (page.parent / name).exists()] == []


def test_a_file_that_is_not_there_would_be_found():
    assert named_in("see `diagnosis/gone.py` and `nowhere/`") == ["diagnosis/gone.py", "nowhere/"]
    assert not exists("diagnosis/gone.py") and not exists("nowhere/")


def test_every_command_of_dev_that_the_guide_names_exists():
    named = set(re.findall(r"\./dev (\w+)", GUIDE.read_text()))
    cases = set(re.findall(r"^    (\w+)\)", (ROOT / "dev").read_text(), re.MULTILINE))
    assert {"setup", "check", "test", "schemas", "picture"} <= named <= cases


def test_every_test_that_the_guide_names_exists():
    named = set(re.findall(r"`(test_\w+)`", GUIDE.read_text()))
    tests = "".join(path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))
    assert named and [name for name in sorted(named) if f"def {name}(" not in tests] == []


def test_the_map_shows_every_room():
    shown = (ROOT / "docs/explanation/architecture.md").read_text()
    rooms = {path.name for path in PACKAGE.iterdir()} - {"__pycache__", "py.typed"}
    missing = {name for name in rooms if name not in shown}
    assert missing == {"__main__.py"}
