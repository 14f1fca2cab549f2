"""When in a recording something happened, as far as the program said."""

from __future__ import annotations

from esper_audit.data.compiles import Compile, SkippedFrame
from esper_audit.data.findings import Since


def since(event: Compile | SkippedFrame) -> Since:
    """When in the recording something happened, as far as the program said."""
    if event.label:
        return Since(label=event.label, seconds=event.at)
    return Since(step=event.step) if event.step is not None else Since(seconds=event.at)
