"""README, tutorial and how-tos, followed word by word in an empty folder: what they show is seen."""

from __future__ import annotations

import builtins
import os
import re
import shlex
import subprocess
import sys
from unittest.mock import MagicMock, create_autospec

import pytest
import warm
from walk import DOCUMENTS, Typed, blocks, fragments, is_shown, typed, with_functions
from warm import run_warm

TERMINAL = {"COLUMNS": "80", "FORCE_COLOR": "1", "TTY_INTERACTIVE": "0"}
GIT = {
    f"GIT_{who}_{what}": "reader" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")
}

PROGRESS = re.compile(r"^esper-audit: \d+ s: .*\n", re.MULTILINE)
"""A terminal shows a bar instead, and clears it."""

TRAIN = """
import torch

step = torch.compile(torch.nn.Linear(4, 4), backend="aot_eager")
step(torch.ones(2, 4))
"""
TEST = """
import torch

def test_linear():
    torch.compile(torch.nn.Linear(4, 4), backend="aot_eager")(torch.ones(2, 4))
"""
READERS_OWN = {
    "README.md": {"train.py": TRAIN, "test_own.py": TEST},
}
"""Files that a document takes for granted: the reader's own program and tests."""


def run(argv, folder, environment):
    return subprocess.run(argv, cwd=folder, env=environment, capture_output=True, text=True)


class Reader:
    """Follows a document in a folder: writes its files, types its commands."""

    def __init__(self, folder):
        self.folder, self.code = folder / "project", 0
        self.folder.mkdir()
        self.environment = os.environ | TERMINAL | GIT | {"XDG_CACHE_HOME": str(folder / "cache")}

    def write(self, name, text):
        file = self.folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        begins_indented = text.startswith(" ")
        file.write_text(with_functions(file.read_text(), text) if begins_indented else text)

    def type(self, command):
        """What is printed; a command in which something is wrong fails."""
        if command == "echo $?":
            return f"{self.code}\n"
        words = shlex.split(command)
        if words[0].startswith("TORCH_"):  # torch reads it as it is imported
            settings = dict([words.pop(0).split("=", 1)])
            code = [sys.executable, *words[1:]]
            return run(code, self.folder, self.environment | settings).stdout
        program, *arguments = words
        if program == "python":
            module = arguments[0].removesuffix(".py")
            done = run_warm([module, *arguments[1:]], self.folder, self.environment)
        elif program in ("esper-audit", "pytest"):
            module = program.replace("-", "_")
            done = run_warm([module, *arguments], self.folder, self.environment)
            if warm.__file__ in done.stdout:  # frames that a reader's process has not
                done = run(
                    [sys.executable, "-m", module, *arguments], self.folder, self.environment
                )
        else:
            done = run(["bash", "-c", command], self.folder, self.environment)
        self.code = done.returncode
        return done.stdout + PROGRESS.sub("", done.stderr)

    def follow(self, command: Typed, is_code_shown: bool):
        printed = self.type(command.command)
        if not is_code_shown:
            assert self.code in (0, 1), f"{command.command}: {self.code}\n{printed}"
        if command.shown:
            assert is_shown(command.shown, printed), f"line {command.line}:\n{printed}"


def prepare(document, reader):
    """What a document takes for granted."""
    for name, text in READERS_OWN.get(document, {}).items():
        reader.write(name, text)
    if document.endswith("gate-a-pull-request.md"):
        reader.type("git init -q && git commit -q --allow-empty -m Begin && git branch my-branch")


@pytest.mark.parametrize("document", DOCUMENTS)
def test_a_document_shows_what_a_reader_sees(document, tmp_path):
    reader = Reader(tmp_path)
    prepare(document, reader)
    for block in blocks(document):
        if block.title:
            reader.write(block.title, block.text)
        if block.language == "console":
            commands = [command for command in typed(block) if command.is_run]
            after = [command.command == "echo $?" for command in commands[1:]]
            for command, is_code_shown in zip(commands, [*after, False], strict=False):
                reader.follow(command, is_code_shown)


class Names(dict):
    """What a fragment takes for granted is a stand-in that takes any call."""

    def __missing__(self, name):
        if hasattr(builtins, name):
            raise KeyError(name)
        return MagicMock(name=name)


@pytest.mark.usefixtures("clean_dynamo")
def test_fragments_of_code_call_what_there_is_as_it_takes_it():
    import torch

    import esper_audit

    known = {name: getattr(esper_audit, name) for name in esper_audit.__all__}
    replay = create_autospec(esper_audit.ReplaySession, instance=True)
    step = create_autospec(esper_audit.CompiledStep, instance=True)
    model = torch.compile(torch.nn.Linear(2, 2), backend="aot_eager")
    known |= {"model": model, "rollout": lambda model: model(torch.ones(1, 2))}
    found = [(name, code) for name in DOCUMENTS for code in fragments(name)]
    for document, code in found:
        names = Names(known, replay=replay, step=step, torch=torch, pytest=pytest, batches=[])
        try:
            exec(code, {"esper_audit": esper_audit}, names)
        except Exception as error:
            raise AssertionError(f"{document}: {error}\n{code}") from error
    assert len(found) >= 10
