"""Iterators over tuples and ranges, and counts: what is left of them, without a step.

Torch guards on the same (``tuple_iterator_len``, ``normalize_range_iter`` and
``normalize_count_iter`` of torch/_dynamo/utils.py, 2.8 to 2.14).
"""

from __future__ import annotations

import ast
import itertools
from typing import Any

from esper_audit._dynamo import values
from esper_audit.torch_text.guard_text import body_of, wanted_value

_TUPLES: Any = type(iter(()))
_RANGES: Any = type(iter(range(0)))


def items_left(iterator: Any) -> Any:
    """How many items an iterator over a tuple has still to give; anything else as it is."""
    return iterator.__length_hint__() if type(iterator) is _TUPLES else iterator


def text_of(iterator: Any) -> str:
    """``range(4)`` or ``count(5)``; empty for anything else."""
    kind: Any = type(iterator)
    if kind is not _RANGES and kind is not itertools.count:
        return ""
    state: Any = kind.__reduce__(iterator)  # how to make it again
    if kind is _RANGES:
        passed = state[2] if len(state) > 2 else 0
        return str(values.contents_of(state[1][0][passed:]))
    return _count(*(str(values.contents_of(part)) for part in state[1]))


def wanted(text: str) -> str:
    """The same of what the guard wants; empty where its text is another."""
    parts = _constants(wanted_value(text) or "")
    if body_of(text).startswith("___normalize_count_iter") and len(parts) == 2:
        return _count(*map(repr, parts))
    if body_of(text).startswith("___normalize_range_iter") and len(parts) == 3:
        return str(values.contents_of(range(*parts)))
    return ""


def _count(start: str, step: str = "1") -> str:
    return f"count({start})" if step == "1" else f"count({start}, {step})"


def _constants(text: str) -> tuple[Any, ...]:
    try:
        found = ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return ()
    return found if isinstance(found, tuple) else ()
