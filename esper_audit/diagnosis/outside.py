"""What runs outside of compiled graphs: library code that a graph break left, and empty code."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from esper_audit.data.compiles import Compile, GraphBreak, RunsAfter, SkippedFrame
from esper_audit.data.diagnoses import Diagnosis
from esper_audit.data.places import Frame, Location
from esper_audit.data.reasons import Reason, Why
from esper_audit.data.recording import Recording
from esper_audit.diagnosis.breaks import line_of
from esper_audit.diagnosis.counts import holds_graph
from esper_audit.torch_text.breaks import is_disabled
from esper_audit.torch_text.reasons import is_listed


@dataclass(frozen=True, slots=True)
class Outside:
    """One frame with what runs outside of graphs in it, the event that shows it, and why."""

    event: Compile | SkippedFrame
    id: Diagnosis
    why: Reason

    @property
    def frame(self) -> Frame:
        return self.event.frame


def left_outside(recording: Recording) -> tuple[Outside, ...]:
    """Each frame of which operations are known to run outside of compiled graphs."""
    return (*library_code(recording), *_without_graph(recording))


def is_quiet(skip: SkippedFrame) -> bool:
    """Whether a frame is skipped by rule and no operation was seen in it: no eager code."""
    return skip.by_rule and not skip.ran


def calls_compiled(skip: SkippedFrame, recording: Recording) -> bool:
    """Whether code on torch's list of files to skip was seen to call what was compiled."""
    return is_listed(skip.reason) and any(
        _is_of(place, skip.frame)
        for made in recording.compiles
        if made.succeeded and holds_graph(made)
        for place in made.stack
    )


# --- library code ---


def library_code(recording: Recording) -> Iterator[Outside]:
    """Torch's own modules whose operations ran eagerly, by the outermost of them."""
    grouped: dict[str, list[SkippedFrame]] = {}
    for skip in recording.skips:
        if skip.ran and not is_in_eager_code(skip, recording):
            grouped.setdefault(skip.frame.key, []).append(skip)
    for group in grouped.values():
        names = tuple(dict.fromkeys(skip.ran for skip in group))
        why = why_outside(names, group[0], recording)
        yield Outside(group[0], Diagnosis.EAGER_OUTSIDE_GRAPH, why)


def is_in_eager_code(skip: SkippedFrame, recording: Recording) -> bool:
    """Whether the code around it already has an eager finding of its own."""
    eager = [made.frame for made in recording.compiles if made.runs_after is RunsAfter.EAGER]
    eager += [other.frame for other in recording.skips if other.for_good and not other.by_rule]
    return any(_is_of(place, frame) for place in skip.within for frame in eager)


def computes(skip: SkippedFrame, recording: Recording) -> Reason | None:
    """How it is known that a frame, skipped for want of tensors, computes with some; or None."""
    if skip.operation is not None:
        return Reason(why=Why.HOLDS_OPERATION, location=skip.operation)
    ran = [other for other in recording.skips if other.ran]
    inside = any(_is_of(place, skip.frame) for other in ran for place in other.within)
    return Reason(why=Why.HOLDS_OPERATION) if inside and not skip.by_rule else None


def why_outside(names: tuple[str, ...], skip: SkippedFrame, recording: Recording) -> Reason:
    """Why torch's own modules of these names ran eagerly in a frame."""
    found = _break_around(skip, recording)
    if found is None:
        return Reason(why=Why.LIBRARY_ALONE, names=names)
    return Reason(why=Why.LEFT_BY_BREAK, names=names, location=_line(found), text=found.called)


def _break_around(skip: SkippedFrame, recording: Recording) -> GraphBreak | None:
    """The graph break of the innermost frame around it that broke before."""
    for place in reversed(skip.within):
        for made in reversed(recording.compiles):
            before = made.sequence < skip.sequence and made.graph_breaks
            if before and _is_of(place, made.frame):
                return made.graph_breaks[-1]
    return None


def _line(found: GraphBreak) -> Location | None:
    return line_of(found) or found.location


def _is_of(place: Location, frame: Frame) -> bool:
    return place.file == frame.file and place.function == frame.raw_name


# --- frames that the user compiled, without a graph ---


def _without_graph(recording: Recording) -> Iterator[Outside]:
    """Where nothing that the frame calls was compiled either, as far as can be told."""
    by_frame: dict[str, list[Compile]] = {}
    for made in recording.compiles:
        by_frame.setdefault(made.frame.key, []).append(made)
    told = {skip.frame.key for skip in recording.skips if skip.ran}
    for group in by_frame.values():
        first = group[0]
        if first.direct and first.graph_breaks and not told and _is_empty(group, recording):
            yield Outside(first, *_of_empty(first))


def _is_empty(group: list[Compile], recording: Recording) -> bool:
    """That the frame's compiles hold no graph, nor what was compiled in a call of it.

    What was compiled before may serve its calls, too.
    """
    if any(holds_graph(made) or not made.succeeded for made in group):
        return False
    first = group[0]
    graphs = [made for made in recording.compiles if made.succeeded and holds_graph(made)]
    return not any(
        made.stack[: len(first.stack)] == first.stack
        or (made.sequence < first.sequence and not made.direct)
        for made in graphs
        if made.frame.key != first.frame.key
    )


def _of_empty(made: Compile) -> tuple[Diagnosis, Reason]:
    found = made.graph_breaks[-1]
    if is_disabled(found.kind):
        why = Reason(why=Why.FUNCTION_DISABLED, names=(found.called,), location=_line(found))
        return Diagnosis.EAGER_DISABLED, why
    why = Reason(why=Why.BROKEN_EMPTY, location=_line(found), text=found.called)
    return Diagnosis.EAGER_OUTSIDE_GRAPH, why
