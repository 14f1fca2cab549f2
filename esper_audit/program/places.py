"""Where the files of a recorded program go: absolute, as the program may change its folder."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from esper_audit.data.files import is_folder
from esper_audit.data.numbers import whole_number
from esper_audit.errors import UsageError
from esper_audit.recording.journal import SUFFIX, may_replace


def recording_at(given: str | None) -> Path | None:
    """Where ``--save`` puts the recording: under ranks or in a folder, a file for each rank.

    Makes that folder; raises UsageError where the file can't be written.
    """
    if given is None:
        return None
    if not given:
        raise UsageError("--save is empty.", "Give a file, or a folder for ranks.")
    from esper_audit.data.storage import check_writable

    save, rank = Path(given), _rank()
    if not (rank or is_folder(save) or given.endswith(("/", os.sep))):
        check_writable(save)
        return save.absolute()
    _make(save)
    path = (save / f"rank-{rank or 0}.json").absolute()
    check_writable(path)
    return path


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(
            f"{folder} can't be created: {error.strerror}.",
            "Give a folder with --save: each rank writes its own file there.",
        ) from None


def report_at(path: Path) -> Path:
    """Where a report goes: each rank writes one of its own."""
    rank = _rank()
    if rank:
        suffix = ".sarif.json" if path.name.endswith(".sarif.json") else path.suffix
        path = path.with_name(f"{path.name.removesuffix(suffix)}-rank-{rank}{suffix}")
    return path.absolute()


def journal_at(recording: Path | None) -> Path:
    """Where events are written as they happen: beside the recording, else in a temporary folder.

    Raises UsageError where something lies there that no earlier run has left.
    """
    if recording is not None:
        path = recording.with_name(recording.name + SUFFIX)
        if not may_replace(path):
            raise UsageError(
                f"{path} was not left by esper-audit; events of the program would replace it.",
                "Move it, or give --save another file.",
            )
        return path
    # A name that nobody can foresee: the folder is everybody's.
    name = f"esper-audit-{os.getpid()}-{os.urandom(4).hex()}{SUFFIX}"
    return Path(tempfile.gettempdir()) / name


def _rank() -> str:
    rank = os.environ.get("RANK", "")
    return rank if whole_number(rank) is not None else ""
