"""The code that a frame ran, from its source file: what the log leaves out of it.

A log has the file, the line and the bare name of a frame. Where the file is on this machine, and
still has a function of that name at that line, the compiler tells the rest. Nothing is run.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import CodeType

from esper_audit.data.files import is_file

_LARGEST = 4 << 20
_RESUMED = re.compile(r"torch_dynamo_resume_in_(?P<function>.+)_at_(?P<line>\d+)")


@dataclass(frozen=True, slots=True)
class WrittenCode:
    """A function as its source has it.

    ``captured`` are its variables of enclosing functions, ``first`` its first parameter, and
    ``is_method`` says whether it stands in a class.
    """

    name: str
    captured: tuple[str, ...] = ()
    first: str = ""
    is_method: bool = False


def written_code(file: str, line: int, name: str) -> WrittenCode:
    """The function, its name qualified; the bare name where the source doesn't have it any more."""
    resumed = _RESUMED.fullmatch(name)
    bare = resumed["function"] if resumed is not None else name
    found = next(_fitting(file, line, bare, anywhere=resumed is not None), None)
    if found is None:
        return WrittenCode(name)
    outer, dot, _ = found.co_qualname.rpartition(".")
    in_class = bool(outer) and not outer.endswith("<locals>")
    first = found.co_varnames[0] if found.co_argcount else ""
    return WrittenCode(f"{outer}{dot}{name}", found.co_freevars, first, in_class and bool(first))


def _fitting(file: str, line: int, name: str, *, anywhere: bool) -> Iterator[CodeType]:
    for code in _codes(file):
        if code.co_name != name:
            continue
        lines = {at for _, _, at in code.co_lines()} if anywhere else {code.co_firstlineno}
        if line in lines:
            yield code


@lru_cache(maxsize=64)
def _codes(file: str) -> tuple[CodeType, ...]:
    """Every function of a file; none where it can't be read, or is no Python of this version."""
    path = Path(file)
    try:
        if not path.is_absolute() or not is_file(path) or path.stat().st_size > _LARGEST:
            return ()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            whole = compile(path.read_bytes(), file, "exec", dont_inherit=True)
    except (OSError, SyntaxError, ValueError, MemoryError, RecursionError):
        return ()
    return tuple(_inside(whole))


def _inside(code: CodeType) -> Iterator[CodeType]:
    for held in code.co_consts:
        if isinstance(held, CodeType):
            yield held
            yield from _inside(held)


def resumed_function(name: str) -> str:
    """The function that code goes on with after a graph break; any other name as it is."""
    found = _RESUMED.fullmatch(name)
    return found["function"] if found is not None else name


def is_resumed(name: str) -> bool:
    """Whether it goes on after a graph break (torch/_dynamo/resume_execution.py, 2.6 to 2.14)."""
    return _RESUMED.fullmatch(name) is not None
