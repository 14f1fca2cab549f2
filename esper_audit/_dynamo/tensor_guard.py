"""A TENSOR_MATCH guard held against the tensor that it refused: which fields differ."""

from __future__ import annotations

import torch

from esper_audit._dynamo import names
from esper_audit.torch_text.guard_text import backend_of, device_of, tensor_fields
from esper_audit.torch_text.guard_values import Fields, same_field

_VIEWED = "ADInplaceOrView"
"""A key of every tensor but those that inference mode made (c10/core/TensorImpl.h)."""
_FUNCTORCH = "FuncTorch"


def tensor_difference(text: str, value: torch.Tensor) -> Fields | None:
    """Of a TENSOR_MATCH guard, the fields that differ: (expected, actual) by name.

    None where the guard's text can't be read.
    """
    wanted_fields = tensor_fields(text)
    if not wanted_fields:
        return None
    keys, actual = wanted_fields["keys"], _fields(value)
    if (_FUNCTORCH in keys) != (_FUNCTORCH in actual["keys"]):
        return {"keys": (keys, actual["keys"])}  # what else differs follows from the transform
    differing = {
        field: (wanted, actual[field])
        for field, wanted in wanted_fields.items()
        if not same_field(field, wanted, actual[field])
    }
    # The printed key sets always differ: they leave out thread-local keys (2.8 to 2.14). They
    # tell something only where nothing else does, or where the keys' device did change.
    shown = {field: pair for field, pair in differing.items() if field != "keys"} or differing
    if shown.keys() == {"keys"} and (_VIEWED in keys) == value.is_inference():
        shown = {"inference": (str(_VIEWED not in keys), str(value.is_inference()))}
    if "keys" in shown and backend_of(keys) != value.device.type:
        shown = {"device": ("", "")}  # two devices without an index: only the keys tell
    if "device" in shown:
        shown["device"] = (device_of(wanted_fields["device"], keys), str(value.device))
    return shown


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
