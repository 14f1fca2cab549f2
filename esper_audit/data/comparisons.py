"""A step's result held against what it should have been. Plain frozen data, saved as JSON."""

from __future__ import annotations

from dataclasses import dataclass

from esper_audit.data.differences import Difference
from esper_audit.data.reasons import Reason


@dataclass(frozen=True, slots=True)
class Comparison:
    """The result of a step held against what it should have been.

    ``against`` is ``eager`` or ``reference``; ``what`` is ``output``, ``gradients`` or ``state``.
    ``equal`` is None where the comparison could not be made; ``why`` then says why not.
    ``difference`` is set where it is False.
    """

    against: str
    what: str
    equal: bool | None
    why: Reason | None = None
    difference: Difference | None = None
