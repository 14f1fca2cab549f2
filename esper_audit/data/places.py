"""Where something is in the user's source. Plain frozen data, saved as JSON."""

from __future__ import annotations

import re
from dataclasses import dataclass

from esper_audit.data.numbers import Whole

_CELL = re.compile(r"Cell \[(\d+)\]")


def cell_file(number: int) -> str:
    """What stands for the file of a notebook cell: its code is in none."""
    return f"Cell [{number}]"


def is_cell(file: str) -> bool:
    """Whether a file is the name of a notebook cell."""
    return _CELL.fullmatch(file) is not None


@dataclass(frozen=True, slots=True)
class Location:
    """A line of source."""

    file: str
    line: Whole
    function: str = ""


@dataclass(frozen=True, slots=True)
class Frame:
    """What Dynamo compiles: the execution of one code object.

    ``key`` names the frame without line numbers, so that it survives an edit elsewhere in the
    file. ``name`` is the user's module where torch compiles a wrapper of its own; ``raw_name`` is
    always torch's.
    """

    name: str
    file: str
    line: Whole
    key: str
    raw_name: str
