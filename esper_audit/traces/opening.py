"""The bytes of a log: a file or a URL, packed or not, in blocks."""

from __future__ import annotations

import os
import re
import stat
import zlib
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from esper_audit.data.text import on_disk
from esper_audit.errors import UsageError

BLOCK = 1 << 20
_GZIP = b"\x1f\x8b"
_ZSTD = b"\x28\xb5\x2f\xfd"
_URL = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]*://|[a-zA-Z0-9+.-]+(://[^:]*)?::")


class BrokenError(Exception):
    """A packed file ends too early, or can't be unpacked."""


def is_url(place: str) -> bool:
    """Whether fsspec opens it, as in ``s3://bucket/traces``."""
    return _URL.match(place) is not None


def blocks(place: str, size: int = BLOCK) -> Iterator[bytes]:
    """The unpacked bytes; raises BrokenError, OSError, or what a file system of fsspec raises."""
    with opened(place) as file:
        first = file.read(size)
        yield from _unpacked(first, file, size)


def opened(place: str) -> AbstractContextManager[BinaryIO]:
    """The file as it is; a named pipe that nobody writes to is empty."""
    if is_url(place):
        return _remote(place)
    path = on_disk(place)
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    handle = os.open(path, flags)
    try:
        if stat.S_ISDIR(os.fstat(handle).st_mode):
            raise IsADirectoryError(f"{Path(path).name} is a folder")
        if hasattr(os, "O_NONBLOCK"):
            os.set_blocking(handle, True)
        return os.fdopen(handle, "rb", buffering=0)
    except BaseException:
        os.close(handle)
        raise


@contextmanager
def _remote(place: str) -> Iterator[BinaryIO]:
    """The file at a URL; that of an archive is closed with its file system, so that is kept."""
    system, path = _fsspec().core.url_to_fs(place)
    with system.open(path, "rb") as file:
        yield file


def _unpacked(first: bytes, file: BinaryIO, size: int) -> Iterator[bytes]:
    if first.startswith(_GZIP):
        return _gunzipped(first, file, size)
    if first.startswith(_ZSTD):
        return _unzstd(first, file, size)
    return _plain(first, file, size)


def _plain(first: bytes, file: BinaryIO, size: int) -> Iterator[bytes]:
    while first:
        yield first
        first = file.read(size)


def _gunzipped(data: bytes, file: BinaryIO, size: int) -> Iterator[bytes]:
    """All members; what stands before damage is given first."""
    member = zlib.decompressobj(wbits=31)
    while data:
        try:
            yield member.decompress(data, size)
        except zlib.error as error:
            raise BrokenError(str(error)) from error
        data = member.unconsumed_tail
        if member.eof:
            data = member.unused_data.lstrip(b"\0") or file.read(size).lstrip(b"\0")
            if data:
                member = zlib.decompressobj(wbits=31)
        elif not data:
            data = file.read(size)
    if not member.eof:
        yield member.flush()
        raise BrokenError("the packed file ends too early")


def _unzstd(data: bytes, file: BinaryIO, size: int) -> Iterator[bytes]:
    zstd = _zstandard()
    frame = zstd.ZstdDecompressor().decompressobj()
    small = size >> 4  # a block may unpack to very many times its size
    while data:
        try:
            yield frame.decompress(data[:small])
        except zstd.ZstdError as error:
            raise BrokenError(str(error)) from error
        data = data[small:]
        if frame.eof:
            data = frame.unused_data + data or file.read(size)
            if data:
                frame = zstd.ZstdDecompressor().decompressobj()
        elif not data:
            data = file.read(size)
    if not frame.eof:
        raise BrokenError("the packed file ends too early")


def _zstandard() -> Any:
    try:
        import zstandard
    except ImportError as error:
        raise UsageError(
            "Reading .zst files needs the package zstandard.", "pip install 'esper-audit[zstd]'"
        ) from error
    return zstandard


def filesystem(url: str) -> tuple[Any, str]:
    """The file system of a URL, and the path in it; raises UsageError where there is none."""
    try:
        system, path = _fsspec().core.url_to_fs(url)
    except ImportError as error:  # it names the package
        raise UsageError(
            f"Can't open {url}: {error}.", "Install that package, and run the command again."
        ) from error
    except ValueError as error:
        raise UsageError(f"Can't open {url}: {error}", "Check the protocol of the URL.") from error
    return system, path


def _fsspec() -> Any:
    try:
        import fsspec
    except ImportError as error:
        raise UsageError("Reading URLs needs the package fsspec.", "pip install fsspec") from error
    return fsspec
