"""How a replay ended that gave no verdict, in words; used by ``report/words/reasons.py``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import PurePath

from esper_audit.data.reasons import Reason, Why

_CRASH = "native code crashed"
_LIKELY = {
    "SIGKILL": "the system does so when memory runs out",
    "SIGSEGV": f"{_CRASH} (an extension module, torch or a driver)",
    "SIGBUS": f"{_CRASH}, or shared memory (/dev/shm) is full",
    "SIGILL": f"{_CRASH}: it was built for another processor",
    "SIGFPE": f"{_CRASH}: it divided by zero",
    "SIGABRT": "native code gave up: its message is in the log",
    "SIGXCPU": "its limit of CPU time (`ulimit -t`) was reached",
    "SIGXFSZ": "its limit of file sizes (`ulimit -f`) was reached",
}
"""What mostly sends these signals."""


def _time_limit(reason: Reason) -> str:
    place = reason.location
    where = f" in {place.file}:{place.line}" if place is not None else ""
    return f"ran longer than its time limit of {reason.seconds:g} s{where}"


def _scenario_raised(reason: Reason) -> str:
    place = reason.location
    where = f" ({PurePath(place.file).name}:{place.line})" if place is not None else ""
    return f"{reason.text}{where}"


def _exited(reason: Reason) -> str:
    return f"its process ended by itself with exit code {reason.count}{_last_line(reason)}"


def killed(reason: Reason) -> str:
    """By which signal a process died, where, and what mostly sends it."""
    likely = f": {_LIKELY[reason.text]}" if reason.text in _LIKELY else ""
    return f"its process was killed by {reason.text}{_last_line(reason)}{likely}"


def _replay_killed(reason: Reason) -> str:
    fewer = "; replay fewer at a time with --jobs 1" if reason.text == "SIGKILL" else ""
    return f"{killed(reason)}{fewer}"


def _import_late(reason: Reason) -> str:
    return (
        f"its import did not end within {reason.seconds:g} s{_last_line(reason)};"
        " `import-time-limit` sets this limit"
    )


def _last_line(reason: Reason) -> str:
    place = reason.location
    return f", in {place.file}:{place.line}" if place is not None else ""


WORDS: dict[Why, Callable[[Reason], str]] = {
    Why.NOT_RUN: lambda _: "it was not run: the audit was interrupted",
    Why.INTERRUPTED: lambda _: "interrupted",
    Why.SKIPPED: lambda reason: reason.text,
    Why.TIME_LIMIT: _time_limit,
    Why.DID_NOT_STOP: lambda reason: (
        f"did not stop within {reason.allowed:g} s of its time limit ({reason.seconds:g} s)"
    ),
    Why.EXITED: lambda reason: f"the scenario called sys.exit({reason.text})",
    Why.SCENARIO_RAISED: _scenario_raised,
    Why.NOT_STARTED: lambda reason: f"its process could not be started: {reason.text}",
    Why.RESULT_LOST: lambda reason: f"its result was lost: {reason.text}",
    Why.PROCESS_EXITED: _exited,
    Why.PROCESS_KILLED: _replay_killed,
    Why.IMPORT_LATE: _import_late,
    Why.CALLS_DIFFER: lambda reason: (
        f"call {reason.step} of compiled code gave something else than eager execution"
    ),
    Why.CALLS_VARY: lambda reason: (
        f"two runs without torch.compile differ from call {reason.step} on, so none can be compared"
    ),
    Why.LEVER_OVERRIDDEN: lambda reason: f"the code sets {reason.text} itself, which was kept",
}
