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
_PARTS = {"autocast_cache_enabled": "cached_enabled"}
_AUTOCAST = re.compile(r"autocast\(\w+\)_(?P<part>\w+)")


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
        return _first_difference(part, one, other)
    if name not in before or name not in after:
        return "", ""
    return _text(name, before[name]), _text(name, after[name])


def _first_difference(part: str, before: Any, after: Any) -> tuple[str, str]:
    """Of one value a device, the first that differs; of a single value, that."""
    if before is None or after is None:
        return "", ""
    one, other = (state if isinstance(state, list) else [state] for state in (before, after))
    found = (pair for pair in zip(one, other, strict=False) if pair[0] != pair[1])
    first = next(found, None)
    return ("", "") if first is None else (_text(part, first[0]), _text(part, first[1]))


def _text(name: str, value: Any) -> str:
    return _DTYPES.get(value, str(value)) if name in _OF_DTYPES else str(value)
