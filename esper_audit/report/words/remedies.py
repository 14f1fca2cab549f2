"""The words of remedies: state, reach, gain, why one is no remedy, and levers as code."""

from __future__ import annotations

from collections.abc import Callable

from esper_audit.data.reasons import Why
from esper_audit.data.remedies import (
    AppliedState,
    Because,
    Cause,
    Fix,
    Gain,
    Ground,
    LeverKind,
    Reach,
    RemedyState,
    Trial,
)
from esper_audit.report.words.levers import lever_words
from esper_audit.report.words.numbers import agree, several
from esper_audit.report.words.paths import place
from esper_audit.report.words.programs import first_line
from esper_audit.report.words.reasons import in_words

REACHES = {
    Reach.SOURCE: "this value alone",
    Reach.FRAME: "this function alone",
    Reach.CALLABLE: "this compiled callable",
    Reach.PROCESS: "everything that this process compiles",
}


# --- state ---


def state_words(trial: Trial, root: str = "") -> str:
    """``converges: 1 compile after warm-up, then none``; with the ground, where one is known."""
    said = STATES[trial.state](trial)
    because = "" if _is_said(trial) else because_words(trial.because, root)
    return f"{said}: {because}" if because else said


_SAID = {RemedyState.CONVERGES: Ground.STILL_COMPILES, RemedyState.HIDES: Ground.STALE}
"""Grounds that the words of a state hold already."""


def _is_said(trial: Trial) -> bool:
    because = trial.because
    if because is None or because.ground is not _SAID.get(trial.state):
        return False
    return because.ground is Ground.STILL_COMPILES or because.reason is None


def _converges(trial: Trial) -> str:
    return f"converges after {several(trial.compiles or 0, 'compile')}"


def _partial(trial: Trial) -> str:
    left = ", ".join(dict.fromkeys(map(cause_words, trial.left)))
    return f"partial, {left} {agree(len(trial.left), 'is', 'are')} left" if left else "partial"


def _constant(text: str) -> Callable[[Trial], str]:
    return lambda _: text


STATES: dict[RemedyState, Callable[[Trial], str]] = {
    RemedyState.PROVEN: _constant("proven"),
    RemedyState.CONVERGES: _converges,
    RemedyState.PARTIAL: _partial,
    RemedyState.DELAYS: _constant("delays, as the same compiles go on until a later limit"),
    RemedyState.SLOWER: _constant("slower"),
    RemedyState.UNPROVEN: _constant("unproven"),
    RemedyState.HIDES: _constant("hides, as the compiles are gone and the output is wrong"),
    RemedyState.NO_EFFECT: _constant("no effect"),
    RemedyState.BREAKS: _constant("breaks"),
    RemedyState.NOT_TRIED: _constant("not tried"),
}
APPLIED: dict[AppliedState, str] = {
    AppliedState.KEPT: "Applied and kept",
    AppliedState.TAKEN_BACK: "Applied and taken back",
    AppliedState.REFUSED: "Not applied",
}


# --- grounds ---


def because_words(because: Because | None, root: str = "") -> str:
    """Why; empty for None."""
    if because is None:
        return ""
    return GROUNDS[because.ground](because, root)


def _form(known: str, without: str = "") -> Callable[[Because, str], str]:
    """A template over the ground's fields; ``without`` is for a ground that holds no text."""

    def words(because: Because, root: str) -> str:
        where = place(because.location, root) if because.location is not None else ""
        template = known if because.text or not without else without
        said = template.format(text=because.text, where=where, at=f" at {where}" if where else "")
        reason = in_words(because.reason)
        return f"{said} ({reason})" if reason else said

    return words


def _still_compiles(because: Because, _root: str) -> str:
    if not because.count:
        return in_words(because.reason) or "it still compiles after warm-up"
    return f"{several(because.count, 'compile')} after warm-up"


def _writer_outside(because: Because, root: str) -> str:
    where = place(because.location, root) if because.location is not None else "a line"
    return f"it is written outside of the project, by {where}"


_LATE = (Why.TIME_LIMIT, Why.DID_NOT_STOP)
"""What ends a replay by an error of ours."""


def _raised(because: Because, root: str) -> str:
    where = f" at {place(because.location, root)}" if because.location is not None else ""
    if because.reason is not None and because.reason.why in _LATE:
        return in_words(because.reason)
    if because.text:
        return f"it raised {first_line(because.text)}{where}"
    return in_words(because.reason) or f"it raised an error{where}"


def _slower(because: Because, _root: str) -> str:
    return f"a step takes {because.text} times as long" if because.text else "a step takes longer"


def _reason(without: str) -> Callable[[Because, str], str]:
    """The words of the reason, else these."""
    return lambda because, _: in_words(because.reason) or because.text or without


