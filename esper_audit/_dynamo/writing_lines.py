"""Which line has written what a watch finds changed: the user's, or one that Dynamo has traced."""

from __future__ import annotations

from types import CodeType, FrameType
from typing import Any

from esper_audit._dynamo import names
from esper_audit._dynamo.traced_writes import Run, Trace, TracedWrite
from esper_audit._dynamo.user_frames import (
    is_resumed,
    is_users,
    location,
    qualified,
    resumed_name,
    users,
)
from esper_audit._dynamo.watched_value import Item
from esper_audit.data.places import Location
from esper_audit.data.reasons import Reason, Why

Written = tuple[Location, Location | None] | Reason

_BY_COMPILED = Reason(why=Why.WRITTEN_BY_COMPILED)


class WritingLines:
    """Knows the code that Dynamo has made, what it writes, and the calls of it that run now."""

    def __init__(self) -> None:
        self._traces: dict[int, tuple[CodeType, tuple[TracedWrite, ...]]] = {}
        self._runs: dict[int, Run] = {}
        self._generated: Any = names.find("output_codes") or ()

    def add(self, code: CodeType | None, trace: Trace | None) -> None:
        """This code does what was traced."""
        if code is not None and trace is not None:
            self._traces[id(code)] = code, trace.writes

    def began(self, frame: FrameType) -> bool:
        """A call begins; whether :meth:`ended` must be told of its end."""
        traced = self._traces.get(id(frame.f_code))
        if traced is not None:
            self._runs[id(frame)] = Run(frame, traced[1])
        return traced is not None

    def ended(self, frame: FrameType) -> None:
        """A call is over."""
        self._runs.pop(id(frame), None)

    def is_generated(self, code: CodeType) -> bool:
        """Whether Dynamo has made this code, now or before the watch."""
        return id(code) in self._traces or code in self._generated

    def writer_of(self, item: Item, frame: FrameType, line: int, *, is_moved: bool) -> Written:
        """A line, and the user's line that called its function; or why the line is not known."""
        place = location(frame, line)
        if not self._has_lines(frame, line):
            run = self._runs.get(id(frame))
            traced = run.line_of(item, is_moved=is_moved) if run is not None else None
            if traced is None:
                return _BY_COMPILED
            place = traced
        return qualified(place, frame.f_code), self._called_from(frame)

    def switcher(self, frame: FrameType, line: int) -> Written:
        """The same of torch's own state, which generated code and resumed code restore anywhere."""
        code = frame.f_code
        resumes = is_resumed(code) and line == code.co_firstlineno
        if not line or resumes or not is_users(frame) or self.is_generated(code):
            return _BY_COMPILED
        return qualified(location(frame, line), code), self._called_from(frame)

    def _has_lines(self, frame: FrameType, line: int | None) -> bool:
        """Whether this line is one of the user's: of generated code, all but the first are.

        The statement of a graph break keeps its line, what torch adds has that of ``def``
        (torch/_dynamo/bytecode_transformation.py, 2.13).
        """
        code = frame.f_code
        if not line:  # an instruction without one (``f_lineno`` is None, CPython 3.11)
            return False
        return is_users(frame) and (line != code.co_firstlineno or not self.is_generated(code))

    def _called_from(self, frame: FrameType) -> Location | None:
        """The user's line that called the function, not what torch has made of its beginning."""
        own, caller = frame.f_code, users(frame.f_back)
        while caller is not None and is_resumed(own) and self._is_beginning(caller.f_code, own):
            caller = users(caller.f_back)
        if caller is None or not self._has_lines(caller, caller.f_lineno):
            return None
        return qualified(location(caller, caller.f_lineno), caller.f_code)

    def _is_beginning(self, code: CodeType, resumed: CodeType) -> bool:
        """Whether it is of the same function, up to a graph break after which another goes on."""
        name, same = resumed_name(code.co_name), code.co_filename == resumed.co_filename
        return same and name == resumed_name(resumed.co_name) and self.is_generated(code)
