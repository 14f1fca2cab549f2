"""Torch's own state that guards read, polled: who switched grad mode, autocast, a default, a mode.

Each thread has a state of its own: a line is noted in the thread that it holds for.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from esper_audit._dynamo import names
from esper_audit.data.compiles import DEFAULT_DEVICE, MODE_STACK, GuardFailure, Write
from esper_audit.data.places import Location
from esper_audit.data.reasons import Reason, Why

_OF_ALL_THREADS = ("default_dtype", "deterministic", "allow_", "num_threads", DEFAULT_DEVICE)

_NOTED_AS = {
    "torch_function_modes": MODE_STACK,
    "default_device": DEFAULT_DEVICE,
    "inference_mode": "grad_mode",
}
"""What a guard calls otherwise; inference mode switches grad mode, too."""

Written = tuple[Location, Location | None] | Reason | None


@dataclass(slots=True)
class _Seen:
    """The state of one thread as it was last seen. ``switched``: the last comes last."""

    guard: Any
    modes: tuple[int, ...]
    device: object
    switched: dict[str, Written] = field(default_factory=dict)


class StateWatch:
    """Watches torch's state in every thread that asks."""

    def __init__(self) -> None:
        self._here = threading.local()
        self._guard = names.find("global_state_guard")
        self._depth = names.find("mode_stack_depth") or (lambda: 0)
        self._mode_at = names.find("mode_stack_at")
        self._device = names.module_of("default_device")

    def poll(self, who: Callable[[bool], Written]) -> None:
        """Note what has changed since the last poll in this thread as switched by ``who``.

        ``who`` is called with whether the setting holds for all threads.
        """
        seen: _Seen | None = getattr(self._here, "seen", None)
        if seen is None:
            self._here.seen = _Seen(self._new_guard(), self._modes(), self._current_device())
            return
        for name in self._changes(seen):
            seen.switched.pop(name, None)
            seen.switched[name] = who(name.startswith(_OF_ALL_THREADS))

    def write_of(self, failure: GuardFailure) -> Write:
        """Of the settings that a guard failed for, the line that switched the last, here."""
        seen: _Seen | None = getattr(self._here, "seen", None)
        wanted = {failure.kind, *(_NOTED_AS.get(name, name) for name in failure.fields)}
        switched = reversed(seen.switched.items()) if seen is not None else ()
        written = next((line for name, line in switched if name in wanted), None)
        if isinstance(written, tuple):
            return Write(failure.written, *written)
        return Write(failure.written, unknown=written or Reason(why=Why.NO_LINE_SEEN))

    def _changes(self, seen: _Seen) -> list[str]:
        changed: list[str] = []
        if seen.guard is not None and not seen.guard.check():
            changed += seen.guard.reason().split()
            seen.guard = self._new_guard()
        modes, device = self._modes(), self._current_device()
        if modes != seen.modes:
            changed.append(MODE_STACK)
        if device != seen.device:
            changed.append(DEFAULT_DEVICE)
        seen.modes, seen.device = modes, device
        return changed

    def _new_guard(self) -> Any:
        return self._guard() if self._guard is not None else None

    def _modes(self) -> tuple[int, ...]:
        depth = self._depth()
        if not depth or self._mode_at is None:
            return ()
        return tuple(id(self._mode_at(place)) for place in range(depth))

    def _current_device(self) -> object:
        return getattr(self._device, "CURRENT_DEVICE", None)
