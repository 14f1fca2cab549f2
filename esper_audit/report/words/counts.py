"""What is counted, in words: bounds that were exceeded, counts that changed or vary."""

from __future__ import annotations

from esper_audit.data.reasons import Counted, Reason
from esper_audit.report.words.numbers import several

_COUNTED = {
    Counted.COMPILES: "compile",
    Counted.RECOMPILES: "recompile",
    Counted.COMPILES_IN_WARM_UP: "compile",
    Counted.COMPILES_AFTER_WARM_UP: "compile",
    Counted.RECOMPILES_AFTER_WARM_UP: "recompile",
    Counted.GRAPH_BREAKS: "graph break",
}
_WHEN = {
    Counted.COMPILES: " in all",
    Counted.COMPILES_IN_WARM_UP: " in warm-up",
    Counted.COMPILES_AFTER_WARM_UP: " after warm-up",
    Counted.RECOMPILES_AFTER_WARM_UP: " after warm-up",
}
_COLUMNS = {Counted.EAGER: "eager", Counted.STALE: "stale"}


def counted_words(counted: Counted | None) -> str:
    """What is counted, as a heading: ``compiles after warm-up``."""
    if counted is None:
        return ""
    noun = _COUNTED.get(counted)
    return f"{noun}s{_WHEN.get(counted, '')}" if noun else _COLUMNS[counted]


def over_bound(reason: Reason) -> str:
    """``3 compiles after warm-up, 0 allowed``."""
    assert reason.counted is not None and reason.count is not None
    also = f" and {reason.refused} refused" if reason.refused else ""
    made = f"{several(reason.count, _COUNTED[reason.counted])}{also}{_WHEN.get(reason.counted, '')}"
    return f"{made}, {reason.allowed or 0:,} allowed"


def changed(reason: Reason) -> str:
    """``graph breaks: 0 -> 2``."""
    before, after = reason.numbers
    return f"{counted_words(reason.counted)}: {before} -> {after}"


def vary(reason: Reason) -> str:
    """``recompiles: 2, absent over 2 runs``."""
    shown = ("absent" if number is None else str(number) for number in reason.numbers)
    runs = len(reason.numbers)
    return f"{counted_words(reason.counted)}: {', '.join(shown)} over {runs} runs"
