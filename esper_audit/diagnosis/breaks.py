"""Graph breaks as findings: by the line to change, and torch's own together."""

from __future__ import annotations

from collections.abc import Sequence

from esper_audit.data.compiles import Compile, GraphBreak
from esper_audit.data.diagnoses import Diagnosis
from esper_audit.data.findings import BreakGroup, Finding
from esper_audit.data.places import Frame, Location
from esper_audit.data.reasons import Reason, Why
from esper_audit.diagnosis.times import since
from esper_audit.torch_text.breaks import helpful
from esper_audit.torch_text.reasons import gist

_Break = tuple[Compile, GraphBreak]
_TORCHS = Frame("torch's own code", "", 0, "torch", "torch")


def break_findings(compiles: Sequence[Compile]) -> tuple[Finding, ...]:
    """One finding for each user line at which graphs break, and one for all of torch's own.

    A line breaks the graph of each frame that it is inlined into: these are one thing to change.
    """
    grouped: dict[tuple[Location | None, str], list[_Break]] = {}
    own: list[_Break] = []
    for compile_ in compiles:
        for graph_break in compile_.graph_breaks:
            if is_torchs_own(graph_break):
                own.append((compile_, graph_break))
                continue
            key = (line_of(graph_break), gist(graph_break.reason))
            grouped.setdefault(key, []).append((compile_, graph_break))
    found = [_of_line(group, *key) for key, group in grouped.items()]
    return (*found, *([_of_torch(own)] if own else []))


def is_torchs_own(graph_break: GraphBreak) -> bool:
    """Whether no line of the user's can be changed to avoid it."""
    if not graph_break.in_library:
        return False
    return graph_break.called_from is None or graph_break.on_purpose


def line_of(graph_break: GraphBreak) -> Location | None:
    """The user's line that broke the graph, or that called the library code that did."""
    return graph_break.called_from if graph_break.in_library else graph_break.location


def _of_line(group: Sequence[_Break], line: Location | None, reason: str) -> Finding:
    first, graph_break = group[0]
    return Finding(
        id=Diagnosis.GRAPH_BREAK,
        frame=first.frame,
        text=reason,
        compiles=sum(compile_.count for compile_, _ in group),
        user_line=line,
        called_from=line or (first.stack[-1] if first.stack else None),
        since=since(first),
        no_writer=Reason(why=Why.NO_STATE_CHANGE),
        breaks=BreakGroup(
            frames=_frames(group),
            count=_count(group),
            places=_places(group),
            called=graph_break.called,
            explanation=graph_break.explanation,
            hints=helpful(graph_break.hints),
        ),
    )


def _of_torch(group: Sequence[_Break]) -> Finding:
    first, graph_break = group[0]
    call = first.stack[-1] if first.stack else None
    return Finding(
        id=Diagnosis.GRAPH_BREAK,
        frame=_TORCHS,
        compiles=sum(compile_.count for compile_, _ in group),
        called_from=graph_break.called_from or call,
        since=since(first),
        no_writer=Reason(why=Why.NO_STATE_CHANGE),
        breaks=BreakGroup(
            frames=_frames(group), count=_count(group), places=_places(group), own=True
        ),
    )


def _frames(group: Sequence[_Break]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(compile_.frame.name for compile_, _ in group))


def _count(group: Sequence[_Break]) -> int:
    return len({compile_.frame.key for compile_, _ in group})


def _places(group: Sequence[_Break]) -> tuple[Location, ...]:
    places = (graph_break.location for _, graph_break in group if graph_break.in_library)
    return tuple(dict.fromkeys(place for place in places if place is not None))
