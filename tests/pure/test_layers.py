"""The layers of docs/explanation/architecture.md hold, and nothing imports torch too early."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "esper_audit"

# Ground to roof. A module may import from its own row and from those above it in this list.
LAYERS = [
    {"errors", "_version", "diagnoses", "marks", "notices", "comparisons"},
    {"events", "sources"},
    {"findings"},
    {"changes"},
    {"replays", "scenario_api", "storage", "config", "writers"},
    {"journal", "baseline_file"},
    {"_dynamo"},
    {"ledger"},
    {"recorder"},
    {"replay", "doctor"},
    {"plan"},
    {"diagnosis"},
    {"program", "gate"},
    {"report"},
    {"auditing"},
    {"api"},
    {"cli", "pytest_plugin"},
    {"__init__", "__main__"},
]
PURE = {
    *("errors", "_version", "events", "sources", "findings", "replays", "scenario_api", "storage"),
    *("config", "plan", "diagnosis", "report", "auditing", "cli", "__init__", "__main__"),
    *(
        "journal",
        "writers",
        "diagnoses",
        "marks",
        "notices",
        "program",
        "comparisons",
    ),
    *("api", "pytest_plugin", "changes", "baseline_file", "gate"),
}


def layer(name: str) -> int:
    return next(index for index, names in enumerate(LAYERS) if name in names)


def place(path: Path) -> str:
    """The first-level name that a file belongs to."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def files(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.py"))


def imports(path: Path, top_level_only: bool = False) -> set[str]:
    tree = ast.parse(path.read_text())
    nodes = tree.body if top_level_only else list(ast.walk(tree))
    found: set[str] = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {node.module or ""} | {f"{node.module}.{a.name}" for a in node.names}
    return found


def own_imports(path: Path) -> set[str]:
    parts = (name.split(".") for name in imports(path) if name.startswith("esper_audit"))
    known = {name for names in LAYERS for name in names}
    return {part[1] for part in parts if len(part) > 1 and part[1] in known}


@pytest.mark.parametrize("path", files(PACKAGE), ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_point_down(path):
    here = layer(place(path))
    if place(path) == "__init__":
        return
    above = {name for name in own_imports(path) if layer(name) > here}
    assert not above, f"{path.relative_to(ROOT)} imports from a higher layer: {above}"


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


@pytest.mark.parametrize("name", sorted(PURE))
def test_pure_layers_do_not_import_torch(name):
    for path in files(PACKAGE):
        if place(path) == name:
            assert not any(each.split(".")[0] == "torch" for each in imports(path)), path


def test_the_tool_knows_neither_slot_nor_scenarios():
    for path in files(PACKAGE):
        assert not {each.split(".")[0] for each in imports(path)} & {"slot", "scenarios"}, path


def test_slot_knows_torch_alone():
    allowed = {"torch", "slot", "__future__", *sys.stdlib_module_names}
    for path in files(ROOT / "slot"):
        assert {each.split(".")[0] for each in imports(path)} <= allowed, path


def test_scenarios_use_public_names():
    for path in files(ROOT / "scenarios"):
        used = {each for each in imports(path) if each.startswith("esper_audit.")}
        private = {each for each in used if any(p.startswith("_") for p in each.split("."))}
        assert not private, path


@pytest.mark.parametrize(
    "code",
    [
        "import esper_audit",
        "from esper_audit import scenario, Claim, Budget, ramp, skip",
        "import esper_audit.storage, esper_audit.report.terminal, esper_audit.diagnosis",
        "import esper_audit.cli.app, esper_audit.cli.run, esper_audit.cli.show",
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
