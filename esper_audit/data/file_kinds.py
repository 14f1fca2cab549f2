"""What a file that somebody names is, and the command that takes it."""

from __future__ import annotations

import os
import re
import shlex
from enum import StrEnum
from pathlib import Path

from esper_audit.data.files import is_file, is_folder, is_there

_HEAD = 4096


def is_program(name: str) -> bool:
    """Whether python can run a path of this name, as far as its first bytes tell."""
    path = Path(name)
    if is_folder(path):
        return is_there(path / "__main__.py")
    if not is_file(path):
        return os.path.lexists(path)  # a pipe may be a script
    return path.suffix in (".py", ".pyw", ".pyc", ".pyz") or not kind_of(path)


class FileKind(StrEnum):
    """What a file is, as its name and its first bytes tell; empty where it may be Python."""

    PYTHON = ""
    NOTEBOOK = "a notebook"
    SAVED = "a saved audit"
    SHELL = "a shell script"
    MACHINE_CODE = "machine code"


def kind_of(path: Path) -> FileKind:
    """What a file is; one that can't be read may be anything."""
    if path.suffix == ".ipynb":
        return FileKind.NOTEBOOK
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD)
    except OSError:
        return FileKind.PYTHON
    if path.suffix in (".json", ".partial") and b'"schema_version"' in head:
        return FileKind.SAVED
    first = head.partition(b"\n")[0]
    if first.startswith(b"#!"):
        return FileKind.PYTHON if re.search(rb"python|pypy", first) else FileKind.SHELL
    if path.suffix in (".sh", ".bash", ".zsh", ".ps1", ".bat"):
        return FileKind.SHELL
    is_machine_code = head.startswith((b"\x7fELF", b"MZ", b"\xcf\xfa\xed\xfe", b"\xca\xfe\xba\xbe"))
    return FileKind.MACHINE_CODE if is_machine_code else FileKind.PYTHON


def holds_scenarios(path: Path) -> bool:
    """Whether the text of a Python file may declare scenarios, by whatever name."""
    try:
        text = path.read_bytes()
    except OSError:
        return True
    return b"scenario" in text or b"esper_audit" in text or re.search(rb"(?m)^@", text) is not None


def command_for(path: Path) -> str:
    """The command that takes a file or folder; empty where none does."""
    name = str(path)
    if is_folder(path):
        return shlex.join(("esper-audit", "show", name)) if any(path.glob("*.json")) else ""
    if path.suffix == ".py" and is_file(path):
        command = "run" if holds_scenarios(path) else "exec"
        return shlex.join(("esper-audit", command, name))
    is_saved = is_file(path) and kind_of(path) is FileKind.SAVED
    return shlex.join(("esper-audit", "show", name)) if is_saved else ""
