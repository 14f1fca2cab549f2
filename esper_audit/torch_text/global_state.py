"""Torch's global state, as a guard on it writes it: what changed, from what to what.

The state is the JSON of ``GlobalStateGuard.__getstate__`` (torch/csrc/dynamo/guards.cpp, 2.13).
Worked example: ``grad_mode`` of ``{"grad_mode": true}`` and ``{"grad_mode": false}`` is
``("True", "False")``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any

_DTYPES = {5: "float16", 6: "float32", 7: "float64", 15: "bfloat16"}
"""Of c10::ScalarType (c10/core/ScalarType.h, 2.8 to 2.14)."""
_OF_DTYPES = ("default_dtype", "dtype")
_REDUCED = {0: "True", 1: "False", 2: "False, without split-K"}
"""Of at::CuBLASReductionOption (aten/src/ATen/Context.h): 2.8 has a bool in its place."""
_AGAINST = "___check_global_state() against "
_PARTS = {"autocast_cache_enabled": "cached_enabled"}
_AUTOCAST_DEVICES = (
    *("cpu", "cuda", "mtia", "maia", "xpu", "ipu", "hpu", "xla", "privateuseone", "mps"),
)
"""In the order of _AUTOCAST_SUPPORTED_DEVICES (aten/src/ATen/autocast_mode.h, 2.8 to 2.14)."""
_AUTOCAST = re.compile(r"autocast\((?P<device>\w+)\)_(?P<part>\w+)")


def differing_state(wanted: str, found: str) -> dict[str, tuple[str, str]]:
    """Every setting that differs between two guards' texts, by the name that torch reports it by.

    Up to 2.11 the texts hold no state: then nothing is known to differ.
    """
    before, after = (_read(text.partition(_AGAINST)[2]) for text in (wanted, found))
    names = [name for name in before if name != "autocast_state" and name in after]
    differing = [name for name in names if before[name] != after[name]]
    differing += _differing_autocast(*(state.get("autocast_state") for state in (before, after)))
    return {name: _pair(name, before, after) for name in differing}


def _differing_autocast(before: Any, after: Any) -> list[str]:
    if not (isinstance(before, dict) and isinstance(after, dict)):
        return []
    found = (
        ["autocast_cache_enabled"]
        if before.get("cached_enabled") != after.get("cached_enabled")
        else []
    )
    for part in ("enabled", "dtype"):
        sides = zip(before.get(part, ()), after.get(part, ()), strict=False)
        found += [
            f"autocast({device})_{part}"
            for device, (one, other) in zip(_AUTOCAST_DEVICES, sides, strict=False)
            if one != other
        ]
    return found


def changed_state(names: Iterable[str], wanted: str, found: str) -> dict[str, tuple[str, str]]:
    """Each of these settings as (expected, actual); empty texts where a state can't be read."""
    before, after = _read(wanted), _read(found)
    return {name: _pair(name, before, after) for name in names}


def _read(state: str) -> dict[str, Any]:
    try:
        plain = json.loads(state)
    except ValueError:
        return {}
    return plain if isinstance(plain, dict) else {}


def _pair(name: str, before: dict[str, Any], after: dict[str, Any]) -> tuple[str, str]:
    autocast = _AUTOCAST.fullmatch(name)
    part = autocast["part"] if autocast is not None else _PARTS.get(name)
    if part is not None:
        one, other = (state.get("autocast_state", {}).get(part) for state in (before, after))
        return _difference(part, autocast["device"] if autocast is not None else "", one, other)
    if name not in before or name not in after:
        return "", ""
    return _text(name, before[name]), _text(name, after[name])


def _difference(part: str, device: str, before: Any, after: Any) -> tuple[str, str]:
    """Of one value a device, that device's; of a single value, that."""
    if before is None or after is None:
        return "", ""
    one, other = (state if isinstance(state, list) else [state] for state in (before, after))
    pairs = enumerate(zip(one, other, strict=False))
    differing = [number for number, (left, right) in pairs if left != right]
    own = _AUTOCAST_DEVICES.index(device) if device in _AUTOCAST_DEVICES else None
    number = own if own in differing else next(iter(differing), None)
    return ("", "") if number is None else (_text(part, one[number]), _text(part, other[number]))


def _text(name: str, value: Any) -> str:
    if name in _OF_DTYPES:
        return _DTYPES.get(value, str(value))
    reduced = name.endswith("_reduce") and not isinstance(value, bool)
    return _REDUCED.get(value, str(value)) if reduced else str(value)
