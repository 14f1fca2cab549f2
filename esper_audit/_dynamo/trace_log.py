"""The structured trace log as a stand-in for ``_compile``: counts and torch's reasons, no values.

Adding a handler is the switch. See :mod:`esper_audit.torch_text.trace_records`.
"""

from __future__ import annotations

import logging
import threading
import traceback
from dataclasses import replace
from typing import Any

from esper_audit._dynamo import frames, names
from esper_audit.data.signals import Listener
from esper_audit.torch_text.trace_records import begin_of, end_of, reasons_of


class TraceLog(logging.Handler):
    """Tells a listener of compiles that torch logs; ``install`` and ``remove`` switch it."""

    def __init__(self, listener: Listener) -> None:
        super().__init__(logging.DEBUG)
        self._listener = listener
        self._reasons: list[str] = []
        self._logger: logging.Logger | None = None

    def install(self) -> None:
        """Start listening; does nothing where this torch has no trace log either."""
        self._logger = names.find("trace_logger")
        if self._logger is not None:
            self._logger.addHandler(self)

    def remove(self) -> None:
        """Stop listening."""
        if self._logger is not None:
            self._logger.removeHandler(self)
            self._logger = None

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self._take(getattr(record, "metadata", {}), getattr(record, "payload", None))
        except Exception:
            self._listener.hook_failed("trace_log", traceback.format_exc())

    def _take(self, metadata: dict[str, Any], payload: Any) -> None:
        if metadata.get("artifact", {}).get("name") == "recompile_reasons":
            self._reasons = reasons_of(payload)
        elif "compilation_metrics" in metadata:
            self._compiled(metadata["compilation_metrics"])

    def _compiled(self, metrics: dict[str, Any]) -> None:
        reasons, self._reasons = self._reasons, []
        begin = replace(
            begin_of(metrics, reasons),
            stack=frames.user_stack(None),
            thread=threading.current_thread().name,
        )
        token = self._listener.compile_began(begin)
        self._listener.compile_ended(token, end_of(metrics))
