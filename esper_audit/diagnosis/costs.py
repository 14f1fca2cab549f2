"""What compiling has cost, each second once: by stage, by frame and by cause."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from esper_audit.data.compiles import Compile
from esper_audit.data.places import Frame
from esper_audit.diagnosis.sharing import cases


@dataclass(frozen=True, slots=True)
class StageCosts:
    """Seconds of attempts to compile. ``rest``: in no stage of torch's, or not told."""

    dynamo: float = 0.0
    aot_autograd: float = 0.0
    backend: float = 0.0
    rest: float = 0.0
    total: float = 0.0


def stage_costs(compiles: Iterable[Compile]) -> StageCosts:
    """The stages of all attempts; they add up to the total."""
    dynamo = aot_autograd = backend = rest = total = 0.0
    for attempt in compiles:
        seconds = attempt.seconds
        parts = [part or 0.0 for part in (seconds.dynamo, seconds.aot_autograd, seconds.backend)]
        # Torch's clock and ours differ a little: more than the whole is never told.
        scale = min(1.0, seconds.total / sum(parts)) if sum(parts) else 0.0
        dynamo, aot_autograd, backend = (
            told + part * scale
            for told, part in zip((dynamo, aot_autograd, backend), parts, strict=True)
        )
        rest += seconds.total - sum(parts) * scale
        total += seconds.total
    return StageCosts(dynamo, aot_autograd, backend, max(0.0, rest), total)


@dataclass(frozen=True, slots=True)
class FrameCosts:
    """A frame, its attempts and recompiles over all recordings, and their seconds."""

    frame: Frame
    compiles: int
    seconds: float


def frame_costs(compiles: Iterable[Compile]) -> tuple[FrameCosts, ...]:
    """The frames, those that cost most first; their seconds add up to those of the stages."""
    frames: dict[str, Frame] = {}
    made: dict[str, int] = {}
    seconds: dict[str, float] = {}
    for attempt in compiles:
        key = attempt.frame.key
        frames.setdefault(key, attempt.frame)
        made[key] = made.get(key, 0) + (attempt.count if attempt.succeeded else 0)
        seconds[key] = seconds.get(key, 0.0) + attempt.seconds.total
    found = (FrameCosts(frame, made[key], seconds[key]) for key, frame in frames.items())
    return tuple(sorted(found, key=lambda costs: -costs.seconds))


def seconds_of_causes(compiles: Sequence[Compile]) -> float:
    """What attempts cost that were made because guards failed, each once, whatever its causes."""
    again = {attempt.sequence: attempt.seconds.total for attempt, _, _ in cases(compiles)}
    return sum(again.values())
