"""A check-up: does each hook of the recorder see what it is there for, on this torch?"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from esper_audit import _dynamo
from esper_audit.data.compiles import Outcome
from esper_audit.data.notices import LostEvidence
from esper_audit.data.recording import Environment, Recording
from esper_audit.data.steps import Phase
from esper_audit.recording.recorder import Recorder

USER_LINE = "the failing guard names the user's line"


@dataclass(frozen=True)
class Check:
    """One thing that a recording must show, and whether it did.

    Without an optional one the verdicts are the same, the reports say less.
    """

    name: str
    passed: bool
    detail: str
    optional: bool = False


@dataclass(frozen=True)
class CheckUp:
    """The environment, what this torch lacks, and every check."""

    environment: Environment
    devices: tuple[str, ...]
    caches: dict[str, str]
    backends: tuple[str, ...]
    lost: tuple[LostEvidence, ...]
    checks: tuple[Check, ...]

    @property
    def healthy(self) -> bool:
        return all(check.passed or check.optional for check in self.checks)


class _Patient(nn.Module):
    """Small, and guarded on a float attribute that is baked in."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(2, 2)
        self.weight = 0.25

    def forward(self, features: Tensor) -> Tensor:
        return torch.lerp(features, self.linear(features), self.weight)


def _breaks(features: Tensor) -> Tensor:
    doubled = features * 2
    torch.compiler.disable(lambda: None)()
    return doubled + 1


def _passes_through(features: Tensor) -> Tensor:
    return features


def check_up() -> CheckUp:
    """Compile something small under a recorder, and see what it saw. Takes a few seconds."""
    torch.compiler.reset()
    patient, features = _Patient(), torch.ones(2, 2)
    compiled = torch.compile(patient, backend="aot_eager")
    with Recorder() as recorder:
        for index, weight in enumerate((0.25, 0.25, 0.75)):
            patient.weight = weight
            with recorder.step(index, Phase.STEADY):
                compiled(features).sum().backward()
        torch.compile(_breaks, backend="eager")(features)
        torch.compile(_passes_through, backend="eager")(features)
    recording = recorder.recording()
    torch.compiler.reset()
    return CheckUp(
        environment=recording.environment,
        devices=_dynamo.devices(),
        caches=_dynamo.caches(),
        backends=_dynamo.backends(),
        lost=recording.lost,
        checks=tuple(_checks(recording)),
    )


def _checks(recording: Recording) -> list[Check]:
    compiles = recording.compiles
    recompiled = [compile_ for compile_ in compiles if compile_.outcome is Outcome.RECOMPILED]
    failures = [failure for compile_ in recompiled for failure in compile_.guard_failures]
    tests: dict[str, Callable[[], object]] = {
        "a first compile is seen": lambda: (
            [compile_ for compile_ in compiles if compile_.outcome is Outcome.COMPILED]
        ),
        "a recompile is seen": lambda: recompiled,
        "the failing guard names its source": lambda: [
            f"{failure.source}: {failure.expected} -> {failure.actual}"
            for failure in failures
            if failure.source == "self.weight" and failure.expected == "0.25"
        ],
        USER_LINE: lambda: [
            failure.user_line for failure in failures if failure.user_line is not None
        ],
        "a lookup that matches is seen": lambda: recording.lookups.hits,
        "a lookup that misses is seen": lambda: recording.lookups.misses,
        "seconds are split by compiler stage": lambda: [
            compile_ for compile_ in compiles if compile_.seconds.aot_autograd is not None
        ],
        "a backward compiled later is seen": lambda: [
            row for row in recording.deferred if row.kind == "backward"
        ],
        "a graph break is seen with its line": lambda: [
            graph_break.location for compile_ in compiles for graph_break in compile_.graph_breaks
        ],
        "a frame skipped for good is seen": lambda: [
            attempt for attempt in compiles if attempt.outcome is Outcome.SKIPPED
        ],
        "the count agrees with torch's own": lambda: _agrees(recording),
        "no hook failed": lambda: not recording.hook_errors,
    }
    return [_check(name, test()) for name, test in tests.items()]


def _agrees(recording: Recording) -> bool:
    graphs = sum(
        1 for compile_ in recording.compiles if compile_.succeeded and compile_.graph_ops != 0
    )
    return recording.torch_counters.get("unique_graphs") == graphs


def _check(name: str, seen: object) -> Check:
    shown = seen[0] if isinstance(seen, list) and seen else ""
    detail = shown if isinstance(shown, str) else ""
    # 2.8 keeps a stack with its guards only where TORCH_LOGS asks for guards.
    return Check(name, bool(seen), detail, optional=name == USER_LINE)
