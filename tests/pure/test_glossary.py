"""One word for one thing: reports and help use the words of the glossary, and none that it refuses."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Any

import pytest
import typer

from esper_audit.cli.app import app
from esper_audit.data.changes import ChangeKind
from esper_audit.data.compiles import Outcome
from esper_audit.data.diagnoses import MEANINGS
from esper_audit.data.findings import FrameState, Pattern
from esper_audit.data.remedies import AppliedState, RemedyState
from esper_audit.data.steps import Phase
from esper_audit.data.verdicts import AuditVerdict, ClaimStatus, StepVerdict
from esper_audit.diagnosis.kinds import CHANGES, KINDS

ROOT = Path(__file__).parents[2]
GLOSSARY = (ROOT / "docs/reference/glossary.md").read_text()
ROWS = re.findall(r"^\| ([^|]+) \| ([^|]+) \|(?: ([^|]*))?\|$", GLOSSARY, re.MULTILINE)
WORDS = {word.strip() for words, _, _ in ROWS for word in words.split(",")}
REFUSED = sorted({word.strip() for *_, words in ROWS for word in words.split(",")} - {"", "not"})
STATES = (
    *(StepVerdict, AuditVerdict, ClaimStatus, Pattern, Phase, FrameState, Outcome, ChangeKind),
    *(RemedyState, AppliedState),
)


def texts_of(path: Path) -> list[str]:
    """The texts of a module, but for its docstrings."""
    tree = ast.parse(path.read_text())
    told = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    return [
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in told
    ]


def help_texts() -> dict[str, str]:
    """What ``--help`` says of each command and option."""
    group: Any = typer.main.get_command(app)
    commands = {name: group.get_command(None, name) for name in group.list_commands(None)}
    options = {
        f"{name} {option.name}": option.help or ""
        for name, command in commands.items()
        for option in command.params
        if hasattr(option, "help")
    }
    return {**{name: command.help or "" for name, command in commands.items()}, **options}


SAID = {
    **{
        str(path.relative_to(ROOT)): "\n".join(texts_of(path))
        for path in sorted((ROOT / "esper_audit").rglob("*.py"))
    },
    **{f"--help of {name}": text for name, text in help_texts().items()},
    **{str(name): f"{meaning.what}\n{meaning.remedy}" for name, meaning in MEANINGS.items()},
}


def refused_in(text: str) -> list[str]:
    return [word for word in REFUSED if re.search(rf"\b{re.escape(word)}\b", text, re.IGNORECASE)]


@pytest.mark.parametrize("place", SAID)
def test_no_text_uses_a_word_that_the_glossary_refuses(place):
    assert refused_in(SAID[place].replace("no_eager_fallback", "")) == []


def test_a_refused_word_would_be_found():
    assert refused_in("one cache miss, and a Retrace") == ["cache miss", "retrace"]


def test_every_state_that_a_report_names_has_a_row():
    states = {str(member.value) for states in STATES for member in states}
    groups = set(KINDS) - set(MEANINGS) - set(CHANGES)
    assert (states | groups) - WORDS == set()


def test_no_word_has_two_rows():
    every = [word.strip() for words, _, _ in ROWS for word in words.split(",")]
    assert sorted(word for word in set(every) if every.count(word) > 1 and word != "word") == []


def test_no_word_is_used_and_refused():
    assert WORDS & set(REFUSED) == set()
