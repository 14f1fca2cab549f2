"""What a recording says of itself: what it could not parse, what failed, what it can't see."""

from __future__ import annotations

from dataclasses import dataclass

from esper_audit.data.numbers import Count


@dataclass(frozen=True, slots=True)
class Unrecognized:
    """Something that torch said and the recorder could not parse, kept word for word."""

    where: str
    text: str


@dataclass(frozen=True, slots=True)
class HookError:
    """An error inside one of the recorder's own hooks. It never reached the user's program."""

    hook: str
    traceback: str
    count: Count = 1

    @property
    def gist(self) -> str:
        """The last line of the traceback: what was raised; empty where there is none."""
        return next(reversed(self.traceback.strip().splitlines()), "")


@dataclass(frozen=True, slots=True)
class LostEvidence:
    """A name of torch that this version lacks, and what can't be recorded without it.

    ``key`` is our own name for it: ``lookup``, ``compile``, …
    """

    name: str
    torch_version: str
    lost: str
    key: str = ""
