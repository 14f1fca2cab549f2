"""The words of logs and journals: what they don't say, and what of them was lost."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from esper_audit.data.logs import Damage, DamageKind
from esper_audit.data.reasons import Reason, Why
from esper_audit.report.words.numbers import agree, several


def _some(reason: Reason) -> str:
    """The names, and that there are more."""
    more = ", …" if (reason.count or 0) > len(reason.names) else ""
    return f"{', '.join(reason.names)}{more}"


WORDS: dict[Why, Callable[[Reason], str]] = {
    Why.ONLY_LOGGED: lambda _: (
        "a trace log does not say whether compiled code ran, so a budget can fail here, but not"
        " pass"
    ),
    Why.HEAD_LOST: lambda _: (
        "the first line of the recording is lost: the program, torch and the settings are unknown"
    ),
    Why.LINES_LOST: lambda reason: (
        f"{reason.count} of {several(reason.total or 0, 'line')} of the recording"
        f" {agree(reason.count or 0, 'is', 'are')} lost; the first is line {reason.step}:"
        f" {reason.text}"
    ),
    Why.LOG_DAMAGED: lambda _: "its trace log is damaged, and what is left of it holds no compile",
    Why.NO_LOGS: lambda reason: (
        f"{several(reason.count or 0, 'file')} {agree(reason.count or 0, 'is', 'are')} no trace"
        f" log: {_some(reason)}."
    ),
    Why.COPIES: lambda reason: (
        f"{several(reason.count or 0, 'file')} {agree(reason.count or 0, 'is', 'are')} left out as"
        f" copies of others: {_some(reason)}."
    ),
    Why.NOT_LOGGED: lambda _: "a trace log does not say who wrote it",
    Why.SIDE_LOGGED: lambda reason: (
        f"{reason.text} is made of trace logs. They tell neither what was reused nor what ran"
        " eagerly without a compile, so a difference in that may be none of the programs"
    ),
}
UNTOLD = (
    "A trace log tells what was compiled, not what ran: reuse, calls that ran eagerly, steps and"
    " the lines that wrote guarded state are unknown."
)
_MOST_NAMES = 3
_DAMAGED: dict[DamageKind, tuple[str, str]] = {
    DamageKind.NOT_A_RECORD: ("is not a record", "are not records"),
    DamageKind.NOT_JSON: ("is not JSON", "are not JSON"),
    DamageKind.NO_PAYLOAD: ("lacks its payload", "lack their payloads"),
    DamageKind.OTHER_PAYLOAD: (
        "has a payload that does not fit its checksum",
        "have payloads that do not fit their checksums",
    ),
    DamageKind.CUT_OFF: ("is cut off at the end of the log", "are cut off at the end of the log"),
    DamageKind.UNKNOWN_FORM: (
        "is a record in a form that no known torch writes",
        "are records in a form that no known torch writes",
    ),
}


def objects_words(names: Sequence[str]) -> str:
    """That a value that differs may be of another object."""
    more = ", …" if len(names) > _MOST_NAMES else ""
    return (
        "A trace log does not tell objects apart. Where several share the code, the cause is that"
        f" another one was called (other-instance): {', '.join(names[:_MOST_NAMES])}{more}."
    )


def damage_words(damage: Iterable[Damage]) -> list[str]:
    """``3 lines of FILE are not JSON, and were left out; the first is line 17: …``."""
    return [_damaged(part) for part in damage]


def _damaged(part: Damage) -> str:
    where = part.file
    if part.files > 1:
        where = f"{part.file} and {several(part.files - 1, 'more file')}"
    if part.kind is DamageKind.UNREADABLE:
        because = f": {part.text}" if part.text else ""
        return f"{where} can't be read to {agree(part.files, 'its', 'their')} end{because}."
    what = agree(part.count, *_DAMAGED[part.kind])
    first = agree(part.count, "it is", "the first is")
    at = f"; {first} line {part.line}" if part.line else ""
    said = f": {part.text}" if part.text else ""
    left_out = agree(part.count, "was", "were")
    return f"{several(part.count, 'line')} of {where} {what}, and {left_out} left out{at}{said}."
