"""The words of what a finding holds: limits, times, forecasts, ranks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from esper_audit.data.compiles import ENDLESS
from esper_audit.data.findings import Finding, Forecast, RankState, Since
from esper_audit.report.words.numbers import agree, several
from esper_audit.report.words.ranks import rank_names

_SHOWN = 4
_LIMITS = {
    "recompile_limit": "the recompile limit was hit",
    "accumulated_recompile_limit": "the accumulated recompile limit was hit",
}


def limit_words(limit: str) -> str:
    """Which of torch's two limits was hit, as far as the recording tells."""
    return _LIMITS.get(limit, "a recompile limit was hit")


def kind_words(kind: str) -> str:
    """What was found, of a kind of ``--fail-on``: its own name where that says it."""
    return {"limit": "recompile limit hit", "eager": "eager execution"}.get(kind, kind)


def since_words(since: Since | None) -> str:
    """``step 3 after set_alpha(0.1)``, ``step 'epoch 2', 1.5 s after the start``, ``the start``."""
    if since is None:
        return ""
    seconds = f"{since.seconds:.1f} s after the start" if since.seconds is not None else ""
    if since.label:
        return f"step {since.label!r}, {seconds}"
    if since.step is not None:
        return f"step {since.step}{f' after {since.event}' if since.event else ''}"
    return seconds or "the start"


def during_words(steps: Sequence[Since]) -> str:
    """``in steps 'epoch 1', 'epoch 2', … (7 steps)``; empty for none."""
    if not steps:
        return ""
    shown = ", ".join(map(_step, steps[:_SHOWN]))
    more = f", … ({len(steps)} steps)" if len(steps) > _SHOWN else ""
    return f"in {agree(len(steps), 'step', 'steps')} {shown}{more}"


def _step(step: Since) -> str:
    if step.label:
        return repr(step.label)
    return f"{step.step} after {step.event}" if step.event else str(step.step)


def span_words(finding: Finding) -> str:
    """``since 1.5 s after the start``, ``from step 2 to step 5, 12 calls; over``."""
    if finding.since is None:
        return ""
    calls = f", {several(finding.calls, 'call')}" if finding.calls else ""
    if finding.until is None:
        return f"since {since_words(finding.since)}{calls}"
    ended = f"from {since_words(finding.since)} to {since_words(finding.until)}"
    return f"{ended}{calls}; over"


def left_words(left: int | None) -> str:
    """``7`` recompiles until the limit; ``-`` where nobody knows."""
    if left is None:
        return "-"
    return "no limit" if left >= ENDLESS else f"{left:,}"


def forecast_words(forecast: Forecast | None) -> str:
    """What further values cost; empty for None."""
    if forecast is None:
        return ""
    if forecast.limit_hit:
        return "each further value runs eagerly"
    left, seconds = forecast.left, forecast.seconds_each
    return (
        f"{several(left, 'more value')} at {seconds:.2g} s each ({left * seconds:.1f} s) until the"
        " recompile limit; then each further value runs eagerly"
    )


def rank_words(state: RankState) -> str:
    """``ranks 0 to 62, 64: 2 recompiles, now eager``."""
    name = rank_names(state.all_ranks)
    if state.recompiles is None or state.state is None:
        return f"{name}: not compiled"
    now = "" if state.state.value == "compiled" else f", now {state.state.value}"
    return f"{name}: {several(state.recompiles, 'recompile')}{now}"


def rank_causes(states: Iterable[RankState]) -> str:
    """``rank 1: flag-changed of self.mode``."""
    return "; ".join(
        f"{rank_names(state.all_ranks)}: {diagnosis.value} of {source or 'unknown'}"
        for state in states
        for diagnosis, source in state.causes
    )
