"""Which files that can't be imported a selection is about: their scenarios are not known."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from esper_audit.replay.plan import KeywordMatcher

_FUNCTION = re.compile(r"^(?:async\s+)?def\s+(\w+)", re.MULTILINE)


def left_out(files: Iterable[str], keyword: str) -> tuple[str, ...]:
    """The files in which ``-k`` selects nothing, by their names and those of their functions.

    Their source is read as text, as it may not even parse. No file is left out without ``-k``.
    """
    selected = KeywordMatcher(keyword)
    return tuple(file for file in files if not any(map(selected, _titles(Path(file)))))


def _titles(file: Path) -> list[str]:
    try:
        source = file.read_text(encoding="utf-8", errors="replace")
    except OSError:
        source = ""
    return [file.name, *_FUNCTION.findall(source)]
