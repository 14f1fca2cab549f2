"""What machine and which torch a recording is made on."""

from __future__ import annotations

import os
import platform
import sys

import torch

from esper_audit import __version__
from esper_audit._dynamo import names
from esper_audit.data.recording import Environment

_SETTINGS = (
    "recompile_limit",
    "accumulated_recompile_limit",
    "automatic_dynamic_shapes",
    "assume_static_by_default",
    "suppress_errors",
    "specialize_float",
    "disable",
)
_FOR_DEBUGGING = ("TESTING", "minifier", "debug", "crossref", "_with_mode", "noexcept")
_VARIABLES = (
    "TORCHINDUCTOR_CACHE_DIR",
    "TORCHINDUCTOR_COMPILE_THREADS",
    "TORCHINDUCTOR_FORCE_DISABLE_CACHES",
    "TORCH_COMPILE_JOB_ID",
    "TORCH_DYNAMO_AUTOMATIC_DYNAMIC_LOCAL_PGO",
    "TORCH_COMPILE_DISABLE",
    "TORCHDYNAMO_DISABLE",
    "OMP_NUM_THREADS",
)


def accelerator() -> str:
    """The type of the first accelerator (``cuda``, ``mps``, …); empty where there is none."""
    found = torch.accelerator.current_accelerator() if torch.accelerator.is_available() else None
    return found.type if found is not None else ""


def environment() -> Environment:
    """Versions, device and the settings that decide what torch.compile does."""
    config = names.find("config")
    settings = {name: str(getattr(config, name, "?")) for name in _SETTINGS}
    settings |= {name: os.environ[name] for name in _VARIABLES if name in os.environ}
    return Environment(
        torch=str(torch.__version__),
        python=platform.python_version(),
        device=accelerator() or "cpu",
        platform=f"{sys.platform}-{platform.machine()}",
        esper_audit=__version__,
        settings=settings,
    )


def set_recompile_limit(limit: int) -> None:
    """Set both of torch's limits: the one of each frame to this, the one of all to no less."""
    config = names.find("config")
    if config is not None:
        config.recompile_limit = limit
        config.accumulated_recompile_limit = max(limit, config.accumulated_recompile_limit)


def devices() -> tuple[str, ...]:
    """The CPU and every accelerator, by name."""
    kind = accelerator()
    count = torch.accelerator.device_count() if kind else 0
    return ("cpu", *(f"{kind}:{number}" for number in range(count)))


def caches() -> dict[str, str]:
    """Where compiled code is kept between runs, and which caches are on."""
    inductor, functorch = names.find("inductor_config"), names.find("functorch_config")
    folder = names.find("cache_dir")
    return {
        "inductor cache folder": str(folder()) if folder is not None else "?",
        "inductor graph cache": str(getattr(inductor, "fx_graph_cache", "?")),
        "AOTAutograd cache": str(getattr(functorch, "enable_autograd_cache", "?")),
    }


def backends() -> tuple[str, ...]:
    """The backends that torch.compile knows here, without those for torch's own debugging."""
    every = torch.compiler.list_backends(exclude_tags=())
    return tuple(name for name in every if not any(word in name for word in _FOR_DEBUGGING))
