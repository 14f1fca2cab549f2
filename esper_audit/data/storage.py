"""Saved files: versioned JSON, written atomically, readable on a machine without torch."""

from __future__ import annotations

import codecs
import os
import re
import shlex
import sys
import tempfile
import threading
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar, cast

import msgspec

from esper_audit.data.audits import ProgramReport, Report
from esper_audit.data.changes import ComparisonReport, GateReport
from esper_audit.data.files import is_file, is_folder, is_there, to_append, whole
from esper_audit.data.json_text import json_text
from esper_audit.data.misfits import misfit
from esper_audit.data.recording import Recording
from esper_audit.data.remedies import FixReport
from esper_audit.data.scans import ScanReport
from esper_audit.data.text import encodable
from esper_audit.errors import UsageError

SCHEMA_VERSION = 2
"""The format that this version writes, and the only one that it reads.

1: first format. 2: an audit holds a recording, a judged step holds a step; reasons are facts.
"""

_DESCRIPTOR = re.compile(r"/dev/(stdout|stderr)|(?:/dev|/proc/(self|\d+))/fd/(\d+)")
_STANDARD = {"stdout": 1, "stderr": 2}

UNREADABLE = (ValueError, RecursionError)
"""What decoding raises: for what is no JSON, a number of too many digits, brackets without end."""

_SAVE = "Save one with `esper-audit run --save FILE`."
_GIVE_SAVED = (
    "Give a file that --save of `run`, `gate`, `compare`, `exec`, `fix` or `scan` has written."
)

_DEEPEST = 64
"""Brackets in brackets: a file of ours has fewer than twenty."""

CONVERTING = threading.RLock()
"""Two threads that are the first to convert to one type at once crash msgspec (0.22)."""

Document = (
    Recording | Report | ProgramReport | GateReport | ComparisonReport | FixReport | ScanReport
)
T = TypeVar(
    "T", Recording, Report, ProgramReport, GateReport, ComparisonReport, FixReport, ScanReport
)
KINDS: dict[str, type[Document]] = {
    "recording": Recording,
    "report": Report,
    "program": ProgramReport,
    "gate": GateReport,
    "comparison": ComparisonReport,
    "fix": FixReport,
    "scan": ScanReport,
}


def dumps(document: Document) -> bytes:
    """The document as indented JSON, ending in a newline."""
    kind = next(kind for kind, cls in KINDS.items() if type(document) is cls)
    head = {"schema_version": SCHEMA_VERSION, "kind": kind}
    body = head | cast("dict[str, Any]", msgspec.to_builtins(encodable(document)))
    return f"{json_text(body)}\n".encode()


def loads(data: bytes, cls: type[T], name: str = "the data") -> T:
    """The document that ``data`` holds; raises UsageError where it holds none of that kind."""
    try:
        raw = decoded(data)
    except UNREADABLE as error:
        raise UsageError(
            f"{name} is not JSON: {error}.",
            "It may be cut off: save it again with the command that wrote it.",
        ) from None
    kind = check_head(raw, name)
    if KINDS.get(kind) is not cls:
        wanted = next(kind for kind, known in KINDS.items() if known is cls)
        if kind not in (*KINDS, "baseline"):
            raise UsageError(f"{name} is not a file of esper-audit: its kind is {kind!r}.", _SAVE)
        raise UsageError(f"{name} holds a {kind}, not a {wanted}.", _GIVE_SAVED)
    return _converted(raw, cls, name)


def decoded(data: bytes) -> Any:
    """What JSON holds; raises one of UNREADABLE where it is none, or nested without end."""
    raw = msgspec.json.decode(data.removeprefix(codecs.BOM_UTF8))  # some editors put it there
    level = [raw]
    for _ in range(_DEEPEST):
        level = [held for value in level for held in _held(value)]
        if not level:
            return raw
    raise ValueError(f"it is nested more than {_DEEPEST} levels deep")


