"""What is kept of the trace log of one process: plain, small, and handed between processes.

Reading fills it (a log is read once, from its beginning to its end), making a recording takes it.
Texts that come again, such as the guards of a tree, are one object in memory: what is kept grows
with what differs, not with the size of the log.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from esper_audit.data.logs import Damage
from esper_audit.data.places import Location


@dataclass(slots=True, kw_only=True)
class LoggedStage:
    """A stage of a compile, by torch's own clock; ``began`` is in seconds since 1970 (UTC)."""

    name: str
    began: float
    seconds: float


@dataclass(slots=True, kw_only=True)
class LoggedCompile:
    """Everything that a log says of one compile id, in all its attempts.

    ``reasons`` are torch's recompile reasons, ``stack`` is where the frame was called, ``guards``
    are the lines of its guard tree, ``metrics`` the fields that we read of ``compilation_metrics``,
    ``breaks`` and ``errors`` are payloads as they stand. ``symbols`` are ``create_symbol`` records.
    ``later`` are metrics of its backward and of its run time. ``caches`` counts, by torch's name,
    what the compile caches said. ``line`` is that of its first record in the file. ``started`` is
    whether Dynamo's own beginning of it is in the log. A file that is not known has an empty name.
    """

    id: str
    attempts: int = 1
    reasons: list[str] = field(default_factory=list)
    stack: tuple[Location, ...] = ()
    guards: tuple[str, ...] = ()
    metrics: dict[str, Any] = field(default_factory=dict)
    later: list[dict[str, Any]] = field(default_factory=list)
    breaks: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    symbols: list[dict[str, Any]] = field(default_factory=list)
    caches: dict[str, int] = field(default_factory=dict)
    stages: list[LoggedStage] = field(default_factory=list)
    line: int = 0
    started: bool = False


@dataclass(slots=True, kw_only=True)
class ProcessLog:
    """The log of one process. ``rank`` is None where torch.distributed was never initialised.

    ``pid`` is None where no record could be read: there is damage alone. ``continues`` is whether
    it names files that only an earlier log of the same process, or of its parent, can tell.
    ``stages`` belong to no compile.
    """

    pid: int | None
    rank: int | None = None
    files: tuple[str, ...] = ()
    torch: str = ""
    python: str = ""
    compiles: list[LoggedCompile] = field(default_factory=list)
    records: int = 0
    size: int = 0
    damage: list[Damage] = field(default_factory=list)
    stages: list[LoggedStage] = field(default_factory=list)
    continues: bool = False
