"""A TENSOR_MATCH guard held against the tensor that it refused: which fields differ."""

from __future__ import annotations

import ast

import torch

from esper_audit._dynamo import names
from esper_audit.torch_text.guard_text import backend_of, body_of, device_of, tensor_fields


def tensor_difference(text: str, value: torch.Tensor) -> tuple[str, str]:
    """Of a TENSOR_MATCH guard, the fields that differ: (expected, actual), each as a text."""
    wanted_fields = tensor_fields(text)
    if not wanted_fields:
        return body_of(text), f"tensor(size={list(value.shape)}, dtype={value.dtype})"
    keys, actual = wanted_fields["keys"], _fields(value)
    differing = {
        field: (wanted, actual[field])
        for field, wanted in wanted_fields.items()
        if not _same(field, wanted, actual[field])
    }
    # The printed key sets always differ: they leave out thread-local keys (2.8 to 2.14). They
    # tell something only where nothing else does, or where the keys' device did change.
    shown = {field: pair for field, pair in differing.items() if field != "keys"} or differing
    if "keys" in shown and backend_of(keys) != value.device.type:
        shown = {"device": ("", "")}  # two devices without an index: only the keys tell
    if not shown:
        return "the same tensor", "the same tensor"
    if "device" in shown:
        shown["device"] = (device_of(wanted_fields["device"], keys), str(value.device))
    return (
        ", ".join(f"{field}={wanted}" for field, (wanted, _) in shown.items()),
        ", ".join(f"{field}={found}" for field, (_, found) in shown.items()),
    )


def _fields(value: torch.Tensor) -> dict[str, str]:
    dispatch_keys = names.find("dispatch_keys")
    keys = str(dispatch_keys(value)) if dispatch_keys is not None else ""
    return {
        "type": type(value).__name__,
        "keys": keys.removeprefix("DispatchKeySet(").removesuffix(")"),
        "dtype": str(value.dtype).removeprefix("torch."),
        "device": str(value.device.index),
        "requires_grad": str(value.requires_grad),
        "size": str(list(value.shape)),
        "stride": str(list(value.stride())) if value.layout == torch.strided else "[]",
    }


def _same(field: str, wanted: str, actual: str) -> bool:
    if field not in ("size", "stride"):
        return wanted == actual
    try:
        pairs = list(zip(ast.literal_eval(wanted), ast.literal_eval(actual), strict=True))
    except (ValueError, SyntaxError):
        return False
    return all(left is None or left == right for left, right in pairs)