def _held(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


def _converted(raw: object, cls: type[T], name: str) -> T:
    try:
        with CONVERTING:
            return msgspec.convert(raw, cls)
    except msgspec.ValidationError as error:
        raise UsageError(
            f"{name} does not fit format {SCHEMA_VERSION}: {misfit(error)}.",
            "Save it again with the command that wrote it.",
        ) from None


def check_head(raw: object, name: str) -> str:
    """The kind of a document of ours; raises UsageError for none, or another version."""
    version = raw.get("schema_version") if isinstance(raw, dict) else None
    if not isinstance(raw, dict) or type(version) is not int:
        has = "it has no schema_version" if version is None else "its schema_version is no number"
        raise UsageError(f"{name} is not a file of esper-audit: {has}.", _SAVE)
    if version != SCHEMA_VERSION:
        raise UsageError(
            f"{name} uses format {version}; this version reads only format {SCHEMA_VERSION}.",
            "Upgrade esper-audit."
            if version > SCHEMA_VERSION
            else "Record it again with this version, or read it with the version that saved it.",
        )
    return str(raw.get("kind"))


def write_atomically(path: Path, data: bytes) -> None:
    """Write the whole file or nothing; raises UsageError where the place can't be written.

    A link is followed, not replaced; what is no regular file (``/dev/stdout``) is written to.
    """
    try:
        if _is_stream(path):
            _write_stream(path, data)
            return
        target = path.resolve()
        handle, temporary = tempfile.mkstemp(prefix=".esper-audit-", dir=target.parent)
    except (OSError, RuntimeError) as error:
        raise _cannot_write(path, error) from None
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(data)
        os.chmod(temporary, 0o666 & ~_umask())  # noqa: PTH101
        os.replace(temporary, target)  # noqa: PTH105
    except BaseException as error:
        Path(temporary).unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise _cannot_write(path, error) from None
        raise


def _write_stream(path: Path, data: bytes) -> None:
    """A file behind it keeps what it holds, and what is printed next follows."""
    number = _descriptor(path)
    if number in _STANDARD.values():
        with suppress(AttributeError, ValueError):  # none, or closed
            (sys.stdout if number == 1 else sys.stderr).flush()
    with to_append(path) if number is None else os.fdopen(os.dup(number), "wb") as stream:
        stream.write(data)


def _descriptor(path: Path) -> int | None:
    """The number of what this process has open itself."""
    found = _DESCRIPTOR.fullmatch(os.path.abspath(path))  # noqa: PTH100
    if found is None or found[2] not in (None, "self", str(os.getpid())):
        return None
    return _STANDARD[found[1]] if found[1] else int(found[3])


def _is_stream(path: Path) -> bool:
    """A device, a pipe, or a descriptor, whatever lies behind it; not a file in ``/dev/shm``."""
    # Not resolved: behind a descriptor is a pipe without a name, or a file that others write to.
    return is_descriptor(path) or (is_there(path) and not is_file(path) and not is_folder(path))


def is_descriptor(path: Path) -> bool:
    """Whether a path names what this process has open, as ``/dev/stdout`` does."""
    return _DESCRIPTOR.fullmatch(os.path.abspath(path)) is not None  # noqa: PTH100


def check_writable(path: Path) -> None:
    """Fail before a long run, not after it: raises UsageError where nothing can be written."""
    try:
        if (number := _descriptor(path)) is not None:
            os.fstat(number)
        elif not _is_stream(path) and (not is_there(path) or is_file(path)):
            with tempfile.TemporaryFile(dir=path.resolve().parent):
                pass
    except (OSError, RuntimeError) as error:
        raise _cannot_write(path, error) from None
    if is_folder(path):
        raise UsageError(f"{path} is a folder.", "Give a file in it.")


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _cannot_write(path: Path, error: OSError | RuntimeError) -> UsageError:
    folder = path.parent
    if isinstance(error, FileNotFoundError) and not os.path.lexists(folder):
        return UsageError(
            f"{path} can't be written: there is no folder {folder}.",
            f"Create it: mkdir -p {shlex.quote(str(folder))}",
        )
    return UsageError(f"{path} can't be written: {_why(error)}.", "Give another path.")


def _why(error: OSError | RuntimeError) -> str:
    """Of a loop of links, Python before 3.13 raises no OSError."""
    if not isinstance(error, OSError):
        return "its symbolic links form a loop"
    return error.strerror or str(error) or type(error).__name__  # one of a program's own open()


def save(document: Document, path: Path) -> None:
    """Save as JSON; an existing file is replaced as a whole or kept as it was."""
    write_atomically(path, dumps(document))


def load(path: Path, cls: type[T]) -> T:
    """Read a file that :func:`save` wrote; raises UsageError where that can't be done."""
    return loads(read(path), cls, str(path))


def read(path: Path) -> bytes:
    """The bytes of a file; raises UsageError where it can't be read."""
    try:
        return whole(path)
    except (OSError, RuntimeError) as error:
        raise UsageError(f"{path} can't be read: {_why(error)}.") from None


def load_any(path: Path) -> Document:
    """Read a file of any kind that :func:`save` wrote; raises UsageError where it is none."""
    return loads_any(read(path), str(path))


def loads_any(data: bytes, name: str) -> Document:
    """The document of any kind that ``data`` holds; raises UsageError where it holds none."""
    try:
        raw = decoded(data)
    except UNREADABLE:
        raw = None
    kind = raw.get("kind") if isinstance(raw, dict) else None
    return loads(data, KINDS.get(str(kind), Report), name)  # type: ignore[type-var]  # any of them


def json_schema(cls: type[Document] = Report) -> dict[str, Any]:
    """The JSON Schema (2020-12) of a saved document."""
    schema = msgspec.json.schema(cls)
    document = schema["$defs"][cls.__name__]
    kind = next(kind for kind, known in KINDS.items() if known is cls)
    head = {"schema_version": {"const": SCHEMA_VERSION}, "kind": {"const": kind}}
    document["properties"] = head | document["properties"]
    document["required"] = [*head, *document["required"]]
    whole = {"$schema": "https://json-schema.org/draft/2020-12/schema"} | schema
    plain: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(whole))
    return plain
