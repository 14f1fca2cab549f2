"""Where an argument's value comes from, one assignment away: ``n = n + 1``, then ``step(x, n)``.

A line is named only if the call passes a plain variable and its frame was seen to assign it.
"""

from __future__ import annotations

import ast
import dis
import linecache
import re
from collections.abc import Mapping
from functools import lru_cache
from inspect import CO_VARARGS
from types import CodeType, FrameType, FunctionType
from typing import Any

from esper_audit._dynamo import files
from esper_audit._dynamo.called import called
from esper_audit._dynamo.user_frames import location
from esper_audit.data.places import Location

_ROOT = re.compile(r"^L\['(?P<name>\w+)'\](?:\[(?P<place>\d+)\])?")
_STORES = ("STORE_FAST", "STORE_NAME")


class Bindings:
    """The lines that last bound each variable of the frames that run now."""

    def __init__(self) -> None:
        self._lines: dict[int, dict[str, tuple[int, int] | None]] = {}
        self._failed: dict[int, int] = {}
        # By address: to hash a code object takes longer than to look it up.
        self._codes: dict[int, tuple[CodeType, dict[int, dict[str, bool]]]] = {}

    def ran(self, frame: FrameType, line: int, event: str) -> None:
        """This line of a frame has run, at least in part: an exception may have ended it."""
        names = self._stores(frame.f_code).get(line)
        if names is None and event == "line" and not self._failed:
            return
        has_failed = self._failed.pop(id(frame), 0) == line
        if event == "exception":  # the next event is of another line, which this one never ended
            self._failed[id(frame)] = line
            has_failed = True
        if names is not None:
            bound = self._lines.setdefault(id(frame), {})
            for name, is_certain in names.items():
                known = is_certain and not has_failed
                bound[name] = (line, _address(frame, name)) if known else None
        if event == "return":
            self._lines.pop(id(frame), None)
            self._failed.pop(id(frame), None)

    def _stores(self, code: CodeType) -> dict[int, dict[str, bool]]:
        known = self._codes.get(id(code))
        if known is None:
            known = self._codes[id(code)] = code, _stores_of(code)
        return known[1]

    def source_of(
        self, source: str, call: Mapping[str, Any], caller: FrameType | None
    ) -> Location | None:
        """The line that bound the variable which was passed as this argument."""
        user = _direct_caller(caller)
        here = _call_at(user) if user is not None else None
        if user is None or here is None:
            return None
        name = _passed_name(source, call, caller, here[0])
        found = self._lines.get(id(user), {}).get(name)
        # Of a statement of several lines, the first has run before what it binds is there.
        if found is None or found[1] != _address(user, name) or found[0] in here[1]:
            return None
        return location(user, found[0])


def _address(frame: FrameType, name: str) -> int:
    """Of a module's variable, which others can bind as well: what it holds now."""
    is_module = frame.f_code.co_name == "<module>"
    return id(frame.f_globals.get(name)) if is_module else 0


def _stores_of(code: CodeType) -> dict[int, dict[str, bool]]:
    """The variables that each line binds, and whether it does so whenever it runs."""
    found: dict[int, dict[str, bool]] = {}
    jumps = set()
    for instruction in dis.get_instructions(code):
        positions = instruction.positions
        line = positions.lineno if positions is not None else None
        if line is None:
            continue
        if instruction.opname in _STORES:
            found.setdefault(line, {})[str(instruction.argval)] = True
        elif "_IF_" in instruction.opname:  # a conditional jump
            jumps.add(line)
    return {line: dict.fromkeys(names, line not in jumps) for line, names in found.items()}


def _direct_caller(frame: FrameType | None) -> FrameType | None:
    """The user's frame that called compiled code with nothing of a library's in between."""
    while frame is not None and files.is_torch_file(frame.f_code.co_filename):
        frame = frame.f_back
    if frame is None or not files.is_user_file(frame.f_code.co_filename):
        return None
    return frame


def _passed_name(
    source: str, call: Mapping[str, Any], caller: FrameType | None, expression: ast.Call
) -> str:
    """The variable that the user's call passes as this argument; empty for any other expression."""
    match = _ROOT.match(source)
    if match is None:
        return ""
    passed: ast.expr | None = None
    code = call["code"]
    if code.co_flags & CO_VARARGS and match["place"] is not None:
        passed = _positional(expression, int(match["place"]))
    elif match["name"] in code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]:
        place = code.co_varnames.index(match["name"])
        is_method = not isinstance(called(code, call["locals"], caller).thing, FunctionType)
        by_name = (word.value for word in expression.keywords if word.arg == match["name"])
        passed = next(by_name, None) or _positional(expression, place - is_method)
    return passed.id if isinstance(passed, ast.Name) else ""


def _positional(expression: ast.Call, place: int) -> ast.expr | None:
    before = expression.args[: place + 1]
    if not 0 <= place < len(before) or any(isinstance(one, ast.Starred) for one in before):
        return None
    return before[place]


def _call_at(frame: FrameType) -> tuple[ast.Call, range] | None:
    """The call that a frame makes now, and the lines of its statement where it has several."""
    positions = list(frame.f_code.co_positions())[frame.f_lasti // 2]
    return _calls_in(frame.f_code.co_filename).get(positions)


@lru_cache(maxsize=64)
def _calls_in(file: str) -> dict[tuple[int | None, ...], tuple[ast.Call, range]]:
    found: dict[tuple[int | None, ...], tuple[ast.Call, range]] = {}
    try:
        tree = ast.parse("".join(linecache.getlines(file)))
    except (SyntaxError, ValueError):
        return found
    for statement in ast.walk(tree):  # the innermost last
        if not isinstance(statement, ast.stmt):
            continue
        first, last = statement.lineno, statement.end_lineno or statement.lineno
        lines = range(first, last + 1) if last > first else range(0)
        for node in ast.walk(statement):
            if isinstance(node, ast.Call):
                place = (node.lineno, node.end_lineno, node.col_offset, node.end_col_offset)
                found[place] = node, lines
    return found
