"""What import-linter (pyproject.toml) can't see: names of torch, import times, sizes of files."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "esper_audit"


MOST_ENTRIES = 24
"""At the package's top level: about six ideas, and the doors to them."""


def place(path: Path) -> str:
    """The first-level name that a file belongs to."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def files(folder: Path) -> list[Path]:
    found = sorted(folder.rglob("*.py"))
    assert found, f"there is nothing to check in {folder}"
    return found


def imports(path: Path, top_level_only: bool = False) -> set[str]:
    tree = ast.parse(path.read_text())
    nodes = tree.body if top_level_only else list(ast.walk(tree))
    found: set[str] = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {node.module or ""} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def torch_internals(path: Path) -> set[str]:
    """Dotted names of torch with a private part, in code and in import statements."""
    found = {name for name in imports(path) if name.startswith("torch._")}
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Attribute):
            dotted = ast.unparse(node)
            if dotted.startswith("torch.") and "._" in dotted:
                found.add(dotted)
    return found


@pytest.mark.parametrize(
    "path",
    [path for path in files(PACKAGE) if place(path) != "_dynamo"],
    ids=lambda path: str(path.relative_to(ROOT)),
)
def test_only_the_adapter_names_torch_internals(path):
    assert torch_internals(path) == set()


def test_the_check_for_internals_can_fail():
    assert torch_internals(PACKAGE / "_dynamo" / "stand_in_device.py")


def test_the_top_level_holds_few_entries():
    entries = {path.name for path in PACKAGE.iterdir()} - {"__pycache__"}
    assert len(entries) <= MOST_ENTRIES, sorted(entries)


def test_slot_knows_torch_alone():
    allowed = {"torch", "slot", "__future__", *sys.stdlib_module_names}
    for path in files(ROOT / "slot"):
        assert {name.split(".")[0] for name in imports(path)} <= allowed, path


def test_scenarios_use_public_names():
    for path in files(ROOT / "scenarios"):
        used = {name for name in imports(path) if name.startswith("esper_audit.")}
        private = {name for name in used if any(part.startswith("_") for part in name.split("."))}
        assert not private, path


@pytest.mark.parametrize(
    "code",
    [
        "import esper_audit",
        "from esper_audit import scenario, Claim, Budget, ramp, skip",
        "import esper_audit.data.storage, esper_audit.report.build, esper_audit.report.text.terminal, esper_audit.diagnosis",
        "import esper_audit.cli.app, esper_audit.cli.run, esper_audit.cli.show",
        "from esper_audit.integrations import lightning, metrics, notebook, tensorboard",
    ],
)
def test_importing_does_not_import_torch(code):
    check = f"{code}; import sys; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", check], cwd=ROOT).returncode == 0


def test_no_file_grows_past_350_lines():
    long = {
        str(path.relative_to(ROOT)): count
        for folder in ("esper_audit", "slot", "scenarios", "tests", "benchmarks")
        for path in files(ROOT / folder)
        if (count := len(path.read_text().splitlines())) > 350
    }
    assert not long


def says_each(source: str) -> list[int]:
    """The lines that give a variable the name ``each``, which doesn't tell what it holds."""
    return [
        node.lineno
        for node in ast.walk(ast.parse(source))
        if (isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store) and node.id == "each")
        or (isinstance(node, ast.arg) and node.arg == "each")
    ]


def test_no_variable_is_named_each():
    found = {
        str(path.relative_to(ROOT)): lines
        for path in files(PACKAGE)
        if (lines := says_each(path.read_text()))
    }
    assert not found


@pytest.mark.parametrize("code", ["[each for each in y]", "for each in y: ...", "lambda each: 1"])
def test_the_check_for_each_can_fail(code):
    assert says_each(code) == [1]
