"""Which of torch's log records are for readers. Imports nothing: every pytest session asks."""

from __future__ import annotations

import logging

TRACE = "torch.__trace"
"""The structured trace log (torch/_logging/_internal.py, 2.8 to 2.14)."""


def has_text(record: logging.LogRecord) -> bool:
    """Whether a record says anything to a reader: those of the trace log hold metadata alone."""
    return record.name != TRACE
