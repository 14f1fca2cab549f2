"""Marks that a program sets for whoever records it; they cost nothing where nobody does."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from esper_audit.data.recording import Recording


class MarkListener(Protocol):
    """Who hears of marks."""

    def mark_step(self, label: str) -> None: ...
    def mark_steady(self) -> None: ...


@runtime_checkable
class Records(Protocol):
    """Who keeps what it hears."""

    def recording(self) -> Recording: ...


_listeners: list[MarkListener] = []


def listen(listener: MarkListener) -> None:
    """Tell this listener of marks from now on."""
    _listeners.append(listener)


def forget(listener: MarkListener) -> None:
    """Tell it no longer."""
    if listener in _listeners:
        _listeners.remove(listener)


def latest() -> Records | None:
    """Who began to record last, and still does."""
    found = [listener for listener in _listeners if isinstance(listener, Records)]
    return found[-1] if found else None


def step(label: str = "") -> None:
    """Name the step that begins here: what is recorded until the next one belongs to it.

    Call it outside compiled code. Does nothing where nothing records.
    """
    for listener in _listeners:
        listener.mark_step(label)


def steady_state() -> None:
    """Say that warm-up is over: from here on, no compile is expected.

    Call it outside compiled code. Only the first call counts; nothing happens where nothing
    records.
    """
    for listener in _listeners:
        listener.mark_steady()
