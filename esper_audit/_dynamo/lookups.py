"""Counting guard lookups: torch tells of every call of a frame that has cache entries."""

from __future__ import annotations

import operator
import threading
from collections.abc import Callable
from functools import partial
from typing import Any

from esper_audit._dynamo import names
from esper_audit._dynamo.frameless import Calls, in_turn

Hook = Callable[[bool], bool]

_LOCK = threading.RLock()


class _Pair:
    """Counts truths and falsehoods apart, in C."""

    def __init__(self) -> None:
        self.false, self.true = Calls(partial(bool, False)), Calls(partial(bool, True))

    def counting(self) -> tuple[Callable[[Any], Any], ...]:
        """To be called in turn with a bool, which comes out again."""
        return (self.false.counter, self.true.counter).__getitem__, operator.call


class _Counters:
    """Counts lookups in any thread, ahead of whatever hook others have set or set meanwhile.

    A hook of torch must return a bool and must not raise: None forces a recompile on every call,
    an exception ends the process (torch/csrc/dynamo/eval_frame_cpp.cpp, 2.8 to 2.14). So ours runs
    no Python code, in which a signal handler may raise. Torch has room for one, and its guard
    collectives are one (torch/compiler/__init__.py): while we count, setting a hook sets the one
    that follows ours. One for the process, there while any recorder is.
    """

    def __init__(self) -> None:
        self._alone, self._followed, self._agreed = _Pair(), _Pair(), _Pair()
        self._following: Hook | None = None
        self._users = 0
        self._set: Any = None
        self._stand_in: Any = None
        self._ours: Hook | None = None

    def hits(self) -> int:
        """Lookups that matched an entry."""
        return self._alone.true() + self._followed.true()

    def misses(self) -> int:
        """Lookups that matched none."""
        return self._alone.false() + self._followed.false()

    def refused(self) -> int:
        """Lookups that matched, and to which the hook that follows ours said no."""
        return self._followed.true() - self._agreed.true()

    def add(self) -> None:
        """Count from now on."""
        self._users += 1
        place = names.owner_of("lookup")
        if self._users > 1 or place is None:
            return
        owner, attribute = place
        self._set = _behind(getattr(owner, attribute))
        self._stand_in = _StandIn(self._set, self._set_following)
        self._set_following(self._set(None))
        setattr(owner, attribute, self._stand_in)

    def remove(self) -> None:
        """Count no longer, once nobody wants it."""
        self._users -= 1
        place = names.owner_of("lookup")
        if self._users or place is None or self._set is None:
            return
        self.ensure()
        self._set(self._following)
        self._stand_in.is_live = False
        if getattr(*place) is self._stand_in:
            setattr(*place, self._set)
        self._set = self._ours = self._following = None

    def ensure(self) -> None:
        """Take our place again, where code that knew torch's own function before has set a hook.

        ``set_enable_guard_collectives`` does, if it is what imports Dynamo.
        """
        if self._set is not None:
            present = self._set(self._ours)
            if present is not self._ours:
                self._set_following(present)

    def _set_following(self, hook: Hook | None) -> Hook | None:
        before, self._following = self._following, hook
        if hook is None:
            self._ours = in_turn(*self._alone.counting())
        else:  # torch, too, takes what it says for true or false
            after = (hook, operator.truth, *self._agreed.counting())
            self._ours = in_turn(*self._followed.counting(), *after)
        self._set(self._ours)
        return before


class _StandIn:
    """Stands in for torch's own function that sets a hook: gives back the hook there was."""

    def __init__(self, real: Any, set_following: Callable[[Hook | None], Hook | None]) -> None:
        self.real, self._set_following, self.is_live = real, set_following, True

    def __call__(self, hook: Hook | None) -> Hook | None:
        before: Hook | None
        before = self._set_following(hook) if self.is_live else self.real(hook)
        return before


def _behind(present: Any) -> Any:
    """Torch's own function, where somebody has put a stand-in of ours back."""
    return present.real if isinstance(present, _StandIn) else present


_COUNTERS = _Counters()


def lookups() -> tuple[int, int]:
    """Lookups that matched an entry, and that matched none, while anybody counts them."""
    return _now()


class LookupHook:
    """The lookups of one recorder's time."""

    def __init__(self) -> None:
        self._before: tuple[int, int] | None = None
        self._after: tuple[int, int] | None = None
        self._refused = 0

    @property
    def hits(self) -> int:
        return self._counted()[0]

    @property
    def misses(self) -> int:
        return self._counted()[1]

    def was_forced(self) -> bool:
        """Whether a lookup since the last question matched and was refused by the hook after ours.

        The compile that it forces comes right after it, in the same thread.
        """
        before, self._refused = self._refused, _COUNTERS.refused()
        return self._refused > before

    def install(self) -> None:
        with _LOCK:
            _COUNTERS.add()
            self._before, self._after = _now(), None
            self._refused = _COUNTERS.refused()

    def ensure(self) -> None:
        """See that lookups are still counted."""
        with _LOCK:
            _COUNTERS.ensure()

    def remove(self) -> None:
        with _LOCK:
            if self._before is not None and self._after is None:
                self._after = _now()
                _COUNTERS.remove()

    def _counted(self) -> tuple[int, int]:
        if self._before is None:
            return 0, 0
        after = self._after or _now()
        return after[0] - self._before[0], after[1] - self._before[1]


def _now() -> tuple[int, int]:
    return _COUNTERS.hits(), _COUNTERS.misses()
