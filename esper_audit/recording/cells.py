"""Code of notebook cells under the cells' names: the files that IPython makes up mean nothing.

IPython compiles a cell under ``<ipython-input-3-HASH>``, ipykernel under
``/tmp/ipykernel_PID/HASH.py``; the shell knows the number of each (IPython/core/compilerop.py,
ipykernel/compiler.py). Worked example: ``/tmp/ipykernel_7/41.py:forward`` becomes
``Cell [3]:forward`` in a recording. IPython is never imported, only asked where it is.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from typing import Any, TypeVar

from esper_audit.data.places import cell_file

T = TypeVar("T")


def cells() -> dict[str, str]:
    """The name of each cell that was run, by the file that its code is compiled under."""
    shell = _shell()
    numbers = getattr(getattr(shell, "compile", None), "_filename_map", None)
    if not isinstance(numbers, dict):
        return {}
    return {file: cell_file(number) for file, number in numbers.copy().items()}


def _shell() -> Any:
    ask = getattr(sys.modules.get("IPython"), "get_ipython", None)
    return ask() if callable(ask) else None


def in_cells(data: T, names: Mapping[str, str]) -> T:
    """Plain frozen data with the name of a cell in place of its file, in every text.

    Keys of frames hold a path from the project's folder on, and texts of torch its end: with a
    folder before it, or from a folder of ``sys.path`` on.
    """
    if not names:
        return data
    ends = {_end(file): cell for file, cell in names.items()}
    folders = r"(?<![\w./-])(?:[^\s\"'`(<]*/)?"
    pattern = re.compile(f"{folders}({'|'.join(map(re.escape, ends))})")
    return _renamed(data, lambda text: pattern.sub(lambda found: ends[found[1]], text))  # type: ignore[no-any-return]


def _end(file: str) -> str:
    """``ipykernel_7/41.py``, of any file the last folder and the name."""
    folder, slash, name = file.rpartition("/")
    return f"{folder.rpartition('/')[2]}/{name}" if slash else file


def _renamed(data: Any, rename: Any) -> Any:
    if type(data) is str:
        return rename(data)
    if isinstance(data, tuple):
        return tuple(_renamed(part, rename) for part in data)
    if isinstance(data, dict):
        return {_renamed(key, rename): _renamed(part, rename) for key, part in data.items()}
    if is_dataclass(data) and not isinstance(data, type):
        own = {field.name: getattr(data, field.name) for field in fields(data) if field.init}
        return replace(data, **{name: _renamed(part, rename) for name, part in own.items()})
    return data
