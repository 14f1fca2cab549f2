"""The structured trace log as a stand-in for ``_compile``: counts and torch's reasons, no values.

Torch writes one ``compilation_metrics`` record a compile and one ``recompile_reasons`` artifact a
recompile (torch/_dynamo/utils.py and guards.py, 2.8 to 2.14). Adding a handler is the switch.
"""

from __future__ import annotations

import json
import logging
import threading
import traceback
from typing import Any

from esper_audit._dynamo import describe, names
from esper_audit._dynamo.guard_text import body_of, location_in
from esper_audit._dynamo.readings import ACCUMULATED, EACH
from esper_audit._dynamo.signals import Begin, Code, End, Listener
from esper_audit.events import GuardFailure


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
            text = str(payload)  # one reason is written as it is, several as a JSON list
            self._reasons = json.loads(text) if text.startswith("[") else [text]
        elif "compilation_metrics" in metadata:
            self._compiled(metadata["compilation_metrics"])

    def _compiled(self, metrics: dict[str, Any]) -> None:
        reasons, self._reasons = self._reasons, []
        token = self._listener.compile_began(
            Begin(
                code=_code(metrics),
                compile_id=str(metrics.get("compile_id")),
                cache_entries=int(metrics.get("cache_size") or 0),
                recompiles_left=None,
                accumulated_recompiles_left=None,
                guard_failures=tuple(map(_failure, reasons)),
                stack=describe.user_stack(None),
                instance="",
                thread=threading.current_thread().name,
            )
        )
        self._listener.compile_ended(token, _end(metrics))


def _code(metrics: dict[str, Any]) -> Code:
    line = int(metrics.get("co_firstlineno") or 0)
    return Code(str(metrics.get("co_name")), str(metrics.get("co_filename")), line)


def _end(metrics: dict[str, Any]) -> End:
    failure = metrics.get("fail_reason") or ""
    # has_guarded_code is True for frames in which nothing was traced, too (2.13).
    traced = bool(metrics.get("has_guarded_code")) and bool(metrics.get("graph_op_count"))
    return End(
        compiled=not failure and traced,
        limit=_limit(failure),
        failed=bool(failure),
        reason=failure or ("" if traced else "no tensor operation was traced"),
        graph_breaks=(),
        seconds=float(metrics.get("entire_frame_compile_time_s") or 0.0),
    )


def _limit(failure: str) -> str:
    """The names before 2.6 (``cache_size_limit``) are in a long text of 2.13, too."""
    for name in (ACCUMULATED, EACH):
        if name in failure or name.replace("recompile", "cache_size") in failure:
            return name
    return ""


def _failure(reason: str) -> GuardFailure:
    entry, _, text = reason.partition(": ")
    return GuardFailure(
        cache_entry=entry,
        kind="TORCH_REASON",
        source=body_of(text),
        expected="True",
        actual="False",
        text=reason,
        user_line=location_in(text),
    )
