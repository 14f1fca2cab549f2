"""Every command, option, key, message and exit code is documented, and the documents hold true."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Any

import msgspec
import pytest
import typer

from esper_audit.cli.app import app
from esper_audit.data import audits, compiles, config, findings, recording, steps, verdicts
from esper_audit.data.diagnoses import MEANINGS, Diagnosis
from esper_audit.diagnosis import kinds
from esper_audit.errors import ExitCode
from esper_audit.replay.compare import DEFAULT_TOLERANCES
from esper_audit.report.formats import Format

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
ALL = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(DOCS.rglob("*.md"))]


def read(name: str) -> str:
    return (DOCS / name).read_text()


def commands():
    group: Any = typer.main.get_command(app)
    return {name: group.get_command(None, name) for name in group.list_commands(None)}


@pytest.mark.parametrize("name", sorted(commands()))
def test_every_command_and_option_is_documented(name):
    text = read("reference/cli.md")
    assert f"esper-audit {name}" in text
    for parameter in commands()[name].params:
        for option in (*parameter.opts, *parameter.secondary_opts):
            if option.startswith("-") and not parameter.hidden:
                assert f"`{option}" in text, f"{name} {option}"


def test_every_format_is_documented():
    text = read("reference/cli.md")
    assert [form for form in Format if f"| `{form}` |" not in text] == []


@pytest.mark.parametrize("diagnosis", Diagnosis)
def test_the_index_of_diagnoses_says_what_reports_say(diagnosis):
    what = MEANINGS[diagnosis].what
    sentence = f"{what[0].upper()}{what[1:]}{'' if what.endswith('…') else '.'}"
    row = f"| [`{diagnosis}`]({diagnosis}.md) | {sentence} |"
    assert row in read("reference/diagnoses/README.md").splitlines()


def test_every_group_of_kinds_is_documented():
    groups = [kind for kind in kinds.KINDS if kind not in {*Diagnosis, *kinds.CHANGES}]
    text = read("reference/cli.md")
    assert groups and [kind for kind in groups if f"| `{kind}` |" not in text] == []


def test_every_exit_code_is_documented():
    text = read("reference/exit-codes.md")
    words = {"CLEAN": "clean", "FINDINGS": "findings", "USAGE": "usage", "INCOMPLETE": "incomplete"}
    for code in ExitCode:
        assert f"| {code.value} | {words[code.name]} |" in text


def test_every_configuration_key_is_documented():
    text = read("reference/configuration.md")
    for field in msgspec.structs.fields(config.Settings):
        assert f"| `{field.encode_name}` |" in text, field.encode_name
    for dtype, (rtol, atol) in DEFAULT_TOLERANCES.items():
        written = re.search(rf"{dtype}\s+`\[(\S+), (\S+)\]`", text)
        assert written is not None and tuple(map(float, written.groups())) == (rtol, atol)


@pytest.mark.parametrize(
    "cls",
    [
        *(
            audits.Report,
            audits.Audit,
            audits.JudgedStep,
            audits.ProgramReport,
            audits.ProgramAudit,
        ),
        *(recording.Recording, steps.Step, compiles.Compile, compiles.GuardFailure),
        *(findings.Finding, findings.FrameSummary),
    ],
)
def test_every_field_of_the_format_is_documented(cls):
    text = read("reference/recording-format.md")
    undocumented = {
        field.name
        for field in msgspec.inspect.type_info(cls).fields  # type: ignore[attr-defined]
        if f"`{field.name}`" not in text
    }
    allowed = {"torch_source", "text", "stack", "wall_seconds"} | {"notes"}
    assert undocumented <= allowed, undocumented


def raised_messages() -> list[tuple[str, list[str]]]:
    """The constant parts of each error that the tool raises, by file."""
    found = []
    for path in sorted((ROOT / "esper_audit").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            name = getattr(getattr(node, "func", None), "id", "")
            if name in ("UsageError", "IncompleteError", "NothingSelectedError") and node.args:  # type: ignore[attr-defined]
                parts = [
                    part.value
                    for part in ast.walk(node.args[0])  # type: ignore[attr-defined]
                    if isinstance(part, ast.Constant) and isinstance(part.value, str)
                ]
                found.append((path.name, parts))
    return found


@pytest.mark.parametrize(("file", "parts"), raised_messages(), ids=str)
def test_every_message_is_documented(file, parts):
    text = read("reference/messages.md")
    telling = [part.strip(" \n:.,()[") for part in parts if len(part.strip()) > 6]
    telling = [part for part in telling if part not in ("no parameters", "a file without suffix")]
    # Two files make their message of what they were told is wrong.
    assert telling or file in ("config.py", "values.py"), (
        f"{file}: a message of variables alone says nothing"
    )
    for part in telling:
        assert part in text, part


def test_there_are_messages_to_check():
    assert len(raised_messages()) > 20


def test_every_plugin_option_and_marker_is_documented():
    from esper_audit.pytest_plugin import asked

    text = read("reference/pytest-plugin.md")
    for key in (*asked.FLAGS, *asked.TEXTS):
        assert f"`{asked.flag(key)}" in text
        assert f"`{key} = " in text
    for marker in asked.MARKERS:
        assert f"`@pytest.mark.{marker.split('(')[0].split(':')[0]}" in text


def test_every_public_name_is_documented():
    import esper_audit

    text = read("reference/python-api.md") + read("reference/scenario-api.md")
    names = {name for name in esper_audit.__all__ if not name.startswith("__")}
    assert not {name for name in names if f"`{name}" not in text}


@pytest.mark.parametrize("page", ALL, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#]+)\)", page.read_text()):
        if "://" not in target:
            assert (page.parent / target).exists(), target


def links_of(page):
    targets = re.findall(r"\]\(([^)#]+)\)", page.read_text())
    return {(page.parent / target).resolve() for target in targets if "://" not in target}


def test_every_page_is_linked_from_the_readme_or_from_an_index_that_is():
    linked = links_of(ALL[0])
    indexes = {page for page in linked if page.name == "README.md"}
    linked |= {page for index in indexes for page in links_of(index)}
    assert {page.resolve() for page in ALL[1:]} <= linked


def test_every_verdict_is_explained():
    text = read("explanation/how-it-works.md")
    for verdict in verdicts.StepVerdict:
        assert f"**{verdict.value}**" in text


def test_the_changelog_has_an_entry_for_this_version():
    from esper_audit import __version__

    assert f"## {__version__}" in (ROOT / "CHANGELOG.md").read_text()
