"""A second run of a program, watched: who wrote the state whose guards failed in the first."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import msgspec

from esper_audit.data.reasons import Reason, Why
from esper_audit.data.recording import Recording
from esper_audit.data.storage import load
from esper_audit.data.text import on_disk, to_json
from esper_audit.errors import AuditError
from esper_audit.program.launch import Target
from esper_audit.recording.writers import unexplained, with_writers, without_writers
from esper_audit.recording.writers import wanted as wanted_sources

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
    with tempfile.TemporaryDirectory(prefix="esper-audit-") as folder:
        watch, saved = Path(folder) / "watch.json", Path(folder) / "recording.json"
        watch.write_bytes(to_json(wanted))
        command = [sys.executable, "-m", "esper_audit", "exec", "--watch", str(watch)]
        if first.program is not None and first.program.recompile_limit is not None:
            command += ["--recompile-limit", str(first.program.recompile_limit)]
        command += ["--save", str(saved), *(() if target.is_module else ("--",)), *target.argv]
        environment = {name: text for name, text in os.environ.items() if name not in _OF_RANKS}
        try:
            subprocess.run(
                command,
                cwd=on_disk(first.program.folder) if first.program is not None else None,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                check=False,
            )
            return with_writers(first, load(saved, Recording))
        except (AuditError, OSError) as error:  # the latter where its folder is gone
            lost = Reason(why=Why.RESULT_LOST, text=str(error))
            return without_writers(first, Reason(why=Why.WATCHED_FAILED, cause=lost))
