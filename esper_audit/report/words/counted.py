"""What a number counts, in words."""

from __future__ import annotations

from esper_audit.data.reasons import Counted

NOUNS = {
    Counted.COMPILES: "compile",
    Counted.RECOMPILES: "recompile",
    Counted.COMPILES_IN_WARM_UP: "compile",
    Counted.COMPILES_AFTER_WARM_UP: "compile",
    Counted.RECOMPILES_AFTER_WARM_UP: "recompile",
    Counted.GRAPH_BREAKS: "graph break",
}
"""One of what is counted."""

_WHEN = {
    Counted.COMPILES: " in all",
    Counted.COMPILES_IN_WARM_UP: " in warm-up",
    Counted.COMPILES_AFTER_WARM_UP: " after warm-up",
    Counted.RECOMPILES_AFTER_WARM_UP: " after warm-up",
}
_COLUMNS = {Counted.EAGER: "eager", Counted.STALE: "stale", Counted.VERDICT: "verdict"}


def when(counted: Counted) -> str:
    """When it is counted, to follow a noun: `` after warm-up``; empty for always."""
    return _WHEN.get(counted, "")


def counted_words(counted: Counted | None) -> str:
    """What is counted, as a heading: ``compiles after warm-up``."""
    if counted is None:
        return ""
    noun = NOUNS.get(counted)
    return f"{noun}s{when(counted)}" if noun else _COLUMNS[counted]
