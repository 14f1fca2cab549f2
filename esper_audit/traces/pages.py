"""The pages that tlparse has made of a log's compiles, where they lie beside it.

tlparse (0.4.3) writes a folder, ``tl_out`` unless told otherwise. It holds a copy of the log
(``raw.log``), and for each attempt of a compile a folder such as ``-_0_3_0``: the ids of compiled
autograd, of the frame, of the compile, and the attempt. Of many ranks (``--all-ranks-html``) it
holds such a folder for each: ``rank_3``.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from itertools import islice

from esper_audit.data.logs import LogSource
from esper_audit.traces.opening import blocks, is_url

_OF_COMPILE = re.compile(r"(-|\d+)_(\d+)_(\d+)_(\d+)")
_PAGE = re.compile(r"compilation_metrics_\d+\.html")
_DEFAULT = "tl_out"
_BEGINNING = 1 << 12
"""Bytes by which a log and tlparse's copy of it are known to be one."""


def pages_of(log: LogSource, given: Sequence[str] = (), rank: int | None = None) -> dict[str, str]:
    """The page of each compile id of a log; none where tlparse was not there, or read another.

    ``given`` are folders to look into as well. Nothing is raised: a page is an extra.
    """
    for file in log.files:
        if is_url(file):
            continue
        for folder in _candidates(os.path.dirname(file), given, rank):  # noqa: PTH120
            if _is_of(folder, file):
                return _pages(folder)
    return {}


def _candidates(beside: str, given: Sequence[str], rank: int | None) -> Iterator[str]:
    for folder in (beside, *given):
        for base in (folder, os.path.join(folder, _DEFAULT)):  # noqa: PTH118
            yield base
            if rank is not None:
                yield os.path.join(base, f"rank_{rank}")  # noqa: PTH118


def _is_of(folder: str, file: str) -> bool:
    copy = os.path.join(folder, "raw.log")  # noqa: PTH118
    try:
        return _beginning(copy) == _beginning(file) != b""
    except Exception:  # whatever reading a foreign folder may raise
        return False


def _beginning(file: str) -> bytes:
    start = b""
    for block in islice(blocks(file, _BEGINNING), 4):
        start += block
    return start[:_BEGINNING]


def _pages(folder: str) -> dict[str, str]:
    """The page of the last attempt of each compile."""
    found: dict[str, tuple[int, str]] = {}
    try:
        names = sorted(os.listdir(folder))  # noqa: PTH208
    except OSError:
        return {}
    for name in names:
        parts = _OF_COMPILE.fullmatch(name)
        page = _page_in(os.path.join(folder, name)) if parts else ""  # noqa: PTH118
        if parts is None or not page:
            continue
        autograd, frame, number, attempt = parts.groups()
        key = f"{frame}/{number}" if autograd == "-" else f"!{autograd}/{frame}/{number}"
        found[key] = max(found.get(key, (0, "")), (int(attempt), page))
    return {key: page for key, (_, page) in found.items()}


def _page_in(folder: str) -> str:
    try:
        pages = [name for name in os.listdir(folder) if _PAGE.fullmatch(name)]  # noqa: PTH208
    except OSError:
        return ""
    return os.path.join(folder, min(pages)) if pages else ""  # noqa: PTH118
