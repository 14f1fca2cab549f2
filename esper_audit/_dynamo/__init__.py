"""The adapter: the only package that knows torch's internals. Plain data goes in and out."""

from __future__ import annotations

import torch

from esper_audit._dynamo.compiled_calls import see_compiled_calls
from esper_audit._dynamo.environment import (
    accelerator,
    backends,
    caches,
    devices,
    environment,
)
from esper_audit._dynamo.hooks import Hooks
from esper_audit._dynamo.levers import (
    NoSuchLeverError,
    Pulled,
    compile_keywords,
    mark,
    missing,
    pulled,
)
from esper_audit._dynamo.lookups import lookups
from esper_audit._dynamo.names import NAMES, find, lost
from esper_audit._dynamo.operations import operation_lines
from esper_audit._dynamo.stand_in_device import stand_in_device
from esper_audit._dynamo.trace_log import TraceLog
from esper_audit._dynamo.watch import Watch
from esper_audit.data.signals import Begin, Code, End, Returned, Stages

__all__ = [
    "NAMES",
    "Begin",
    "Code",
    "End",
    "Hooks",
    "NoSuchLeverError",
    "Pulled",
    "Returned",
    "Stages",
    "TraceLog",
    "Watch",
    "accelerator",
    "backends",
    "caches",
    "compile_keywords",
    "counters",
    "devices",
    "environment",
    "force_eager",
    "has",
    "lookups",
    "lost",
    "mark",
    "missing",
    "operation_lines",
    "pulled",
    "see_compiled_calls",
    "set_recompile_limit",
    "stand_in_device",
]


def has(key: str) -> bool:
    """Whether this torch has the named internal."""
    return find(key) is not None


def counters() -> dict[str, int]:
    """Torch's own counts of this process: graphs compiled (``unique_graphs``) and graphs run.

    From ``torch._dynamo.utils.counters``; ``torch._dynamo.reset`` clears it.
    """
    counted = find("counters")
    # Asked for by its key, an entry that is not there would come into being.
    stats = {} if counted is None else counted.get("stats", {})
    return {str(name): int(times) for name, times in stats.items()}


def draw_as_eager() -> None:
    """Let inductor draw the random numbers that eager execution draws, in this process.

    Without it (``fallback_random``, torch/_inductor/config.py) a dropout differs at each step and
    nothing can be compared. Guards and compile counts stay the same.
    """
    config = find("inductor_config")
    if config is not None:
        config.fallback_random = True


def force_eager() -> None:
    """Let compiled functions run eagerly from now on, in this process."""
    torch.compiler.set_stance("force_eager")


def set_recompile_limit(limit: int) -> None:
    """Set ``recompile_limit`` for this process."""
    find("config").recompile_limit = limit
