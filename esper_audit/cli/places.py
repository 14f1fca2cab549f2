"""Where a command writes, checked before it runs: no output costs an input or another output."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from esper_audit.data.files import is_file, is_folder
from esper_audit.data.storage import check_writable, is_descriptor
from esper_audit.errors import UsageError
from esper_audit.report.formats import Output

_Identity = tuple[object, ...]
_BASELINE_HEAD = b'{"kind": "baseline"'


def check_places(outputs: Sequence[Output], reads: Sequence[Path] = ()) -> None:
    """Raise UsageError before a long run, where a file can't be written, or would cost another one.

    ``reads`` are what the command reads, and files that it writes by itself. Python code and
    baselines are never replaced, whether they are among these or not.
    """
    for output in outputs:
        check_writable(output.path)
    _check_inputs([output.path for output in outputs], reads)
    _check_each_other([output.path for output in outputs])
    for output in outputs:
        _check_not_source(output.path)


def with_recordings(paths: Iterable[Path]) -> list[Path]:
    """The paths, and of a folder the recordings of ranks that are read in it."""
    found = list(paths)
    for path in tuple(found):
        if is_folder(path):
            found += (*path.glob("*.json"), *path.glob("*.json.partial"))
    return found


def _check_inputs(outputs: Sequence[Path], reads: Sequence[Path]) -> None:
    targets = {known: str(path) for path in outputs for known in _identities(path)}
    targets |= _of_stream("stdout")  # a refusal would go to stderr, whatever file that is
    for path in reads:
        hit = next((targets[known] for known in _identities(path) if known in targets), "")
        if hit:
            named = f"{hit} is" if hit == str(path) else f"{hit} is the file {path},"
            raise UsageError(
                f"{named} used by this command itself; an output would replace it.",
                "Give the output another file.",
            )


def _check_each_other(outputs: Sequence[Path]) -> None:
    seen = _of_stream("stderr") | _of_stream("stdout")
    for path in outputs:
        hit = next((seen[known] for known in _identities(path) if known in seen), "")
        if hit in ("stdout", "stderr") and is_descriptor(path):
            continue  # meant to go there, and added to what is there
        if hit:
            raise UsageError(
                f"{path} is named twice."
                if hit == str(path)
                else f"{path} and {hit} are one file.",
                "Give each output a file of its own.",
            )
        seen |= dict.fromkeys(_identities(path), str(path))


def _check_not_source(path: Path) -> None:
    """What nobody means to replace by a report, whether this command reads it or not."""
    real = Path(os.path.realpath(path))
    if not is_file(real):
        return
    is_baseline = _is_baseline(real)
    if is_baseline or real.suffix == ".py" or real.name == "pyproject.toml":
        kind = "a baseline" if is_baseline else "source"
        raise UsageError(f"{path} is {kind}; no report replaces it.", "Give another file.")


def _is_baseline(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return _BASELINE_HEAD in file.read(len(_BASELINE_HEAD) + 8)
    except OSError:
        return False


def _identities(path: Path) -> Iterator[_Identity]:
    """What tells whether two paths are one file, however they are written; none of a device."""
    try:
        found = os.stat(path)  # noqa: PTH116
    except (OSError, ValueError):
        yield ("path", os.path.realpath(path))
        return
    if stat.S_ISREG(found.st_mode):
        yield ("path", os.path.realpath(path))
        yield ("file", found.st_dev, found.st_ino)  # through a hard link, too


def _of_stream(name: str) -> dict[_Identity, str]:
    """The file that stdout or stderr goes to, if it is one."""
    try:
        found = os.fstat(getattr(sys, name).fileno())
    except (AttributeError, OSError, ValueError):  # closed, none, or not of the system
        return {}
    return {("file", found.st_dev, found.st_ino): name} if stat.S_ISREG(found.st_mode) else {}
