"""Guards that ask a value's own class what it is: tensor subclasses, DTensors, opaque objects.

Torch makes a Python function for each and names the guard after the function's id
(``TENSOR_SUBCLASS_METADATA_MATCH``, ``DTENSOR_SPEC_MATCH``, ``OPAQUE_OBJ_GUARD_FN_MATCH`` of
torch/_dynamo/guards.py, 2.8 to 2.14). What it wants is a variable of that function.
"""

from __future__ import annotations

import gc
from types import FunctionType
from typing import Any

from esper_audit._dynamo import values
from esper_audit.torch_text.guard_text import function_id

_WANTED = ("original_metadata", "original_values", "expected")


class Flattened:
    """Stands for a tensor subclass where its guard asks for the metadata, and keeps the answer.

    So the class's own ``__tensor_flatten__`` runs no more often than the guard runs it.
    """

    def __init__(self, value: Any) -> None:
        self._value, self.metadata = value, None

    def __tensor_flatten__(self) -> Any:
        flat = type(self._value).__tensor_flatten__(self._value)
        self.metadata = flat[1]
        return flat


def seen_by(kind: str, value: Any) -> Any:
    """What a guard of this kind is called with in place of the value."""
    if kind == "TENSOR_SUBCLASS_METADATA_MATCH" and hasattr(type(value), "__tensor_flatten__"):
        return Flattened(value)
    return value


def difference(text: str, seen: Any) -> tuple[str, str]:
    """What it wants and what the value has; "as compiled" and "changed" where these are unknown."""
    wanted, found = _wanted(function_id(text)), _found(seen)
    if wanted is None or found is None or wanted == found:
        return "as compiled", "changed"
    return wanted, found


def _wanted(function: int | None) -> str | None:
    """The garbage collector knows every function: the guard itself does not give its own away."""
    if function is None:
        return None
    known = (thing for thing in gc.get_objects() if id(thing) == function)
    checker = next((thing for thing in known if type(thing) is FunctionType), None)
    if checker is None:
        return None
    names, cells = checker.__code__.co_freevars, checker.__closure__ or ()
    held = {name: cell.cell_contents for name, cell in zip(names, cells, strict=True)}
    return next((_text(held[name]) for name in _WANTED if name in held), None)


def _found(seen: Any) -> str | None:
    return _text(seen.metadata if type(seen) is Flattened else getattr(seen, "_spec", None))


def _text(thing: Any) -> str | None:
    """A constant, or how a DTensor lies on its mesh (torch/distributed/tensor, 2.8 to 2.14)."""
    if type(thing).__name__ == "DTensorSpec":
        return ", ".join(map(str, thing.placements))
    return None if thing is None else values.contents_of(thing)
