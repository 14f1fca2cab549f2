"""Files as they would be: imported with other texts than those on disk, and nothing is written.

A module's path stays as it is, so its frames keep their names. Source is read by importlib's
loaders, and by linecache for ``inspect.getsource`` and tracebacks.
"""

from __future__ import annotations

import io
import linecache
import os
import tokenize
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from importlib.machinery import SourceFileLoader
from typing import Any


@contextmanager
def overlaid(texts: Mapping[str, str]) -> Iterator[None]:
    """Import files of these paths with these texts, until the end of the block.

    No bytecode of theirs is read or left on disk. What has been imported before stays as it is.
    """
    if not texts:
        yield
        return
    replaced = {os.path.realpath(path): text for path, text in texts.items()}
    before = {name: vars(SourceFileLoader).get(name) for name in ("get_data", "path_stats")}
    lines = dict(linecache.cache)
    _read_from(replaced)
    for path in texts:
        _show(path, texts[path])
    try:
        yield
    finally:
        for name, method in before.items():
            _put_back(name, method)
        linecache.cache.clear()
        linecache.cache.update(lines)


def _read_from(replaced: Mapping[str, str]) -> None:
    """Let importlib's loaders read these texts, given by real path, in place of the files."""
    read, stats = SourceFileLoader.get_data, SourceFileLoader.path_stats
    real = cache(os.path.realpath)

    def get_data(loader: SourceFileLoader, path: str) -> bytes:
        text = replaced.get(real(path))
        if text is None:
            return read(loader, path)
        _show(path, text)
        return _bytes_of(text)

    def path_stats(loader: SourceFileLoader, path: str) -> Mapping[str, Any]:
        if real(path) in replaced:
            # importlib/_bootstrap_external.py, SourceLoader.get_code: then it uses no bytecode.
            raise OSError(f"{path} is overlaid")
        return stats(loader, path)

    SourceFileLoader.get_data = get_data  # type: ignore[method-assign,assignment]
    SourceFileLoader.path_stats = path_stats  # type: ignore[method-assign,assignment]


def _put_back(name: str, method: object) -> None:
    if method is None:  # it is inherited
        delattr(SourceFileLoader, name)
    else:
        setattr(SourceFileLoader, name, method)


def _show(path: str, text: str) -> None:
    """Give tracebacks and ``inspect`` these lines; without a time, linecache never checks them."""
    linecache.cache[path] = (len(text), None, text.splitlines(keepends=True), path)


def _bytes_of(text: str) -> bytes:
    """In the encoding that the text declares."""
    data = text.encode(errors="surrogateescape")
    encoding, _ = tokenize.detect_encoding(io.BytesIO(data).readline)
    return data if encoding.startswith("utf-8") else text.encode(encoding)
