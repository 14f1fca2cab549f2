"""The metrics of a compile that are kept: what somebody asks for, of some hundred fields.

They are those of ``CompilationMetrics`` in ``torch/_dynamo/utils.py``, of 2.6 to 2.15; each version
has some of them.
"""

from __future__ import annotations

from typing import Any

from msgspec import UNSET, Struct, to_builtins


class Metrics(Struct):
    """As torch writes them: nothing is known of their types."""

    compile_id: Any = UNSET
    co_name: Any = UNSET
    co_filename: Any = UNSET
    co_firstlineno: Any = UNSET
    cache_size: Any = UNSET
    accumulated_cache_size: Any = UNSET
    guard_count: Any = UNSET
    graph_op_count: Any = UNSET
    start_time: Any = UNSET
    start_time_us: Any = UNSET
    duration_us: Any = UNSET
    entire_frame_compile_time_s: Any = UNSET
    fail_type: Any = UNSET
    fail_reason: Any = UNSET
    fail_user_frame_filename: Any = UNSET
    fail_user_frame_lineno: Any = UNSET
    restart_reasons: Any = UNSET
    has_guarded_code: Any = UNSET
    guard_latency_us: Any = UNSET
    dynamo_config: Any = UNSET
    pytorch_version: Any = UNSET
    python_version: Any = UNSET
    dynamo_cumulative_compile_time_us: Any = UNSET
    aot_autograd_cumulative_compile_time_us: Any = UNSET
    inductor_cumulative_compile_time_us: Any = UNSET
    recompile_user_contexts: Any = UNSET
    is_forward: Any = UNSET
    cudagraph_skip_reason: Any = UNSET
    runtime_cudagraphify_time_us: Any = UNSET


def kept(record: Metrics) -> dict[str, Any]:
    """The fields that are there and say anything."""
    there = to_builtins(record).items()
    return {name: value for name, value in there if value is not None and name != "compile_id"}
