"""What a recording says of the trace log that it was made of. Plain frozen data."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from esper_audit.data.numbers import Count, Seconds, Whole


class DamageKind(StrEnum):
    """What is wrong with a part of a log. It is left out, and the rest is read."""

    NOT_A_RECORD = "not-a-record"
    """A line that is neither the head of a record nor a line of a payload."""
    NOT_JSON = "not-json"
    NO_PAYLOAD = "no-payload"
    """The record says that it has a payload, and none follows."""
    OTHER_PAYLOAD = "other-payload"
    """The payload is not the one that the record's checksum is of."""
    CUT_OFF = "cut-off"
    """The log ends inside of a record."""
    UNREADABLE = "unreadable"
    """The file can't be read, or not be unpacked to its end."""
    UNKNOWN_FORM = "unknown-form"
    """JSON, but not as any known torch writes this record."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Damage:
    """Damage of one kind in one file: how often, the line of the first, and what stands there.

    ``files``: how many files have it, where ``file`` is only the first of them.
    """

    kind: DamageKind
    file: str
    count: Count = 1
    line: Whole = 0
    text: str = ""
    files: Count = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class LogSource:
    """The trace log of one process, as far as it was read.

    ``files`` hold it, ``pid`` is the process in them. ``size`` is in bytes, unpacked. ``pages`` are
    tlparse's pages of compiles, by compile id, where they lie beside it.
    """

    files: tuple[str, ...] = ()
    pid: Whole | None = None
    records: Whole = 0
    size: Whole = 0
    damage: tuple[Damage, ...] = ()
    pages: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheUse:
    """How often one of the compile caches was asked: torch's name of it, and what came of it."""

    cache: str
    hits: Whole = 0
    misses: Whole = 0
    bypasses: Whole = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class GraphSkip:
    """A compile that got no CUDA graph, and torch's reason."""

    compile_id: str
    reason: str
    count: Count = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class RankClass:
    """Ranks that did the same, or processes without a rank that did.

    ``ranks`` are all of them, in order, or ``pids`` where they have none; both are empty of a
    process of which neither is known. ``shown`` is the one whose audit stands for them, and
    ``slowest`` the one whose compiles took ``most_seconds``; the quickest took ``least_seconds``.
    ``parts_at`` is the key of the first frame in which they did otherwise than the largest class;
    empty of that class itself, and of a class that differs in no frame. ``run`` counts the runs
    that left their logs in one place, from 0; it began at ``began_at``, in seconds since 1970
    (UTC), which is None where nobody knows.
    """

    ranks: tuple[Whole, ...] = ()
    pids: tuple[Whole, ...] = ()
    shown: Whole = 0
    slowest: Whole = 0
    most_seconds: Seconds = 0.0
    least_seconds: Seconds = 0.0
    parts_at: str = ""
    run: Count = 0
    began_at: Seconds | None = None

    @property
    def size(self) -> int:
        """How many processes it holds."""
        return max(len(self.ranks), len(self.pids), 1)
