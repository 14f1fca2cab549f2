"""Nothing stays behind: a small process that outlives this one, and then clears up after it.

It is told of folders and process groups, and hears of the end of this process, SIGKILL included,
by the end of its input. Run as a script, by a Python without site packages: it imports nothing
else of ours.
"""

from __future__ import annotations

import os
import signal
import sys
from contextlib import contextmanager, suppress
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator
    from pathlib import Path

_FOLDER, _GROUP, _ENDED, _CLEARED = "folder", "group", "ended", "cleared"
_TRIES = 20
_PAUSE_SECONDS = 0.1
_LAST_SECONDS = 5.0


class Keeper:
    """The one who clears up. Where none can be had, or it has died, that is no error."""

    def __init__(self, process: subprocess.Popen[bytes] | None) -> None:
        self._process = process

    def folder(self, path: Path | str) -> None:
        """Delete this folder with all that it holds, once this process has gone."""
        self._tell(_FOLDER, os.fsencode(path).hex())

    def group(self, leader: int) -> None:
        """Kill this process group, once this process has gone."""
        self._tell(_GROUP, str(leader))

    def ended(self, leader: int) -> None:
        """This group has been killed: its number may soon be another's."""
        self._tell(_ENDED, str(leader))

    def cleared(self) -> None:
        """This process has cleared up itself, or is about to."""
        self._tell(_CLEARED, "")

    def _tell(self, what: str, value: str) -> None:
        if self._process is not None and self._process.stdin is not None:
            with suppress(OSError, ValueError):
                self._process.stdin.write(f"{what} {value}\n".encode())


NO_KEEPER = Keeper(None)


@contextmanager
def keeper() -> Iterator[Keeper]:
    """A keeper, until the end of the block."""
    process = _started()
    kept = Keeper(process)
    try:
        yield kept
    finally:
        kept.cleared()
        if process is not None and process.stdin is not None:
            with suppress(OSError):
                process.stdin.close()
            with suppress(Exception):  # it is late: it ends by itself
                process.wait(_LAST_SECONDS)


def _started() -> subprocess.Popen[bytes] | None:
    import subprocess

    try:
        return subprocess.Popen(
            [sys.executable, "-I", "-S", __file__],
            bufsize=0,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd="/" if os.name == "posix" else None,
            start_new_session=True,  # what is sent to our group is not for it
        )
    except OSError:
        return None


def keep(told: IO[bytes]) -> None:
    """The keeper's whole life: listen until there is nobody to hear, then clear up."""
    folders: list[str] = []
    groups: set[int] = set()
    for text in told:
        what, _, value = text.decode().strip().partition(" ")
        if what == _FOLDER:
            folders.append(os.fsdecode(bytes.fromhex(value)))
        elif what == _GROUP:
            groups.add(int(value))
        elif what == _ENDED:
            groups.discard(int(value))
        elif what == _CLEARED:
            folders, groups = [], set()
    for leader in groups:
        with suppress(OSError):
            os.killpg(leader, signal.SIGKILL)
    for folder in folders:
        _delete(folder)


def _delete(folder: str) -> None:
    """Those who have just been killed may still be at work in it."""
    import shutil
    import time

    for _ in range(_TRIES):
        shutil.rmtree(folder, ignore_errors=True)
        if not os.path.lexists(folder):
            return
        time.sleep(_PAUSE_SECONDS)


if __name__ == "__main__":
    keep(sys.stdin.buffer)