GROUNDS: dict[Ground, Callable[[Because, str], str]] = {
    Ground.NEEDS_TORCH: _form("it needs torch {text} or newer", "it needs a newer torch"),
    Ground.SET_BY_USER: _form("your code sets {text} itself", "your code sets it itself"),
    Ground.NOT_NEEDED: _form("a remedy was proven before; --all tries this one, too"),
    Ground.NO_SOURCE: _form(
        "its source can't be changed: {text}",
        "its source can't be read, or lies outside of the project",
    ),
    Ground.NO_PATTERN: _form(
        "the code has another form than this patch knows: {text}{at}",
        "the code has another form than this patch knows",
    ),
    Ground.WRITER_OUTSIDE: _writer_outside,
    Ground.RAISED: _raised,
    Ground.STALE: _reason("with what was tried, the output is wrong"),
    Ground.STILL_COMPILES: _still_compiles,
    Ground.SLOWER: _slower,
    Ground.NOT_COMPARED: _reason("the output could not be compared"),
    Ground.NO_CANDIDATE: _form("no remedy is known for this diagnosis"),
    Ground.VALUES_GO_ON: _form("new values keep coming, so they can't be visited in warm-up"),
    Ground.EAGER_IS_WRONG: _form(
        "eager execution gives the same wrong output: the code computes it, not torch.compile"
    ),
    Ground.NOTHING_TO_APPLY: _form("no proven remedy changes a file"),
    Ground.DIRTY: _form(
        "{text} has changes that are not committed", "a file has changes that are not committed"
    ),
    Ground.NO_GIT: _form(
        "whether the files are committed is not known: {text}",
        "whether the files are committed is not known",
    ),
    Ground.OUTSIDE: _form(
        "{text} lies outside of the project", "a file lies outside of the project"
    ),
    Ground.CHANGED_SINCE: _form(
        "{text} has changed since the audit", "a file has changed since the audit"
    ),
    Ground.NOT_WRITTEN: _form("a file could not be written: {text}", "a file could not be written"),
    Ground.NOT_AS_PROVEN: _form(
        "the audit of the changed files is not what was proven: {text}",
        "the audit of the changed files is not what was proven",
    ),
    Ground.INTERRUPTED: _form("it was interrupted"),
}


# --- causes, reach, gain ---


def cause_words(cause: Cause) -> str:
    """``float-specialized of self.alpha``."""
    return f"{cause.id} of {cause.source}" if cause.source else cause.id.value


def reach_words(trial: Trial) -> str:
    """What the remedy touches."""
    if trial.reach is None:
        return ""
    unsafe = "; unsafe: proven only for the values that were seen" if trial.unsafe else ""
    # Torch compares such a source with names in every frame: torch/_dynamo/variables/builder.py.
    by_name = any(lever.kind in _BY_NAME for lever in trial.levers)
    is_name = by_name and trial.reach is Reach.SOURCE
    touched = "this name in every compiled function" if is_name else REACHES[trial.reach]
    return f"touches {touched}{unsafe}"


_BY_NAME = (LeverKind.CONFIG, LeverKind.DROP_GUARD)


def before_words(fix: Fix) -> str:
    """What a case costs as it is: ``7 compiles and 3 eager steps after warm-up``."""
    parts = [several(fix.compiles, "compile")] if fix.compiles else []
    parts += [several(fix.eager, "eager step")] if fix.eager else []
    return f"{' and '.join(parts) or 'no compile'} after warm-up"


def gain_words(gain: Gain | None) -> tuple[str, ...]:
    """What the remedy saves, and how fast a step is before and after; nothing that is not known."""
    return tuple(filter(None, [_saved(gain), _speed(gain)])) if gain is not None else ()


def _saved(gain: Gain) -> str:
    parts = []
    if gain.seconds_per_event is not None:
        parts.append(f"{_seconds(gain.seconds_per_event)} of compiling for each recompile")
    if gain.per_thousand is not None:
        parts.append(f"{_seconds(gain.per_thousand)} in 1,000 steps")
    saved = f"saves {', '.join(parts)}" if parts else ""
    back = ""
    if gain.pays_back is not None:
        back = f"a compile pays back after {several(gain.pays_back, 'step')}"
    return "; ".join(filter(None, [saved, back]))


def _seconds(seconds: float) -> str:
    return f"{seconds:.2g} s" if abs(seconds) < 10 else f"{seconds:.0f} s"


def _speed(gain: Gain) -> str:
    """Ratios to the speed of a reused step before the limit."""
    parts = []
    if gain.after_limit is not None:
        parts.append(f"{gain.after_limit:.0%} past the limit")
    if gain.remedied is not None:
        parts.append(f"{gain.remedied:.0%} with the remedy")
    return f"speed, of a reused step at first: {', '.join(parts)}" if parts else ""


def name_of(trial: Trial) -> str:
    """The identifier of a remedy, and what it pulls or changes."""
    what = [*map(lever_words, trial.levers), *trial.files]
    return f"{trial.id} ({'; '.join(what)})" if what else trial.id
