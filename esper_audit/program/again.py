"""A program, run again in a process of its own: it gets no input, and nothing of it stays."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

from esper_audit.program.launch import Target
from esper_audit.replay.keeper import Keeper

_POLL_SECONDS = 0.1
_OF_RANKS = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT")


def command_of(
    target: Target, *options: str, saved: Path, recompile_limit: int | None = None
) -> list[str]:
    """What records a program with these options of ``exec``, into the file ``saved``."""
    command = [sys.executable, "-m", "esper_audit", "exec", *options]
    if recompile_limit is not None:
        command += ["--recompile-limit", str(recompile_limit)]
    return [*command, "--save", str(saved), *(() if target.is_module else ("--",)), *target.argv]


def run_again(
    command: list[str],
    folder: str | None,
    kept: Keeper,
    is_over: Callable[[], bool],
    variables: Mapping[str, str] | None = None,
) -> int | None:
    """Until it ends, or ``is_over``; its exit code, None where it was ended by us.

    What it prints is dropped. ``variables`` are added to the environment, in which it is no rank.
    Raises OSError where its folder is gone.
    """
    environment = {name: text for name, text in os.environ.items() if name not in _OF_RANKS}
    process = subprocess.Popen(
        command,
        cwd=folder,
        env=environment | dict(variables or {}),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,  # Ctrl-C is for us, who end it; and its children are known
    )
    kept.group(process.pid)
    try:
        while process.poll() is None and not is_over():
            with suppress(subprocess.TimeoutExpired):
                process.wait(_POLL_SECONDS)
        return process.poll()
    finally:
        if hasattr(os, "killpg"):
            with suppress(OSError):  # all have gone
                os.killpg(process.pid, signal.SIGKILL)
        process.kill()
        process.wait()
        kept.ended(process.pid)
