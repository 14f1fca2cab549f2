"""One place, read once: what a process pool or a cluster runs for each log."""

from __future__ import annotations

from collections.abc import Callable

from esper_audit.traces.opening import blocks
from esper_audit.traces.process_log import ProcessLog
from esper_audit.traces.reader import Reader


def read_log(place: str) -> list[ProcessLog]:
    """The logs of the processes in a file, or at a URL; damage is in them, and never raised."""
    reader = Reader(place)
    _read(reader, place)
    return reader.close()


def each_process(place: str, take: Callable[[ProcessLog], None]) -> None:
    """The same, one process at a time as its log ends: for a file that holds many."""
    reader = Reader(place, take)
    _read(reader, place)
    for left in reader.close():  # where there is no process: its damage
        take(left)


def _read(reader: Reader, place: str) -> None:
    try:
        for block in blocks(place):
            reader.feed(block)
    except Exception as error:  # the errors of a file system of anybody's cost this file alone
        reader.broke(f"{type(error).__name__}: {error}")
