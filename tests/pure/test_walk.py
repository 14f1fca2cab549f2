"""Documents are checked by what they show: nothing is shown that no test sees."""

from __future__ import annotations

import ast
import json
import tomllib

import pytest
from walk import DOCUMENTS, NOT_RUN, ROOT, blocks, fragments, is_shown, typed, with_functions

COMMANDS = [
    (document, command)
    for document in DOCUMENTS
    for block in blocks(document)
    if block.language == "console"
    for command in typed(block)
]
RUN = ("esper-audit", "pytest", "python", "git", "echo $?", "TORCH_TRACE=")


def test_every_document_is_followed_or_shows_no_command():
    every = {str(path.relative_to(ROOT)) for path in (ROOT / "docs/how-to").glob("*.md")}
    assert {"README.md", "docs/tutorial/first-audit.md", *every} == set(DOCUMENTS)
    assert len(COMMANDS) > 30


@pytest.mark.parametrize(("document", "command"), COMMANDS, ids=str)
def test_every_command_of_a_document_is_run_or_listed(document, command):
    assert not command.is_run or command.command.startswith(RUN)
    assert command.is_run or not command.shown, "what is shown must be seen"


def test_no_command_is_listed_that_no_document_has():
    assert set(NOT_RUN) <= {command.command for _, command in COMMANDS}


@pytest.mark.parametrize("document", DOCUMENTS)
def test_code_in_a_document_can_be_read(document):
    for code in fragments(document):
        ast.parse(code)
    for block in blocks(document):
        if block.language == "toml":
            tomllib.loads(block.text)
        if block.language == "json":
            json.loads(block.text)
        assert block.language == "console" or not block.text.startswith("$ ")


def test_output_without_a_command_is_shown_with_one_elsewhere():
    seen = {line for _, command in COMMANDS for line in command.shown}
    alone = [block for name in DOCUMENTS for block in blocks(name) if block.language == "text"]
    assert [line for block in alone for line in block.text.splitlines() if line not in seen] == []


def test_output_must_be_shown_whole_but_for_lines_that_are_left_out():
    printed = "a\n\x1b[1mb\x1b[0m\nc 1.5 s\nd\n"
    for shown in (
        "a|b|c 2.0 s|d",
        "a|...|d",
        "...|c 9 s|d",
        "a|...",
        "...|b|...",
        "...",
        "a|b|...|c 1 s|d",
    ):
        assert is_shown(tuple(shown.split("|")), printed), shown
    for shown in (
        "a|b|c 1.5 s",
        "b|...",
        "...|c 1.5 s",
        "a|d",
        "a|...|b|...|a",
        "...|d|d",
        "a|b|c|d",
    ):
        assert not is_shown(tuple(shown.split("|")), printed), shown


def test_a_part_of_a_class_takes_the_place_of_its_functions():
    source = "class A:\n    def f(self):\n        return 1\n\n    def g(self):\n        pass\n\n\nlast = 1\n"
    changed = "    def f(self):\n        return 2\n"
    assert with_functions(source, changed) == source.replace("1\n\n", "2\n\n", 1)
