"""A baseline's file for one process at a time: two updates at once keep the entries of both."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from esper_audit.data.files import is_there
from esper_audit.errors import IncompleteError

PATIENCE_SECONDS = 30.0
"""How long an update waits for another one, which takes milliseconds."""


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock of a baseline, whatever name it is called by.

    The system takes it back from a process that dies. Raises IncompleteError where it can't be had.
    """
    from filelock import FileLock, Timeout

    why = ""
    for place in _places(path):
        try:
            place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            lock = FileLock(place)
            lock.acquire(timeout=PATIENCE_SECONDS)
        except Timeout:
            raise IncompleteError(
                f"{path} is not updated: another update has held it for {PATIENCE_SECONDS:.0f} s.",
                "Run it again when that one has ended.",
            ) from None
        except (OSError, NotImplementedError) as error:  # read-only, or a disk without locks
            why = str(error)
            continue
        try:
            yield
        finally:
            lock.release()
        return
    raise IncompleteError(
        f"{path} is not updated: no lock can be had ({why}).",
        "Make the cache folder of your user writable, or set XDG_CACHE_HOME to one that is.",
    )


def _places(path: Path) -> Iterator[Path]:
    """Where its lock may be: not beside it, where it would be committed."""
    from platformdirs import user_cache_path

    name = f"{hashlib.sha256(os.fsencode(os.path.realpath(path))).hexdigest()[:32]}.lock"
    yield user_cache_path("esper-audit") / "locks" / name
    user = os.getuid() if hasattr(os, "getuid") else 0
    folder = Path(tempfile.gettempdir()) / f"esper-audit-locks-{user}"
    if not is_there(folder) or folder.lstat().st_uid == user:  # the temporary folder is everybody's
        yield folder / name
