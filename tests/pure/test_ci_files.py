"""What other repositories run of this one fits the schemas of those who read it."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from esper_audit.cli.app import app

ROOT = Path(__file__).parents[2]
HOW_TO = (ROOT / "docs" / "how-to" / "gate-a-pull-request.md").read_text()
BLOCKS = dict(re.findall(r'```yaml title="(.+?)"\n(.*?)```', HOW_TO, re.DOTALL))
SCHEMAS = {
    ".github/workflows/recompiles.yml": "vendor.github-workflows",
    ".gitlab-ci.yml": "vendor.gitlab-ci",
}


def complaints(schema: str, file: Path) -> str:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", schema, str(file)]
    result = subprocess.run(command, capture_output=True, text=True)
    return "" if result.returncode == 0 else result.stdout + result.stderr


def test_the_action_fits_its_schema():
    assert complaints("vendor.github-actions", ROOT / "action.yml") == ""


@pytest.mark.parametrize("name", SCHEMAS)
def test_the_pipelines_of_the_how_to_fit_their_schemas(tmp_path, name):
    file = tmp_path / Path(name).name
    file.write_text(BLOCKS[name])
    assert complaints(SCHEMAS[name], file) == ""


def test_a_wrong_pipeline_does_not(tmp_path):
    file = tmp_path / "w.yml"
    file.write_text(BLOCKS[".github/workflows/recompiles.yml"].replace("runs-on", "run-on"))
    assert "run-on" in complaints("vendor.github-workflows", file)


def test_the_hook_that_the_how_to_names_is_there():
    [hook] = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())
    [repository] = yaml.safe_load(BLOCKS[".pre-commit-config.yaml"])["repos"]
    assert [known["id"] for known in repository["hooks"]] == [hook["id"]]


def test_the_outputs_that_the_how_to_uses_are_those_of_the_action():
    action = yaml.safe_load((ROOT / "action.yml").read_text())
    used = set(re.findall(r"steps\.gate\.outputs\.([\w-]+)", HOW_TO))
    assert used
    assert used <= set(action["outputs"])
    for name in ("markdown", "junit", "audit"):
        assert f"`{name}`" in HOW_TO and name in action["outputs"]


def commands() -> list[str]:
    """Every call of the tool in the pipelines, the action, the hook and the console blocks."""
    texts = [
        HOW_TO,
        (ROOT / "action.yml").read_text(),
        (ROOT / ".pre-commit-hooks.yaml").read_text(),
    ]
    joined = "\n".join(texts).replace("\\\n", " ")
    return sorted(
        set(re.findall(r"esper-audit (?:gate|run|compare|exec|show)\b[^`';\n|]*", joined))
    )


@pytest.mark.parametrize("command", commands())
def test_every_option_that_they_use_exists(command):
    _, name, *arguments = shlex.split(command.replace('"${arguments[@]}"', ""))
    group: Any = typer.main.get_command(app)
    known = group.get_command(None, name).params
    options = {
        option for parameter in known for option in (*parameter.opts, *parameter.secondary_opts)
    }
    used = {argument for argument in arguments if re.match(r"--?[a-z]", argument)}
    assert used <= options
