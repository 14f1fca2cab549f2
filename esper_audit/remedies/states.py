"""What a trial shows: two judged replays of one case, as it is and with a remedy. Pure.

Worked example: as it is, 8 compiles after warm-up, then eager code at the limit. With a remedy:

    passes                                          proven
    1 compile, then three new values without one    converges
    15 compiles: the limit is a higher one          delays
    0 compiles, and a step differs from eager       hides
    its own cause is gone, another is left          partial

Steps are held against each other from the end on: a remedy may add warm-up, which comes first.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from esper_audit.data.audits import Audit, JudgedStep
from esper_audit.data.diagnoses import Diagnosis
from esper_audit.data.findings import Finding, Pattern
from esper_audit.data.reasons import Reason, Why
from esper_audit.data.remedies import Because, Cause, Ground, RemedyState
from esper_audit.data.steps import Phase
from esper_audit.data.verdicts import AuditVerdict, StepVerdict
from esper_audit.diagnosis.counts import count
from esper_audit.diagnosis.kinds import CAUSES

_DID_NOT_RUN = (
    *(Why.SCENARIO_RAISED, Why.EXITED, Why.PROCESS_EXITED, Why.PROCESS_KILLED),
    *(Why.NOT_IMPORTED, Why.SKIPPED),
)
_NOT_DONE = (Why.NOT_RUN, Why.INTERRUPTED)

_CALM = 2
"""Steps after an event that reuse compiled code: what comes after a storm that is over."""


@dataclass(frozen=True, slots=True)
class Shown:
    """What a trial showed: the state, why, compiles after warm-up, and causes that are left."""

    state: RemedyState
    because: Because | None = None
    compiles: int = 0
    left: tuple[Cause, ...] = ()


def key_of(cause: Cause) -> tuple[str, str, str]:
    """What a cause keeps where its file is edited elsewhere."""
    return cause.id, cause.frame.key, cause.source


def state_of(
    before: Audit, after: Audit, covers: Iterable[Cause], left: tuple[Cause, ...] = ()
) -> Shown:
    """What a remedy did. ``left`` are the causes of ``after``, ``covers`` those that it is for."""
    compiles = count(after.recording).compiles_after_warm_up
    state, because = _failure(after) or _wrong(before, after) or (None, None)
    if state is not None:
        return Shown(state, because, compiles, left)
    if after.verdict is AuditVerdict.PASSED:
        return Shown(RemedyState.PROVEN, None, compiles)
    state = _of_failed(before, after, {key_of(cause) for cause in covers}, left)
    return Shown(state, _why_not(after, compiles), compiles, left)


def _failure(after: Audit) -> tuple[RemedyState, Because] | None:
    """What kept the replay from an end, or left it without a proof."""
    raised = next((step.step.error for step in after.steps if step.step.error), "")
    reason = after.reasons[0] if after.reasons else None
    why = reason.why if reason is not None else None
    if after.verdict not in (AuditVerdict.ERROR, AuditVerdict.SKIPPED):
        return _breaks(raised, reason) if raised else _compile_failed(after)
    if why in _NOT_DONE:
        return RemedyState.NOT_TRIED, Because(ground=Ground.INTERRUPTED, reason=reason)
    if raised or why in _DID_NOT_RUN:
        return _breaks(raised, reason)
    return RemedyState.UNPROVEN, Because(ground=Ground.NOT_COMPARED, reason=reason)


def _breaks(raised: str, reason: Reason | None) -> tuple[RemedyState, Because]:
    text = raised or (reason.text if reason is not None else "")
    return RemedyState.BREAKS, Because(ground=Ground.RAISED, text=text, reason=reason)


def _compile_failed(after: Audit) -> tuple[RemedyState, Because] | None:
    failed = (found for found in after.findings if found.id is Diagnosis.COMPILE_FAILED)
    return next((_breaks(found.text, found.why) for found in failed), None)


def wrong_steps(audit: Audit) -> dict[int, JudgedStep]:
    """The steps whose output is wrong, by their place from the end: -1 is the last."""
    places = range(-len(audit.steps), 0)
    pairs = zip(places, audit.steps, strict=True)
    return {place: step for place, step in pairs if step.verdict is StepVerdict.STALE}


def _wrong(before: Audit, after: Audit) -> tuple[RemedyState, Because] | None:
    """Of steps that were right, and are wrong with the remedy."""
    known = wrong_steps(before)
    new = [step for place, step in wrong_steps(after).items() if place not in known]
    if not new:
        return None
    return RemedyState.HIDES, Because(ground=Ground.STALE, count=len(new), reason=new[0].because)


def _of_failed(
    before: Audit, after: Audit, covers: set[tuple[str, str, str]], left: Sequence[Cause]
) -> RemedyState:
    """The state where the audit fails with the remedy, too, and nothing broke."""
    if not covers & {key_of(cause) for cause in left}:
        return RemedyState.PARTIAL
    was = count(before.recording).compiles_after_warm_up
    compiles = count(after.recording).compiles_after_warm_up
    if compiles > was and _at_limit(before):
        return RemedyState.DELAYS
    fewer = compiles < was or _eager_steps(after) < _eager_steps(before)
    return RemedyState.CONVERGES if fewer and converges(after) else RemedyState.NO_EFFECT


def _at_limit(audit: Audit) -> bool:
    return any(finding.limit_hit for finding in audit.findings)


def _eager_steps(audit: Audit) -> int:
    return len([step for step in _steady(audit) if step.verdict is StepVerdict.EAGER])


def _steady(audit: Audit) -> list[JudgedStep]:
    return [step for step in audit.steps if step.phase is Phase.STEADY]


def converges(audit: Audit) -> bool:
    """Whether an audit compiled a few times after warm-up, and then no more, for new values."""
    causes = [finding for finding in audit.findings if finding.id in CAUSES]
    steady = _steady(audit)
    right = (StepVerdict.REUSED, StepVerdict.RECOMPILED, StepVerdict.COMPILED)
    if not causes or any(step.verdict not in right for step in steady):
        return False
    late = [place for place, step in enumerate(steady) if step.verdict is not right[0]]
    has_labels = any(step.label for step in steady)
    after = steady[max(late, default=-1) + 1 :]
    calm = [step for step in after if step.label or not has_labels]
    return len(calm) >= _CALM and not any(map(_goes_on, causes))


def _goes_on(finding: Finding) -> bool:
    return finding.pattern is Pattern.STORM


def _why_not(after: Audit, compiles: int) -> Because:
    """Why an audit that ran to its end did not pass with the remedy."""
    for note in after.recording.notes:
        if note.why is Why.LEVER_OVERRIDDEN:
            return Because(ground=Ground.SET_BY_USER, text=note.text, reason=note)
    if wrong := wrong_steps(after):
        first = next(iter(wrong.values()))
        return Because(ground=Ground.STALE, count=len(wrong), reason=first.because)
    reason = after.reasons[0] if after.reasons else None
    return Because(ground=Ground.STILL_COMPILES, count=compiles, reason=reason)


def eager_is_wrong(audit: Audit) -> Reason | None:
    """Of an audit whose only wrong steps are as wrong in eager execution: the first's evidence.

    A step then equals eager execution, and both differ from the scenario's reference.
    """
    wrong = wrong_steps(audit).values()
    if not wrong or not all(_as_eager(step) for step in wrong):
        return None
    return next(iter(wrong)).because


def _as_eager(step: JudgedStep) -> bool:
    equal = {one.equal for one in step.step.comparisons if one.against == "eager"}
    return equal == {True}
