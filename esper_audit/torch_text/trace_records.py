"""Records of torch's structured trace log, read as what the hooks tell: one compile each.

Torch writes one ``compilation_metrics`` record a compile and one ``recompile_reasons`` artifact a
recompile (torch/_dynamo/utils.py and guards.py, 2.8 to 2.14).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from esper_audit.data.compiles import GuardFailure
from esper_audit.data.signals import Begin, Code, End
from esper_audit.torch_text.guard_text import body_of, location_in
from esper_audit.torch_text.reasons import limit_in


def reasons_of(payload: object) -> list[str]:
    """A ``recompile_reasons`` payload: one reason is written as it is, several as a JSON list."""
    text = str(payload)
    return [str(reason) for reason in json.loads(text)] if text.startswith("[") else [text]


def begin_of(metrics: Mapping[str, Any], reasons: Sequence[str]) -> Begin:
    """What is known of a compile's beginning; stack, instance and thread are in no record."""
    line = int(metrics.get("co_firstlineno") or 0)
    return Begin(
        code=Code(str(metrics.get("co_name")), str(metrics.get("co_filename")), line),
        compile_id=str(metrics.get("compile_id")),
        cache_entries=int(metrics.get("cache_size") or 0),
        recompiles_left=None,
        accumulated_recompiles_left=None,
        guard_failures=tuple(map(_failure, reasons)),
        stack=(),
        instance="",
        thread="",
    )


def end_of(metrics: Mapping[str, Any]) -> End:
    """How the compile ended, and in how many seconds."""
    failure = metrics.get("fail_reason") or ""
    # has_guarded_code is True for frames in which nothing was traced, too (2.13).
    traced = bool(metrics.get("has_guarded_code")) and bool(metrics.get("graph_op_count"))
    return End(
        compiled=not failure and traced,
        limit=limit_in(failure),
        failed=bool(failure),
        reason=failure or ("" if traced else "no tensor operation was traced"),
        graph_breaks=(),
        seconds=float(metrics.get("entire_frame_compile_time_s") or 0.0),
    )


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
