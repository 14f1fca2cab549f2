"""A second run of a program, watched: who wrote the state whose guards failed in the first."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

import msgspec

from esper_audit.data.reasons import Reason, Why
from esper_audit.data.recording import Program, Recording
from esper_audit.data.storage import load
from esper_audit.data.text import on_disk, to_json
from esper_audit.errors import AuditError
from esper_audit.program.launch import Target
from esper_audit.program.signals import HELD
from esper_audit.recording.writers import unexplained, with_writers, without_writers
from esper_audit.recording.writers import wanted as wanted_sources
from esper_audit.replay.keeper import Keeper, keeper

_POLL_SECONDS = 0.1
_OF_RANKS = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT")


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
            _run(
                command, on_disk(first.program.folder) if first.program is not None else None, kept
            )
            if HELD.came:
                interrupted = Reason(why=Why.INTERRUPTED)
                return without_writers(first, Reason(why=Why.WATCHED_FAILED, cause=interrupted))
            return with_writers(first, load(saved, Recording))
        except (AuditError, OSError) as error:  # the latter where its folder is gone
            lost = Reason(why=Why.RESULT_LOST, text=str(error))
            return without_writers(first, Reason(why=Why.WATCHED_FAILED, cause=lost))


def _command(target: Target, program: Program | None, watch: Path, saved: Path) -> list[str]:
    command = [sys.executable, "-m", "esper_audit", "exec", "--watch", str(watch)]
    if program is not None and program.recompile_limit is not None:
        command += ["--recompile-limit", str(program.recompile_limit)]
    return [*command, "--save", str(saved), *(() if target.is_module else ("--",)), *target.argv]


def _run(command: list[str], folder: str | None, kept: Keeper) -> None:
    """Until it ends, or a signal is to end us; nothing of it stays, whatever becomes of us."""
    process = subprocess.Popen(
        command,
        cwd=folder,
        env={name: text for name, text in os.environ.items() if name not in _OF_RANKS},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,  # Ctrl-C is for us, who end it; and its children are known
    )
    kept.group(process.pid)
    try:
        while process.poll() is None and not HELD.came:
            with suppress(subprocess.TimeoutExpired):
                process.wait(_POLL_SECONDS)
    finally:
        if hasattr(os, "killpg"):
            with suppress(OSError):  # all have gone
                os.killpg(process.pid, signal.SIGKILL)
        process.kill()
        process.wait()
        kept.ended(process.pid)
