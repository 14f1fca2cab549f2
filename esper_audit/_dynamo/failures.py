"""An error that ended a compile: what torch says of it, and the user's line that it stopped at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from esper_audit._dynamo import files
from esper_audit.data.places import Location
from esper_audit.torch_text.breaks import helpful, read_break, second_break

_MOST = 600
_RAISED = "Observed exception"
_FROM_USER_CODE = "\n\nfrom user code:"


@dataclass(frozen=True, slots=True)
class Failure:
    """``reason`` is one line, ``detail`` what else torch says, such as shapes that don't fit."""

    reason: str
    detail: str = ""
    hints: tuple[str, ...] = ()
    stopped_at: Location | None = None


def read_failure(error: BaseException) -> Failure:
    """The parts of a page-long error that help. Never the user's own objects: texts of torch's."""
    text = str(error).partition(_FROM_USER_CODE)[0]
    said = read_break(text)
    place = stopped_at(getattr(error, "real_stack", None))
    if not (said.explanation or said.context):
        return Failure(_line(error, text), stopped_at=place)
    detail = said.context if said.kind == _RAISED else said.explanation
    more = second_break(text)
    return Failure(
        reason=f"{type(error).__name__}: {said.kind}",
        detail="; ".join(filter(None, [detail, more]))[:_MOST],
        hints=helpful(said.hints),
        stopped_at=place,
    )


def stopped_at(stack: Any) -> Location | None:
    """The innermost line of the traced stack that is neither torch's nor Python's own."""
    own = [frame for frame in stack or () if not files.is_library_file(frame.filename)]
    return Location(own[-1].filename, own[-1].lineno or 0, own[-1].name) if own else None


def _line(error: BaseException, text: str) -> str:
    """The first line, and the next where it only announces one."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    said = " ".join(lines[:2]) if lines and lines[0].endswith(":") else "".join(lines[:1])
    return f"{type(error).__name__}: {said[:_MOST]}" if said else type(error).__name__
