"""Which frame a record is of, and the calls that led to it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePath

from esper_audit.data.places import Frame, Location
from esper_audit.traces.attempts import whole
from esper_audit.traces.log_files import is_library_file
from esper_audit.traces.process_log import LoggedCompile
from esper_audit.traces.written_code import is_resumed

_DIGITS = 10
_REFUSED_IN = "Recompiling function "


def place_of(logged: LoggedCompile) -> Location | None:
    """File, line and bare name of the code object; None where this record has none."""
    metrics = logged.metrics
    file, name = metrics.get("co_filename"), metrics.get("co_name")
    if isinstance(file, str) and isinstance(name, str):
        return Location(file, whole(metrics, "co_firstlineno") or 0, name)
    said = str(metrics.get("fail_reason") or "").partition("\n")[0]
    if said.startswith(_REFUSED_IN):
        function, _, place = said.removeprefix(_REFUSED_IN).partition(" in ")
        file, _, line = place.rpartition(":")
        return Location(
            file, int(line) if line.isdecimal() and len(line) < _DIGITS else 0, function
        )
    return logged.stack[-1] if logged.stack else None


def user_stack(stack: Sequence[Location], frame: Frame) -> tuple[Location, ...]:
    """The user's lines that led to the frame; empty where the innermost is not among them.

    Torch leaves out the two calls next to the frame (``dynamo_start`` of convert_frame.py, 2.6 to
    2.14). Where torch's own code called those, no line of the user's is among them.
    """
    if stack and _is_same(stack[-1].file, frame.file):
        stack = stack[:-1]
    if not stack or not is_library_file(stack[-1].file):
        return ()
    return tuple(place for place in stack if not is_library_file(place.file))


def _is_same(file: str, other: str) -> bool:
    return file == other or PurePath(file) == PurePath(other)


_ENTERED = ("compile_wrapper", "_fn")
"""Functions of torch/_dynamo/eval_frame.py that enter compiled code, 2.8 to 2.14."""
_EVAL_FRAME = "torch/_dynamo/eval_frame.py"
_MODULE_CALLS = ("torch/nn/modules/module.py", "torch/_dynamo/external_utils.py")


def is_direct(stack: Sequence[Location], frame: Frame) -> bool:
    """Whether it is what the user compiled, as far as the log's cut stack shows.

    Where another compiled function is further out, it is called by that one.
    """
    if is_resumed(frame.raw_name.rpartition(".")[2]):
        return False
    outer = [place for place in stack[:-1] if not place.file.endswith(_MODULE_CALLS)]
    entered = [place.function in _ENTERED and place.file.endswith(_EVAL_FRAME) for place in outer]
    return not any(entered) or (entered[-1] and sum(entered) == 1)


def instance_of(frame: Frame) -> str:
    """Of a wrapper, the class that it wraps: more of an object no log tells."""
    return f"{frame.name}@?" if frame.name != frame.raw_name else ""
