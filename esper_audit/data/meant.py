"""The command that was meant, where a command line names something else than it takes."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import sys
from collections.abc import Sequence
from importlib.machinery import PathFinder
from pathlib import Path

from esper_audit.data.file_kinds import is_program
from esper_audit.data.files import is_file

SHELLS = ("sh", "bash", "dash", "zsh")

_PYTHON = re.compile(r"(?:python|pypy)w?\d*(?:\.\d+)*t?(?:\.exe)?")
_OURS = ("esper-audit", "exec")
_AS_MODULE = ("-m", "esper_audit", "exec")
_TAKES_VALUE = ("-W", "-X", "--check-hash-based-pycs")
"""Options of the interpreter whose value is a word of its own."""

_MODULES = {"pytest": "pytest", "py.test": "pytest"}
"""Commands that are a module's own."""

_LAUNCHER_FLAGS = {"--standalone", "--no-python", "--no_python", "--run-path", "--run_path"}
_LAUNCHER_MODULES = ("torch.distributed.run", "torch.distributed.launch")
_RUN_MODULE = ("coverage", "accelerate")
"""Launchers of Python programs that take a module by ``-m``."""

_RUNNERS = ("uv", "poetry", "pdm", "hatch", "pipenv", "rye", "conda", "mamba", "pixi")
"""Commands that run another one in an environment."""


def program_meant(words: Sequence[str], options: Sequence[str] = ()) -> str:
    """The command line for what was given to ``exec`` as a program; empty if it may be one.

    ``options`` are those of esper-audit that were given: they stay.
    """
    if is_program(words[0]):
        return ""
    return shlex.join(_meant(words, (*_OURS, *options), options))


def is_code(words: Sequence[str]) -> bool:
    """Whether the words are ``python -c CODE``."""
    return bool(_PYTHON.fullmatch(words[0])) and any(word.startswith("-c") for word in words[1:2])


def is_launcher(name: str) -> bool:
    """Whether a word starts a Python program, as ``python`` does."""
    return bool(_PYTHON.fullmatch(name)) or name in (*_MODULES, "torchrun", *_RUNNERS)


def _meant(words: Sequence[str], ours: Sequence[str], options: Sequence[str]) -> Sequence[str]:
    """The whole command line; empty where it can't be told."""
    head, rest = words[0], words[1:]
    name = os.path.basename(head)  # noqa: PTH119  # of a word, which may be no path
    if _PYTHON.fullmatch(name):
        return _of_python(head, rest, ours, options)
    if name in _MODULES:
        return (*ours, "-m", _MODULES[name], *rest)
    if name == "torchrun":
        return _of_torchrun((head,), rest, ours)
    if name in _RUN_MODULE and _program_in(rest) is not None:
        return _of_launcher(words, _AS_MODULE if not options else (*_AS_MODULE, *options))
    return _of_prefix(words, ours, options) or _of_name(words, ours)


def _of_python(
    python: str, words: Sequence[str], ours: Sequence[str], options: Sequence[str]
) -> Sequence[str]:
    """``python -u x.py``: options of the interpreter stay its own."""
    place = 0
    while place < len(words) and words[place].startswith("-") and words[place] != "-":
        if words[place].startswith(("-m", "-c")):
            break
        place += 2 if words[place] in _TAKES_VALUE else 1
    own, target = words[:place], [*words[place:]] or ["SCRIPT"]
    if target[0].startswith("-c"):
        return ()
    if target[0] == "-m" and len(target) > 1 and target[1] in _LAUNCHER_MODULES:
        return _of_torchrun((python, *own, *target[:2]), target[2:], ours)
    is_ours = python in ("python", "python3") and not own
    return (*ours, *target) if is_ours else (python, *own, *_AS_MODULE, *options, *target)


def _of_torchrun(
    launcher: Sequence[str], words: Sequence[str], ours: Sequence[str]
) -> Sequence[str]:
    """``torchrun --nproc-per-node 2 train.py``: each process is recorded, not the launcher."""
    own: list[str] = []
    rest = list(words)
    is_module = False
    while rest and rest[0].startswith("-"):
        word = rest.pop(0)
        if word in ("-m", "--module"):
            is_module = True
        elif word not in ("--no-python", "--no_python"):
            own.append(word)
            if "=" not in word and word not in _LAUNCHER_FLAGS and rest:
                own.append(rest.pop(0))
    if rest and _PYTHON.fullmatch(rest[0]):  # of --no-python
        rest.pop(0)
    module = ("-m",) if is_module else ()
    return (*launcher, *own, "--no-python", *ours, *module, *(rest or ["SCRIPT"]))


def _of_launcher(words: Sequence[str], ours: Sequence[str]) -> Sequence[str]:
    place = _program_in(words[1:])
    assert place is not None
    before, target = words[: place + 1], words[place + 1 :]
    if before[-1] in ("-m", "--module"):
        before, target = before[:-1], ["-m", *target]
    return (*before, *ours, *target)


def _program_in(words: Sequence[str]) -> int | None:
    """Where a program begins among the words of its launcher: a script, or a module after -m."""
    for place, word in enumerate(words):
        if word.endswith(".py") or (place and words[place - 1] in ("-m", "--module")):
            return place
    return None


def _of_prefix(words: Sequence[str], ours: Sequence[str], options: Sequence[str]) -> Sequence[str]:
    """``env A=1 python x.py``, ``uv run x.py``: another command runs the program."""
    head = words[0]
    if "=" not in head and shutil.which(head) is None and head not in _RUNNERS:
        return ()
    for place, word in enumerate(words[1:], start=1):
        name = os.path.basename(word)  # noqa: PTH119  # the same
        if _PYTHON.fullmatch(name) or name in _MODULES or name == "torchrun":
            meant = _meant(words[place:], ours, options)
            return (*words[:place], *meant) if meant else ()
        if head in _RUNNERS and (word.endswith(".py") or word == "-m"):
            return (*words[:place], *ours, *words[place:])
    return ()


def _of_name(words: Sequence[str], ours: Sequence[str]) -> Sequence[str]:
    """A script without its suffix, a module without ``-m``, a command that is written in Python."""
    name, rest = words[0], words[1:]
    if name == "-":
        return (*ours, "/dev/stdin", *rest)
    if is_file(f"{name}.py"):
        return (*ours, f"{name}.py", *rest)
    if re.fullmatch(r"\w+(\.\w+)*", name) and _is_module(name):
        return (*ours, "-m", name, *rest)
    command = shutil.which(name)
    if command is not None and os.sep not in name and is_program(command):
        return (*ours, command, *rest)
    return ()


def _is_module(name: str) -> bool:
    """Whether ``-m`` may take it: looked for without importing anything."""
    first, *inner = name.split(".")
    spec = PathFinder.find_spec(first, ["", *sys.path])
    if spec is None or not inner:
        return spec is not None and _runs(spec.submodule_search_locations, ["__main__"])
    return _runs(spec.submodule_search_locations, inner) or _runs(
        spec.submodule_search_locations, [*inner, "__main__"]
    )


def _runs(folders: Sequence[str] | None, inner: Sequence[str]) -> bool:
    if folders is None:
        return inner == ["__main__"]  # a module that is one file
    return any(is_file(Path(folder, *inner).with_suffix(".py")) for folder in folders)
