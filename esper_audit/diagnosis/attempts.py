"""Compiles that failed, and calls that torch refused to compile for, as findings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from esper_audit.data.compiles import Compile, Outcome, Stance
from esper_audit.data.diagnoses import Diagnosis
from esper_audit.data.findings import Finding, Since
from esper_audit.data.reasons import Reason, Why
from esper_audit.data.recording import Recording
from esper_audit.diagnosis.counts import has_failed, is_refused
from esper_audit.diagnosis.times import since
from esper_audit.torch_text.reasons import gist


def attempt_findings(recording: Recording) -> tuple[Finding, ...]:
    """One finding for each frame that failed to compile, and for each that was refused.

    A first compile that was refused is another finding than a recompile: ``refused`` is 0.
    """
    grouped: dict[tuple[object, ...], list[Compile]] = {}
    for compile_ in recording.compiles:
        if has_failed(compile_) or compile_.outcome is Outcome.REFUSED:
            again = is_refused(compile_)
            key = (compile_.frame.key, compile_.outcome, compile_.refused_by, again)
            grouped.setdefault(key, []).append(compile_)
    return tuple(_finding(group, recording) for group in grouped.values())


def _finding(group: Sequence[Compile], recording: Recording) -> Finding:
    first = group[0]
    # A trace log says that torch raised, where torch never runs the code instead.
    is_untold = recording.trace_log is not None and not any(attempt.raised for attempt in group)
    found = Finding(
        id=Diagnosis.COMPILE_FAILED,
        frame=first.frame,
        text="" if first.limit else gist(first.reason),
        why=Reason(why=Why.AT_LIMIT, text=first.limit) if first.limit else None,
        detail=first.detail,
        hints=first.hints,
        stopped_at=first.stopped_at,
        attempts=sum(attempt.count for attempt in group),
        refused=sum(attempt.count for attempt in group if is_refused(attempt)),
        refused_by=first.refused_by,
        raised=None if is_untold else any(attempt.raised for attempt in group),
        seconds=sum(attempt.seconds.total for attempt in group),
        since=since(first),
        limit_hit=bool(first.limit),
        limit=first.limit,
        called_from=first.stack[-1] if first.stack else None,
        no_writer=Reason(why=Why.NO_STATE_CHANGE),
    )
    return found if first.outcome is Outcome.FAILED else _refused(found, first, recording)


def _refused(found: Finding, first: Compile, recording: Recording) -> Finding:
    stance = _stance(first, recording)
    where = stance.location if stance is not None else None
    return replace(
        found,
        id=Diagnosis.COMPILE_REFUSED,
        written_by=where,
        until=Since(seconds=stance.until) if stance is not None and stance.until else None,
        no_writer=None if where else Reason(why=Why.IS_SETTING),
    )


def _stance(refused: Compile, recording: Recording) -> Stance | None:
    """The call of ``set_stance`` in whose force the call was refused."""
    before = [stance for stance in recording.stances if stance.at <= refused.at]
    matching = [stance for stance in before if stance.stance == refused.refused_by]
    return matching[-1] if matching else None
