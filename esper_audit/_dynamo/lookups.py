"""Counting guard lookups: torch tells of every call of a frame that has cache entries."""

from __future__ import annotations

import threading
from collections.abc import Callable
from itertools import count
from types import FrameType
from typing import Any

from esper_audit._dynamo import names

Hook = Callable[[bool], bool]


class LookupHook:
    """Counts lookups in any thread, ahead of whatever hook others have set or set meanwhile.

    A hook of torch must return a bool and must not raise: None forces a recompile on every call,
    an exception ends the process (torch/csrc/dynamo/eval_frame_cpp.cpp, 2.8 to 2.14). Torch has
    room for one, and its guard collectives are one (torch/compiler/__init__.py): while we count,
    setting a hook sets the one that follows ours.
    """

    def __init__(self) -> None:
        self._hits, self._misses = count(), count()
        self._forced = threading.local()
        self._following: Hook | None = None
        self._set: Callable[[Hook | None], Hook | None] | None = None
        self._count, self._count_and_follow = self._hooks()
        self._codes = (self._count.__code__, self._count_and_follow.__code__)

    @property
    def hits(self) -> int:
        return value_of(self._hits)

    @property
    def misses(self) -> int:
        return value_of(self._misses)

    def was_forced(self) -> bool:
        """Whether this thread's last lookup matched, and the hook that follows ours said no."""
        return getattr(self._forced, "value", False)

    def is_inside(self, frame: FrameType | None) -> bool:
        """Whether this frame is the hook's: raising there ends the process."""
        return frame is not None and frame.f_code in self._codes

    def install(self) -> None:
        place = names.owner_of("lookup")
        if place is None:
            return
        owner, attribute = place
        self._set = getattr(owner, attribute)
        self._set_following(self._set(self._count))
        setattr(owner, attribute, self._set_following)

    def ensure(self) -> None:
        """Take our place again, where code that knew torch's own function before has set a hook.

        ``set_enable_guard_collectives`` does, if it is what imports Dynamo.
        """
        if self._set is not None:
            present = self._set(self._count)
            self._set_following(self._following if self._is_ours(present) else present)

    def remove(self) -> None:
        place = names.owner_of("lookup")
        if place is None or self._set is None:
            return
        self.ensure()
        owner, attribute = place
        setattr(owner, attribute, self._set)
        self._set(self._following)
        self._set = None

    def _is_ours(self, hook: Hook | None) -> bool:
        return hook is self._count or hook is self._count_and_follow

    def _set_following(self, hook: Hook | None) -> Hook | None:
        """Stands in for torch's own function of this meaning: gives back the hook there was."""
        before, self._following = self._following, hook
        if self._set is not None:
            self._set(self._count if hook is None else self._count_and_follow)
        return before

    def _hooks(self) -> tuple[Any, Any]:
        hits, misses, forced = self._hits, self._misses, self._forced

        def count_lookup(hit: bool) -> bool:
            next(hits if hit else misses)
            return hit

        def count_and_follow(hit: bool) -> bool:
            next(hits if hit else misses)
            following = self._following
            result = hit if following is None else following(hit)
            forced.value = hit and not result
            return result

        return count_lookup, count_and_follow


def value_of(counter: count[int]) -> int:
    """Of a count, without advancing it: only its repr shows the next value."""
    return int(repr(counter)[len("count(") : -1])
