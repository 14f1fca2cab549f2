"""One attempt to compile, as a timeline tells it."""

from __future__ import annotations

from esper_audit.data.compiles import Compile, Outcome
from esper_audit.report.sections import Line, Style, line
from esper_audit.report.words.guards import came, shortened, source_words, wanted
from esper_audit.report.words.numbers import several

_STYLES = {
    Outcome.COMPILED: Style.NEW,
    Outcome.RECOMPILED: Style.BAD,
    Outcome.SKIPPED: Style.MUTED,
    Outcome.FAILED: Style.BAD,
    Outcome.LIMIT: Style.SLOW,
    Outcome.REFUSED: Style.BAD,
}
_SHOWN = 2
"""Failing guards that are named."""


def attempt_style(attempt: Compile) -> Style:
    """What its outcome means."""
    return _STYLES[attempt.outcome]


def attempt_line(attempt: Compile) -> Line:
    """``0/2 recompiled, Slot.forward, 0.36 s: self.alpha: 0.5 -> 0.1``."""
    times = f", {several(attempt.count, 'time')}" if attempt.count > 1 else ""
    what = "recompile limit hit" if attempt.outcome is Outcome.LIMIT else attempt.outcome.value
    head = f"{attempt.id} {what}, {attempt.frame.name}, {attempt.seconds.total:.2g} s{times}"
    failures = attempt.guard_failures
    said = [f"{source_words(one)}: {wanted(one)} -> {came(one)}" for one in failures[:_SHOWN]]
    said += [f"{len(failures) - _SHOWN} more"] if len(failures) > _SHOWN else []
    return line(": ".join(filter(None, [head, shortened("; ".join(said), 2 * _LONG)])))


_LONG = 120
