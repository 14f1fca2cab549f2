"""How long a compile took, and its parts. Plain frozen data, saved as JSON."""

from __future__ import annotations

from dataclasses import dataclass

from esper_audit.data.numbers import Moment
from esper_audit.data.numbers import Seconds as Duration


@dataclass(frozen=True, slots=True)
class Seconds:
    """Time of one compile. ``total`` is wall time; the parts are torch's own and may be unknown."""

    total: Duration
    dynamo: Moment | None = None
    aot_autograd: Moment | None = None
    backend: Moment | None = None


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage of a compile, in torch's name of it.

    ``at`` is when it began, in seconds since the recording began.
    """

    name: str
    at: Moment
    seconds: Duration
