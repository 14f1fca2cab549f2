"""The first place in which two results differ. Plain frozen data, saved as JSON."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from esper_audit.data.numbers import Count, Whole


class DifferenceKind(StrEnum):
    """In what two results differ first: in values only where all else is equal."""

    VALUE = "value"
    SHAPE = "shape"
    DTYPE = "dtype"
    TYPE = "type"
    KEYS = "keys"
    LENGTH = "length"


@dataclass(frozen=True, slots=True)
class Difference:
    """The first place in which a result is not what it should be.

    ``where`` is a path such as ``output[0].logits``; ``actual`` and ``expected`` are texts. Of
    tensors: ``largest`` is the largest absolute difference, ``index`` the place of it, where
    ``actual`` and ``expected`` are read; ``outside`` of ``values`` are not within
    ``atol + rtol * abs(expected)``.
    """

    where: str
    kind: DifferenceKind
    actual: str
    expected: str
    largest: float | None = None
    index: tuple[Whole, ...] = ()
    outside: Count = 0
    values: Count = 0
    rtol: float = 0.0
    atol: float = 0.0
