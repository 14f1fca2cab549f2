"""Digests of values: computed where the tensors are, and small enough to keep for every call."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import torch

from esper_audit.data.calls import Digest
from esper_audit.replay.values import Thing, plain

_MOST_WEIGHTED = 1_000_000
"""Values of a tensor that are weighted by their places: the rest is in the other sums."""

Sums = tuple[float, float, float]


def digest(value: Any) -> Digest:
    """Of all tensors and numbers in a value, in order; raises what a strange tensor raises."""
    found = tuple(_parts(value))
    return Digest(tuple(kind for kind, _ in found), tuple(sums for _, sums in found))


def wait_for_device() -> None:
    """Until what was launched is done, so that a call's time is its own."""
    if torch.cuda.is_initialized():
        torch.cuda.synchronize()


def _parts(value: Any) -> Iterator[tuple[str, Sums]]:
    if isinstance(value, torch.Tensor):
        if type(value) in (torch.Tensor, torch.nn.Parameter) and value.layout == torch.strided:
            yield _kind(value), _sums(value.detach())
        else:
            yield from _of_plain(value)
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _parts(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _parts(item)
    elif isinstance(value, bool | int | float):
        yield type(value).__name__, (float(value), 0.0, abs(float(value)))
    elif isinstance(value, Thing):
        yield from _parts(value.fields)
    elif value is not None:
        made = plain(value)
        if isinstance(made, Thing | list | dict):
            yield from _parts(made)


def _of_plain(value: torch.Tensor) -> Iterator[tuple[str, Sums]]:
    made = plain(value)
    if isinstance(made, torch.Tensor):
        dense = made.to_dense() if made.layout != torch.strided else made
        dense = dense.dequantize() if dense.is_quantized else dense
        yield _kind(value), _sums(dense)
    else:
        yield from _parts(made)


def _kind(tensor: torch.Tensor) -> str:
    return f"{str(tensor.dtype).removeprefix('torch.')}{list(tensor.shape)}"


def _sums(tensor: torch.Tensor) -> Sums:
    if tensor.device.type == "meta" or tensor.numel() == 0:
        return 0.0, 0.0, 0.0
    real = torch.view_as_real(tensor.resolve_conj()) if tensor.is_complex() else tensor
    flat = real.reshape(-1)
    some = flat[:_MOST_WEIGHTED].double()
    weights = torch.linspace(0.5, 1.0, some.numel(), dtype=some.dtype, device=some.device)
    size = flat.abs() if flat.dtype != torch.bool else flat
    total, absolute = flat.sum(dtype=torch.float64), size.sum(dtype=torch.float64)
    return tuple(torch.stack((total, some @ weights, absolute)).tolist())
