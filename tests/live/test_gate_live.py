"""The gate on the reference slot: a change that breaks it fails on the right line, everywhere."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from support import esper_audit

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.live
SELECTED = ("-k", "set_alpha_mid_rollout and buffer")
OUTPUTS = {
    "rich": "gate.ansi",
    "plain": "gate.txt",
    "json": "gate.json",
    "markdown": "gate.md",
    "junit": "gate.xml",
    "sarif": "gate.sarif",
    "github": "gate.github",
}


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A copy of the reference suite whose `buffer` is broken into `lazy_cache`, and gated."""
    folder = tmp_path_factory.mktemp("project")
    for name in ("slot", "scenarios"):
        shutil.copytree(ROOT / name, folder / name)
    for name in ("pyproject.toml", "esper-audit-baseline.json"):
        shutil.copy(ROOT / name, folder / name)
    strategies = folder / "slot" / "strategies.py"
    whole = strategies.read_text()
    assert '"buffer": Buffer,' in whole
    strategies.write_text(whole.replace('"buffer": Buffer,', '"buffer": LazyCache,'))
    outputs = [part for form, file in OUTPUTS.items() for part in ("--output", f"{form}={file}")]
    return folder, esper_audit("gate", *SELECTED, *outputs, cwd=folder)


def line_of_the_write(folder: Path) -> int:
    """Where ``LazyCache.write`` sets the value."""
    lines = (folder / "slot" / "strategies.py").read_text().splitlines()
    start = next(n for n, line in enumerate(lines) if line.startswith("class LazyCache"))
    return next(n for n in range(start, len(lines)) if "self.value = value" in lines[n]) + 1


def test_the_broken_slot_fails_the_committed_baseline(project):
    _, result = project
    assert result.returncode == 1, result.stderr
    assert "1 got worse" in result.stdout.splitlines()[0]
    assert "verdict: passed -> failed" in result.stdout
    accept = "esper-audit gate --update-baseline -k 'set_alpha_mid_rollout and buffer'"
    assert result.stdout.rstrip().splitlines()[-1] == accept


@pytest.mark.parametrize("form", OUTPUTS)
def test_every_format_names_the_line_that_brought_the_recompiles(project, form):
    folder, _ = project
    text = (folder / OUTPUTS[form]).read_text()
    line = line_of_the_write(folder)
    assert "float-specialized" in text
    places = {
        "json": rf'"file": "{folder}/slot/strategies.py",\s+"line": {line},',
        "junit": rf'file="slot/strategies.py" line="{line}"',
        "sarif": rf'"uri": "slot/strategies.py"(.|\n)*?"startLine": {line}\b',
        "github": rf"^::error file=slot/strategies.py,line={line},",
    }
    assert re.search(places.get(form, rf"LazyCache.write \(slot/strategies.py:{line}\)"), text)


def test_the_intact_slot_passes_its_baseline_and_no_other_torchs(tmp_path):
    result = esper_audit("gate", *SELECTED, cwd=ROOT)
    assert result.returncode == 0, result.stdout + result.stderr
    other = tmp_path / "b.json"
    text = (ROOT / "esper-audit-baseline.json").read_text()
    other.write_text(text.replace('"torch": "2.13.0"', '"torch": "2.7.0"'))
    result = esper_audit("gate", *SELECTED, "--baseline", str(other), cwd=ROOT)
    assert result.returncode == 1
    assert "its entries are for torch 2.7.0, cpu" in " ".join(result.stdout.split())


UNSTEADY = """
from pathlib import Path

import torch
from esper_audit import scenario

RUNS = Path(__file__).with_name("runs")


@scenario
def one_more_size_each_time(replay):
    with RUNS.open("a") as file:
        file.write("x")
    step = replay.compile(torch.nn.Linear(2, 2))
    with replay.warm_up():
        step(torch.ones(2, 2))
    for dtype in (torch.float32, torch.float64)[: RUNS.stat().st_size]:
        step.target.to(dtype)
        step(torch.ones(2, 2, dtype=dtype))
"""


def test_a_scenario_whose_counts_differ_is_named_as_such(tmp_path):
    (tmp_path / "unsteady.py").write_text(UNSTEADY)
    result = esper_audit("gate", "unsteady.py", "--repeat", "2", cwd=tmp_path)
    assert result.returncode == 1, result.stdout + result.stderr
    assert "1 not deterministic" in result.stdout.splitlines()[0]
    assert "compiles after warm-up: 0, 1 over 2 runs" in result.stdout


# --- the files that run it elsewhere ---


def script_of_the_action() -> str:
    action = yaml.safe_load((ROOT / "action.yml").read_text())
    return next(step["run"] for step in action["runs"]["steps"] if step.get("id") == "gate")


@pytest.mark.parametrize(("arguments", "code"), [("", 0), ("-k 'no such thing'", 2), ("-k 'x", 2)])
def test_the_action_reports_and_ends_as_the_gate_does(tmp_path, arguments, code):
    saved = tmp_path / "audit.json"
    if not arguments:
        first = esper_audit("gate", *SELECTED, "--save", str(saved), cwd=ROOT)
        assert first.returncode == 0
        arguments = str(saved)
    environment = os.environ | {
        "ARGS": arguments,
        "REPORTS": str(tmp_path / "reports"),
        "GITHUB_OUTPUT": str(tmp_path / "output"),
        "GITHUB_STEP_SUMMARY": str(tmp_path / "summary"),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    }
    result = subprocess.run(
        ["bash", "-e", "-o", "pipefail", "-c", script_of_the_action()],
        env=environment,
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert result.returncode == code, result.stderr
    assert f"exit-code={code}" in (tmp_path / "output").read_text()
    assert ("sarif=" in (tmp_path / "output").read_text()) is (code == 0)
    if code == 0:
        assert "::notice title=esper-audit::Passed" in result.stdout
        assert "Passed" in (tmp_path / "summary").read_text()
        sarif = json.loads((tmp_path / "reports" / "gate.sarif").read_text())
        assert sarif["version"] == "2.1.0"
