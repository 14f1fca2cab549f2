"""esper-audit: run torch.compile code, and prove what it did.

Names are imported at first use: importing this never imports torch, and costs next to nothing.

PYTEST_DONT_REWRITE: under ``esper-audit exec -m pytest`` it is imported before pytest comes, and
pytest would warn of that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from esper_audit.api import (
        LiveRecording,
        RecompileError,
        RecompileWarning,
        assert_max_recompiles,
        record,
    )
    from esper_audit.data.expectations import Budget, Claim
    from esper_audit.recording.marks import steady_state, step
    from esper_audit.recording.recorder import Recorder
    from esper_audit.replay.scenario_api import ramp, scenario, skip
    from esper_audit.replay.session import CompiledStep, ReplaySession

__all__ = [
    "Budget",
    "Claim",
    "CompiledStep",
    "LiveRecording",
    "RecompileError",
    "RecompileWarning",
    "Recorder",
    "ReplaySession",
    "__version__",
    "assert_max_recompiles",
    "ramp",
    "record",
    "scenario",
    "skip",
    "steady_state",
    "step",
]

_HOMES = {
    "Budget": "esper_audit.data.expectations",
    "Claim": "esper_audit.data.expectations",
    "CompiledStep": "esper_audit.replay.session",
    "LiveRecording": "esper_audit.api",
    "RecompileError": "esper_audit.api",
    "RecompileWarning": "esper_audit.api",
    "Recorder": "esper_audit.recording.recorder",
    "ReplaySession": "esper_audit.replay.session",
    "assert_max_recompiles": "esper_audit.api",
    "ramp": "esper_audit.replay.scenario_api",
    "record": "esper_audit.api",
    "scenario": "esper_audit.replay.scenario_api",
    "skip": "esper_audit.replay.scenario_api",
    "steady_state": "esper_audit.recording.marks",
    "step": "esper_audit.recording.marks",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """The public names, for tab completion: also those that are not imported yet."""
    return list(__all__)
