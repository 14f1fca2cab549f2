"""The baseline's file: one entry a line, sorted, so that it reads and merges well."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

from esper_audit.data.changes import Entry
from esper_audit.data.files import whole
from esper_audit.data.misfits import misfit
from esper_audit.data.storage import UNREADABLE, decoded, read
from esper_audit.data.text import to_json
from esper_audit.errors import UsageError

VERSION = 1
"""The format that this version writes.

1: first format (0.1.0): an array of the head and of the entries.
"""

_AGAIN = (
    "Fix the file, or move it aside and create a new one with `esper-audit gate --update-baseline`."
)


def dumps_baseline(entries: Sequence[Entry]) -> bytes:
    """The file's text. Every line but the first and last is one entry, whatever its neighbours."""
    head = to_json({"kind": "baseline", "schema_version": VERSION})
    lines = [b"," + msgspec.json.format(to_json(entry), indent=0) for entry in entries]
    return b"\n".join([b"[" + msgspec.json.format(head, indent=0), *lines, b"]", b""])


def load_baseline(path: Path) -> tuple[Entry, ...]:
    """The accepted entries; none where there is no file.

    Raises UsageError for a file that is no baseline, or one of another version; it stays as it is.
    """
    try:
        data = whole(path)
    except FileNotFoundError:
        return ()
    except (OSError, RuntimeError):
        data = read(path)  # says why
    _check_conflict(data, path)
    try:
        raw = decoded(data)
    except UNREADABLE as error:
        raise UsageError(f"{path} is not JSON: {error}.", _AGAIN) from None
    _check_version(raw, path)
    try:
        entries = msgspec.convert(raw[1:], tuple[Entry, ...])
    except msgspec.ValidationError as error:
        raise UsageError(
            f"{path} does not fit format {VERSION}: {misfit(error)}.",
            _AGAIN,
        ) from None
    _check_unique(entries, path)
    return entries


def _check_conflict(data: bytes, path: Path) -> None:
    if any(line.startswith((b"<<<<<<<", b">>>>>>>")) for line in data.splitlines()):
        raise UsageError(
            f"{path} contains merge conflict markers.",
            "Keep the entries of both sides, each of them once, and remove the markers.",
        )


def _check_version(raw: object, path: Path) -> None:
    head = raw[0] if isinstance(raw, list) and raw else raw
    version = head.get("schema_version") if isinstance(head, dict) else None
    if not isinstance(raw, list) or not isinstance(head, dict) or head.get("kind") != "baseline":
        raise UsageError(f"{path} is not a baseline of esper-audit.", _AGAIN)
    if version != VERSION:
        newer = isinstance(version, int) and version > VERSION
        raise UsageError(
            f"{path} uses format {version}; this version reads only format {VERSION}.",
            "Upgrade esper-audit."
            if newer
            else "Move it aside and create a new one with `esper-audit gate --update-baseline`.",
        )


def _check_unique(entries: Sequence[Entry], path: Path) -> None:
    seen: set[tuple[str, ...]] = set()
    for entry in entries:
        if entry.key in seen:
            what = f"{entry.subject.title} ({entry.subject.environment})"
            raise UsageError(
                f"{path} has two entries for {what} {' '.join(filter(None, entry.cause))}.",
                "Remove one of them; a merge may have added it.",
            )
        seen.add(entry.key)
