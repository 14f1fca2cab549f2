"""A line on stderr from time to time, for runs that take long."""

from __future__ import annotations

import sys
import threading
import time

from esper_audit.data.compiles import RunsAfter
from esper_audit.diagnosis import count
from esper_audit.program.run import ProgramRun
from esper_audit.report.words.numbers import several


def beat(session: ProgramRun, seconds: float) -> None:
    """Print every so many seconds what was recorded up to then, until the process ends."""
    thread = threading.Thread(
        target=_beat, args=(session, seconds), name="esper-audit heartbeat", daemon=True
    )
    thread.start()


def _beat(session: ProgramRun, seconds: float) -> None:
    started = time.monotonic()
    while True:
        time.sleep(seconds)
        if sys.stderr is not None:  # print would take stdout instead, which is the program's
            print(_line(session, time.monotonic() - started), file=sys.stderr, flush=True)


def _line(session: ProgramRun, elapsed: float) -> str:
    if session.recorder is None:
        return f"esper-audit: {elapsed:.0f} s: torch.compile was not used yet"
    recording = session.recorder.recording()
    counts = count(recording)
    eager = {e.frame.key for e in recording.compiles if e.runs_after is not RunsAfter.COMPILE}
    eager |= {skip.frame.key for skip in recording.skips if skip.for_good}
    return (
        f"esper-audit: {elapsed:.0f} s: {several(counts.compiles, 'compile')}"
        f" ({several(counts.recompiles, 'recompile')}),"
        f" {several(recording.lookups.hits, 'lookup')} reused compiled code,"
        f" {several(len(eager), 'frame')} now eager"
    )
