"""The compiles of a recording by their stages, one track a thread."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

from esper_audit.data.compiles import Compile, DeferredWork, Outcome
from esper_audit.data.recording import Recording
from esper_audit.data.stages import Stage
from esper_audit.diagnosis.sharing import explained
from esper_audit.report.timeline.args import of_compile
from esper_audit.report.timeline.spans import Args, Span, Track, cut, nanoseconds

_NAMES = {Outcome.COMPILED: "compile", Outcome.RECOMPILED: "recompile"}
_PARTS = ("dynamo", "aot_autograd", "backend")
_MAIN = "MainThread"
_MOMENT = 10_000_000
_APPROXIMATE: Args = {"approximate": True}


def threads(recording: Recording, root: str, arrows: Mapping[int, int]) -> list[Track]:
    """A track for each thread that compiled; an arrow leads to the first recompile of a step.

    What has no time of its own is left out.
    """
    causes = explained(recording.compiles)
    tracks: dict[str, Track] = {}
    waiting = dict(arrows)
    for compile_ in recording.compiles:
        span = _of_compile(compile_, of_compile(compile_, causes.get(compile_.sequence, ()), root))
        if compile_.outcome is Outcome.RECOMPILED and compile_.step is not None:
            span.flow = waiting.pop(compile_.step, 0)
        _track(tracks, compile_.thread).spans.append(span)
    for work, span in _later(recording):
        _track(tracks, work.thread).spans.append(span)
    return list(tracks.values())


def _track(tracks: dict[str, Track], thread: str) -> Track:
    return tracks.setdefault(thread or _MAIN, Track(f"compiles: {thread or _MAIN}"))


def _of_compile(compile_: Compile, args: Args) -> Span:
    """Of equal compiles that are added up, the first; how long it took alone is not known."""
    name = f"{_NAMES.get(compile_.outcome, compile_.outcome.value)} {compile_.frame.name}"
    began = nanoseconds(compile_.at)
    ended = began + nanoseconds(compile_.seconds.total / max(1, compile_.count))
    ended = max([ended, *(_end(stage) for stage in _near(compile_.stages, ended))])
    parts = _stages(compile_.stages) or list(_shares(compile_))
    if compile_.count > 1:
        args = args | _APPROXIMATE
    return Span(name, compile_.outcome.value, began, ended, args, cut(parts, began, ended))


def _near(stages: Iterable[Stage], ended: int) -> Iterator[Stage]:
    """Stages that end a moment after it: torch and the recorder read their clocks in turn."""
    return (stage for stage in stages if _end(stage) - ended < _MOMENT)


def _end(stage: Stage) -> int:
    return nanoseconds(stage.at) + nanoseconds(stage.seconds)


def _stages(stages: Sequence[Stage]) -> list[Span]:
    return [Span(stage.name, "stage", nanoseconds(stage.at), _end(stage)) for stage in stages]


def _shares(compile_: Compile) -> Iterator[Span]:
    """Of a compile without stages: torch's totals, one after the other, as it mostly goes."""
    began = nanoseconds(compile_.at)
    for name in _PARTS:
        seconds = getattr(compile_.seconds, name)
        if seconds and seconds > 0:
            ended = began + nanoseconds(seconds / max(1, compile_.count))
            yield Span(name, "stage", began, ended, dict(_APPROXIMATE))
            began = ended


def _later(recording: Recording) -> Iterator[tuple[DeferredWork, Span]]:
    """Work that was put off; of what has no begin, it is right after the compile that it is of."""
    compiled: dict[str, list[Compile]] = defaultdict(list)
    for compile_ in recording.compiles:
        compiled[compile_.id].append(compile_)
    for work in recording.deferred:
        made, at = _made_before(work, compiled[work.compile_id]), work.at
        args: Args = {
            "compile_id": work.compile_id,
            "frame": made.frame.name if made is not None else "",
            "step": work.step,
            "phase": work.phase.value,
            "seconds": work.seconds,
            "count": work.count if work.count > 1 else None,
        }
        if at is None and made is not None:
            at = made.at + made.seconds.total / max(1, made.count)
        if work.at is None or work.count > 1:
            args |= _APPROXIMATE
        if at is not None:
            name = f"{work.kind} {made.frame.name if made is not None else work.compile_id}"
            began = nanoseconds(at)
            ended = began + nanoseconds((work.seconds or 0.0) / max(1, work.count))
            ended = max([ended, *(_end(stage) for stage in _near(work.stages, ended))])
            parts = cut(_stages(work.stages), began, ended)
            yield work, Span(name, work.kind or "deferred", began, ended, args, parts)


def _made_before(work: DeferredWork, made: Sequence[Compile]) -> Compile | None:
    """The compile that it is of: the last of its id until then, as ids start over after a reset."""
    before = [compile_ for compile_ in made if work.at is None or compile_.at <= work.at]
    return next(reversed(before or made), None)
