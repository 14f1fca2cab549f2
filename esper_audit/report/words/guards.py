"""One guard in words: what it reads, what its cache entry wants of it, and what came."""

from __future__ import annotations

import re

from esper_audit.data.compiles import GuardFailure
from esper_audit.report.words.changes import fields_in_words, guarded
from esper_audit.report.words.origins import with_origin
from esper_audit.torch_text.guard_kinds import Reading, reading_of

LONGEST = 120
"""Characters of a value in a figure; the recording keeps all."""


def source_words(failure: GuardFailure) -> str:
    """What the guard reads: ``self.alpha``; of torch's own state, the settings that differ."""
    if reading_of(failure.kind) is Reading.SETTING and failure.fields:
        return ", ".join(name.replace("_", " ") for name in failure.fields)
    named = with_origin(failure.source, failure.origin) if failure.source else failure.text
    return shortened(named or failure.kind)


def wanted(failure: GuardFailure) -> str:
    """The value that the cache entry was compiled for."""
    return _told(failure, 0, failure.expected)


def came(failure: GuardFailure) -> str:
    """The value that the guard found."""
    return _told(failure, 1, failure.actual)


def _told(failure: GuardFailure, side: int, value: str) -> str:
    """What differs of a tensor or of torch's state, where that is known; else the value."""
    if failure.fields:
        return shortened(fields_in_words({n: pair[side] for n, pair in failure.fields.items()}))
    return shortened(_TENSOR.sub(r"tensor \1 \2", guarded(failure.kind, value)))


_TENSOR = re.compile(r"^tensor\(size=(\[[^\]]*\]), dtype=(\w+), .*\)$", re.DOTALL)
"""A tensor in place of something else: its size and dtype tell it apart, the rest is wide."""


def shortened(text: str, longest: int = LONGEST) -> str:
    """The beginning of a long text."""
    return text if len(text) <= longest else f"{text[: longest - 1]}…"
