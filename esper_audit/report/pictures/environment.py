"""Where recordings were made, as a table: torch, Python, device, settings, and trace logs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from esper_audit.data.recording import Environment, Recording
from esper_audit.report.sections import Line, Section, Table, line
from esper_audit.report.words.guards import shortened

MOST_SETTINGS = 60
MOST_FILES = 8


def environment(
    found: Environment, recordings: Sequence[Recording] = (), root: str = ""
) -> Section:
    """All that is known; of several environments, the one of the report."""
    rows = [*_rows(found), *_recorded(recordings)]
    rows += [("project", root)] if root else []
    settings = sorted(found.settings.items())
    rows += [(name, value) for name, value in settings[:MOST_SETTINGS]]
    left = len(settings) - MOST_SETTINGS
    notes = (line(f"{left:,} more settings left out"),) if left > 0 else ()
    table = Table(tuple(_row(*row) for row in rows if row[1]), ("what", "value"))
    return Section("Environment", (table,), notes)


def _row(name: str, value: str) -> tuple[Line, ...]:
    return line(name), line(shortened(value, 400))


def _rows(found: Environment) -> Iterator[tuple[str, str]]:
    yield "torch", found.torch
    yield "Python", found.python
    yield "device", found.device
    yield "platform", found.platform
    yield "esper-audit", found.esper_audit


def _recorded(recordings: Sequence[Recording]) -> Iterator[tuple[str, str]]:
    begins = [recording.began_at for recording in recordings if recording.began_at is not None]
    if begins:
        yield "recorded", _moment(min(begins))
    programs = (one.program for one in recordings if one.program is not None)
    commands = dict.fromkeys(" ".join(program.argv) for program in programs)
    yield "command", "; ".join(commands)
    logs = [log for one in recordings if (log := one.trace_log) is not None]
    files = list(dict.fromkeys(file for log in logs for file in log.files))
    if files:
        more = f" and {len(files) - MOST_FILES} more" if len(files) > MOST_FILES else ""
        yield "made of trace logs", f"{', '.join(files[:MOST_FILES])}{more}"


def _moment(seconds: float) -> str:
    """In UTC; empty for a time that no clock shows, as a file may hold."""
    try:
        return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S} UTC"
    except (OverflowError, ValueError, OSError):
        return ""
