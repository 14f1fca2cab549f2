"""A second device in pure Python, for device moves on a machine without an accelerator.

Registered as ``standin`` under torch's PrivateUse1 key: plain ``torch.Tensor`` objects whose
numbers lie in a shadow tensor on the CPU; every operation goes through one boxed fallback. Moves
are real, and so are the guards that they fail. It can't train under ``aot_eager`` (2.13 crashes
on a backward) and has no code generator for inductor. Uses an experimental registration
(torch/utils/backend_registration.py, 2.13), once a process and for good.
"""

from __future__ import annotations

from functools import cache, partial
from typing import Any

import torch
from torch.utils import _pytree as pytree

NAME = "standin"

_shadows: dict[int, tuple[torch.Tensor, Any]] = {}


@cache
def stand_in_device() -> torch.device:
    """Register the device in this process and return it; raises RuntimeError where torch can't."""
    from torch.utils import backend_registration

    setup = getattr(backend_registration, "_setup_privateuseone_for_python_backend", None)
    if setup is None:
        raise RuntimeError(f"torch {torch.__version__} can't register a device from Python")
    setup(NAME)
    _register()
    return torch.device(NAME, 0)


@cache
def _libraries() -> tuple[torch.library.Library, torch.library.Library]:
    return torch.library.Library("_", "IMPL"), torch.library.Library("aten", "IMPL")


def _register() -> None:
    everything, aten = _libraries()
    everything.fallback(_fallback, "PrivateUse1")
    for name, implementation in {
        "empty.memory_format": _empty,
        "empty_strided": _empty_strided,
        "_copy_from": _copy_from,
        # Composite for other backends, so that it never reaches the fallback.
        "convolution_overrideable": partial(_fallback, torch.ops.aten.convolution.default),
        "_local_scalar_dense": lambda tensor: _shadow(tensor).item(),
    }.items():
        aten.impl(name, implementation, "PrivateUse1")


def _is_here(thing: object) -> bool:
    return isinstance(thing, torch.Tensor) and thing.device.type == NAME


def _key(tensor: torch.Tensor) -> int:
    return int(tensor.untyped_storage()._cdata)


def _shadow(tensor: torch.Tensor) -> torch.Tensor:
    return _shadows[_key(tensor)][0]


def _wrap(shadow: torch.Tensor) -> torch.Tensor:
    made = torch._C._acc.create_empty_tensor(tuple(shadow.shape), shadow.dtype)
    if made.stride() != shadow.stride():
        shadow = shadow.contiguous()
    # The storage is kept with its shadow: its address is the key, and must not be used again.
    _shadows[_key(made)] = (shadow, made.untyped_storage())
    return made


def _to_cpu(thing: Any) -> Any:
    if _is_here(thing):
        return _shadow(thing)
    if isinstance(thing, torch.device) and thing.type == NAME:
        return torch.device("cpu")
    return thing


def _fallback(operation: Any, *args: Any, **kwargs: Any) -> Any:
    here = {
        id(_shadow(leaf)): leaf for leaf in pytree.tree_leaves((args, kwargs)) if _is_here(leaf)
    }
    cpu_args, cpu_kwargs = pytree.tree_map(_to_cpu, (args, kwargs))
    result = operation(*cpu_args, **cpu_kwargs)

    def back(thing: Any) -> Any:
        if not isinstance(thing, torch.Tensor):
            return thing
        return here[id(thing)] if id(thing) in here else _wrap(thing)

    return pytree.tree_map(back, result)


def _empty(size: Any, *, dtype: Any = None, **_: Any) -> torch.Tensor:
    return _wrap(torch.empty(size, dtype=dtype))


def _empty_strided(size: Any, stride: Any, *, dtype: Any = None, **_: Any) -> torch.Tensor:
    return _wrap(torch.empty_strided(size, stride, dtype=dtype))


def _copy_from(source: torch.Tensor, target: torch.Tensor, _non_blocking: bool = False) -> Any:
    if _is_here(target):
        _shadow(target).copy_(_to_cpu(source))
    else:
        target.copy_(_shadow(source))
    return target
