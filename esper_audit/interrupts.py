"""Signals that end a program, and those that come at a bad moment."""

from __future__ import annotations

import os
import threading

_LATER_SECONDS = 0.002

UNCAUGHT = KeyboardInterrupt()
"""Of a program that Ctrl-C has ended: not for us to catch."""


def again(number: int) -> None:
    """Send this process a signal once more, a moment later."""
    threading.Timer(_LATER_SECONDS, os.kill, (os.getpid(), number)).start()
