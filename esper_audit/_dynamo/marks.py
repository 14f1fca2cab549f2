"""Dimensions of a tensor that are marked dynamic, unbacked or static, as its guard wants them.

Torch keeps the marks as attributes of the tensor. One guard holds all of them in 2.13; up to 2.12
there is one on dynamic dimensions alone (torch/_dynamo/guards.py).
"""

from __future__ import annotations

import re
from typing import Any

import torch

_MARKS = {
    "_dynamo_dynamic_indices": "dynamic",
    "_dynamo_weak_dynamic_indices": "maybe dynamic",
    "_dynamo_unbacked_indices": "unbacked",
    "_dynamo_strict_unbacked_indices": "strictly unbacked",
    "_dynamo_static_indices": "static",
}
_MARKED = re.compile(r"'(?P<mark>_dynamo_\w+_indices)', set\(\)\)\.issubset\((?P<dims>\{.*?\})\)")


def difference(text: str, value: Any) -> tuple[str, str]:
    """The marks that the tensor has now and the guard does not allow, before and after."""
    allowed = {match["mark"]: _numbers(match["dims"]) for match in _MARKED.finditer(text)}
    now = {mark: _marked(value, mark) for mark in _MARKS}
    new = [mark for mark in _MARKS if now[mark] - allowed.get(mark, set())]
    shown = new or [mark for mark in _MARKS if mark in allowed]
    return _told(shown, allowed), _told(shown, now)


def _told(marks: list[str], of: dict[str, set[int]]) -> str:
    told = (f"{_MARKS[mark]} {sorted(of[mark])}" for mark in marks if of.get(mark))
    return ", ".join(told) or "no marks"


def _marked(value: Any, mark: str) -> set[int]:
    """From the instance itself: a subclass may look attributes up in code of its own."""
    if not issubclass(type(value), torch.Tensor):
        return set()
    found = object.__getattribute__(value, "__dict__").get(mark, ())
    return {number for number in found if type(number) is int}


def _numbers(dims: str) -> set[int]:
    return {int(number) for number in re.findall(r"\d+", dims)}
