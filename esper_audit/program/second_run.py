"""A second run of a program, watched: who wrote the state whose guards failed in the first."""

from __future__ import annotations

import tempfile
from pathlib import Path

import msgspec

from esper_audit.data.reasons import Reason, Why
from esper_audit.data.recording import Program, Recording
from esper_audit.data.storage import load
from esper_audit.data.text import on_disk, to_json
from esper_audit.errors import AuditError
from esper_audit.program.again import command_of, run_again
from esper_audit.program.launch import Target
from esper_audit.program.signals import HELD
from esper_audit.recording.writers import unexplained, with_writers, without_writers
from esper_audit.recording.writers import wanted as wanted_sources
from esper_audit.replay.keeper import keeper


def read_watch(path: Path) -> dict[str, tuple[str, ...]]:
    """The guard sources by frame that a second run watches."""
    return msgspec.json.decode(path.read_bytes(), type=dict[str, tuple[str, ...]])


def watched_run(target: Target, first: Recording) -> Recording:
    """The first recording, with the writers that a second run of the program shows.

    The second run gets no input and its output is dropped. Where it doesn't make the same
    compiles, or can't be made, no writer is named, and the recording says why.
    """
    if first.program is not None and (first.program.world_size or 1) > 1:
        return without_writers(first, Reason(why=Why.IS_DISTRIBUTED))
    wanted = wanted_sources(first)
    if not wanted:
        return unexplained(first, Reason(why=Why.NO_PLACE))
    with keeper() as kept, tempfile.TemporaryDirectory(prefix="esper-audit-") as place:
        kept.folder(place)
        watch, saved = Path(place) / "watch.json", Path(place) / "recording.json"
        watch.write_bytes(to_json(wanted))
        command = _command(target, first.program, watch, saved)
        try:
            folder = on_disk(first.program.folder) if first.program is not None else None
            run_again(command, folder, kept, lambda: HELD.came)
            if HELD.came:
                interrupted = Reason(why=Why.INTERRUPTED)
                return without_writers(first, Reason(why=Why.WATCHED_FAILED, cause=interrupted))
            return with_writers(first, load(saved, Recording))
        except (AuditError, OSError) as error:  # the latter where its folder is gone
            lost = Reason(why=Why.RESULT_LOST, text=str(error))
            return without_writers(first, Reason(why=Why.WATCHED_FAILED, cause=lost))


def _command(target: Target, program: Program | None, watch: Path, saved: Path) -> list[str]:
    limit = program.recompile_limit if program is not None else None
    return command_of(target, "--watch", str(watch), saved=saved, recompile_limit=limit)
