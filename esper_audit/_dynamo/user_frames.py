"""Frames and threads that run the user's code, and the lines where they are."""

from __future__ import annotations

import re
import sys
import threading
from dataclasses import replace
from types import CodeType, FrameType

from esper_audit._dynamo import files
from esper_audit.data.places import Location

_POOLS = ("concurrent/futures/thread.py", "multiprocessing/pool.py")
_RESUMED = re.compile(r"torch_dynamo_resume_in_(?P<function>.+)_at_\d+")


def others_may_write() -> bool:
    """Whether another thread, which can't be traced any more, has code of the user to run."""
    own = threading.get_ident()
    for thread, innermost in sys._current_frames().items():
        frame: FrameType | None = innermost if thread != own else None
        while frame is not None:
            if is_users(frame) or frame.f_code.co_filename.endswith(_POOLS):
                return True
            frame = frame.f_back
    return False


def is_users_thread(frame: FrameType) -> bool:
    """Whether a thread begins that runs the user's code, be it a built-in function alone.

    A public function of torch's counts: threads of torch's own begin with a private one.
    """
    code = frame.f_code
    if code.co_name != "run" or not code.co_filename.endswith("/threading.py"):
        return False
    thread = frame.f_locals.get("self")
    target = getattr(thread, "_target", None) or getattr(thread, "function", None)
    own = getattr(target, "__code__", None)
    if target is None or own is None:
        return target is not None
    is_public = files.is_torch_file(own.co_filename) and not own.co_name.startswith("_")
    return is_public or files.is_user_file(own.co_filename)


def frame_id(code: CodeType) -> str:
    return f"{code.co_filename}:{code.co_qualname}"


def is_users(frame: FrameType) -> bool:
    return files.is_user_file(frame.f_code.co_filename)


def users(frame: FrameType | None) -> FrameType | None:
    """The nearest frame of the user's code, from this one outwards."""
    while frame is not None and not is_users(frame):
        frame = frame.f_back
    return frame


def location(frame: FrameType, line: int) -> Location:
    return Location(frame.f_code.co_filename, line, frame.f_code.co_qualname)


def is_resumed(code: CodeType) -> bool:
    """Whether it goes on after a graph break (torch/_dynamo/resume_execution.py, 2.8 to 2.14)."""
    return _RESUMED.fullmatch(code.co_name) is not None


def resumed_name(name: str) -> str:
    """The function that code goes on with after a graph break; any other name as it is."""
    found = _RESUMED.fullmatch(name)
    return found["function"] if found is not None else name


def qualified(place: Location, code: CodeType) -> Location:
    """A line in this code, or one that was traced for it, under the function's qualified name."""
    name = resumed_name(code.co_name)
    if place.file != code.co_filename or place.function not in (
        name,
        code.co_name,
        code.co_qualname,
    ):
        return place
    head, dot, _ = code.co_qualname.rpartition(".")
    return replace(place, function=f"{head}{dot}{name}")
