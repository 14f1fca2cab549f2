"""Steps and marks, eager spans, skipped frames and stances of a recording: a track each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from esper_audit.data.audits import JudgedStep
from esper_audit.data.compiles import Compile, Outcome, RunsAfter
from esper_audit.data.diagnoses import Diagnosis
from esper_audit.data.findings import Finding
from esper_audit.data.recording import Recording
from esper_audit.data.steps import Phase, Step
from esper_audit.diagnosis.counts import has_failed
from esper_audit.diagnosis.eager import eager_findings
from esper_audit.report.timeline.args import of_skip
from esper_audit.report.timeline.events import STEP
from esper_audit.report.timeline.spans import Args, Moment, Span, Track, nanoseconds
from esper_audit.report.words.paths import place
from esper_audit.report.words.reasons import in_words

_DEFAULT = "default"


def end_of(recording: Recording) -> int:
    """When the recording ended: what is still so then goes on until there."""
    ends = [recording.seconds]
    ends += [compile_.at + compile_.seconds.total for compile_ in recording.compiles]
    ends += [skip.at for skip in recording.skips]
    ends += [(step.at or 0.0) + step.seconds for step in recording.steps]
    return nanoseconds(max(ends))


def steps(recording: Recording, judged: Sequence[JudgedStep], ended: int) -> Track:
    """Steps of a scenario with their verdicts, steps that a program named, and what it marked."""
    track = Track("steps")
    began = dict(_begins(recording))
    verdicts = {step.index: step for step in judged}
    for step in recording.steps:
        at = nanoseconds(began[step.index])
        args = _of_step(step, verdicts.get(step.index))
        name = f"step {step.index}"
        track.spans.append(Span(name, STEP, at, at + nanoseconds(step.seconds), args))
        if step.label:
            track.moments.append(Moment(step.label, "event", at, {"before_step": step.index}))
    for named in recording.named_steps:
        at = nanoseconds(named.at)
        until = ended if named.seconds is None else at + nanoseconds(named.seconds)
        shown = named.label or f"step {named.index}"
        track.spans.append(Span(shown, STEP, at, max(at, until), {"step": named.index}))
    if recording.steady_at is not None:
        track.moments.append(Moment("steady state", "mark", nanoseconds(recording.steady_at)))
    return track


def _begins(recording: Recording) -> Iterator[tuple[int, float]]:
    """When each step began. Of older recordings: after the one before, around its compiles."""
    free = 0.0
    compiles: dict[int, list[Compile]] = {}
    for compile_ in recording.compiles:
        if compile_.step is not None:
            compiles.setdefault(compile_.step, []).append(compile_)
    for step in recording.steps:
        own = compiles.get(step.index, ())
        at = step.at
        if at is None:
            last = max((made.at + made.seconds.total for made in own), default=0.0)
            first = min((made.at for made in own), default=float("inf"))
            at = min(max(free, last - step.seconds), first)
        free = max(free, at + step.seconds)
        yield step.index, at


def _of_step(step: Step, judged: JudgedStep | None) -> Args:
    because = judged.because if judged is not None else None
    return {
        "step": step.index,
        "verdict": judged.verdict.value if judged is not None else "",
        "because": in_words(because) if because is not None else "",
        "phase": step.phase.value,
        "after": step.label,
        "hits": step.lookups.hits,
        "misses": step.lookups.misses,
        "error": step.error,
        "approximate": True if step.at is None else None,
    }


def warm_up(recording: Recording) -> Iterator[Moment]:
    """Where the steps of a scenario leave warm-up."""
    begins = dict(_begins(recording))
    phases = [Phase.STEADY, *(step.phase for step in recording.steps)]
    for before, step in zip(phases, recording.steps, strict=False):
        if before is Phase.WARM_UP and step.phase is Phase.STEADY:
            yield Moment("steady state", "mark", nanoseconds(begins[step.index]))


def eager(recording: Recording, root: str, ended: int) -> Track:
    """Frames that torch runs eagerly, each from when it gave them up; and those that it skips."""
    track = Track("eager")
    for finding in eager_findings(recording):
        span = _eager(finding, recording, root, ended)
        if span is not None:
            track.spans.append(span)
    for skip in recording.skips:
        name = f"skipped {skip.frame.name}"
        track.moments.append(Moment(name, "skipped", nanoseconds(skip.at), of_skip(skip, root)))
    return track


def _eager(finding: Finding, recording: Recording, root: str, ended: int) -> Span | None:
    """None where nothing tells when it began; a stance has a track of its own."""
    key = finding.frame.key
    own = [made for made in recording.compiles if made.frame.key == key]
    begins = [
        made.at + made.seconds.total / max(1, made.count)
        for made in own
        if _gave_up(made, finding.id)
    ]
    if finding.id is not Diagnosis.EAGER_AFTER_LIMIT:
        begins += [skip.at for skip in recording.skips if skip.frame.key == key]
    if not begins:
        return None
    at = min(begins)
    again = [made.at for made in own if made.succeeded and made.at > at] if finding.until else []
    until = nanoseconds(min(again)) if again else ended
    args: Args = {
        "diagnosis": finding.id.value,
        "frame": finding.frame.name,
        "because": in_words(finding.why) if finding.why is not None else finding.text,
        "called_from": place(finding.called_from, root) if finding.called_from else "",
    }
    began = nanoseconds(at)
    return Span(f"eager {finding.frame.name}", "eager", began, max(began, until), args)


def _gave_up(made: Compile, diagnosis: Diagnosis) -> bool:
    if diagnosis is Diagnosis.EAGER_AFTER_LIMIT:
        return made.outcome is Outcome.LIMIT
    return made.runs_after is RunsAfter.EAGER and not has_failed(made)


def stances(recording: Recording, root: str, ended: int) -> Track:
    """How compiled functions were told to behave, where that is not as always."""
    track = Track("stances")
    for stance in recording.stances:
        if stance.stance == _DEFAULT:
            continue
        began = nanoseconds(stance.at)
        until = ended if stance.until is None else nanoseconds(stance.until)
        args: Args = {
            "set_at": place(stance.location, root) if stance.location is not None else "",
            "calls": stance.calls,
            "hits": stance.hits,
            "misses": stance.misses,
            "count": stance.count if stance.count > 1 else None,
        }
        track.spans.append(Span(stance.stance, "stance", began, max(began, until), args))
    return track
