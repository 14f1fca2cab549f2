"""Many processes of one program: which did the same, and their frames taken together."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from esper_audit.data.findings import Forecast, FrameState, FrameSummary
from esper_audit.data.places import Frame
from esper_audit.program.heard import ProcessState

_WORST = (
    *(FrameState.COMPILED, FrameState.NO_GRAPH, FrameState.CACHED_ONLY),
    *(FrameState.EAGER, FrameState.FAILED),
)


@dataclass(frozen=True, slots=True)
class FleetFrame:
    """One frame on all processes: the least and the most of each number, and the worst state.

    ``seconds`` are those of the slowest process; ``left`` is None where no process tells.
    """

    frame: Frame
    compiles: tuple[int, int]
    recompiles: tuple[int, int]
    seconds: float
    left: int | None
    state: FrameState
    limit: str = ""
    forecast: Forecast | None = None


@dataclass(frozen=True, slots=True)
class ProcessClass:
    """Processes that did the same; ``parts_at`` is where they differ first from the largest."""

    processes: tuple[ProcessState, ...]
    parts_at: Frame | None = None

    @property
    def ranks(self) -> tuple[int, ...]:
        """Of those that have one."""
        return tuple(process.rank for process in self.processes if process.rank is not None)

    @property
    def seconds(self) -> tuple[float, float]:
        """Spent compiling by the quickest and by the slowest of them."""
        found = [process.tally.seconds for process in self.processes]
        return min(found), max(found)


def frames_of(processes: Sequence[ProcessState]) -> list[FleetFrame]:
    """Every frame that some process compiled, or that the user compiled directly."""
    found: dict[str, list[FrameSummary]] = defaultdict(list)
    forecasts: dict[str, Forecast] = {}
    for process in processes:
        for frame in process.audit.frames:
            if frame.compiles or frame.attempts or frame.direct:
                found[frame.frame.key].append(frame)
        for finding in process.audit.findings:
            if finding.forecast is not None:
                forecasts[finding.frame.key] = _nearer(
                    forecasts.get(finding.frame.key), finding.forecast
                )
    return [
        _together(group, forecasts.get(key), len(group) < len(processes))
        for key, group in found.items()
    ]


def _nearer(known: Forecast | None, other: Forecast) -> Forecast:
    if known is None or other.limit_hit or (not known.limit_hit and other.left < known.left):
        return other
    return known


def _together(
    group: Sequence[FrameSummary], forecast: Forecast | None, elsewhere_none: bool
) -> FleetFrame:
    worst = max(group, key=lambda frame: _WORST.index(frame.state))
    lefts = [frame.recompiles_left for frame in group if frame.recompiles_left is not None]
    least = 0 if elsewhere_none else None

    def span(numbers: list[int]) -> tuple[int, int]:
        return (min(numbers) if least is None else least), max(numbers)

    return FleetFrame(
        frame=group[0].frame,
        compiles=span([frame.compiles for frame in group]),
        recompiles=span([frame.recompiles for frame in group]),
        seconds=max(frame.seconds for frame in group),
        left=min(lefts, default=None),
        state=worst.state,
        limit=worst.limit,
        forecast=forecast,
    )


def classes(processes: Sequence[ProcessState]) -> list[ProcessClass]:
    """The largest class first."""
    found: dict[object, list[ProcessState]] = defaultdict(list)
    for process in processes:
        found[_did(process)].append(process)
    ordered = sorted(found.values(), key=lambda group: -len(group))
    first = ordered[0][0] if ordered else None
    return [
        ProcessClass(tuple(group), _parting(first, group[0]) if first is not None else None)
        for group in ordered
    ]


def _did(process: ProcessState) -> object:
    return frozenset((frame.frame.key, _of(frame)) for frame in process.audit.frames)


def _of(frame: FrameSummary | None) -> tuple[int, int, str]:
    return (
        (frame.compiles, frame.recompiles, frame.state.value) if frame is not None else (0, 0, "")
    )


def _parting(first: ProcessState, other: ProcessState) -> Frame | None:
    """The first frame, in the order of their compiles, of which they did not do the same."""
    one = {frame.frame.key: frame for frame in first.audit.frames}
    two = {frame.frame.key: frame for frame in other.audit.frames}
    order = [c.frame for p in (first, other) for c in p.audit.recording.compiles]
    order += [frame.frame for frame in (*first.audit.frames, *other.audit.frames)]
    for frame in order:
        if _of(one.get(frame.key)) != _of(two.get(frame.key)):
            return frame
    return None
