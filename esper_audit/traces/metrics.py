"""The metrics of a compile that are kept: what somebody asks for, of some hundred fields.

They are those of ``CompilationMetrics`` in ``torch/_dynamo/utils.py``, of 2.6 to 2.15; each version
has some of them.
"""

from __future__ import annotations

from typing import Any

from msgspec import UNSET, Struct


class Metrics(Struct):
    """As torch writes them: nothing is known of their types."""

    compile_id: Any = UNSET
    co_name: Any = UNSET
    co_filename: Any = UNSET
    co_firstlineno: Any = UNSET
    cache_size: Any = UNSET
    accumulated_cache_size: Any = UNSET
    guard_count: Any = UNSET
    shape_env_guard_count: Any = UNSET
    graph_op_count: Any = UNSET
    graph_node_count: Any = UNSET
    graph_input_count: Any = UNSET
    start_time: Any = UNSET
    start_time_us: Any = UNSET
    end_time_us: Any = UNSET
    duration_us: Any = UNSET
    entire_frame_compile_time_s: Any = UNSET
    backend_compile_time_s: Any = UNSET
    inductor_compile_time_s: Any = UNSET
    code_gen_time_s: Any = UNSET
    fail_type: Any = UNSET
    fail_reason: Any = UNSET
    fail_user_frame_filename: Any = UNSET
    fail_user_frame_lineno: Any = UNSET
    restart_reasons: Any = UNSET
    dynamo_time_before_restart_s: Any = UNSET
    has_guarded_code: Any = UNSET
    guard_latency_us: Any = UNSET
    recompile_reason: Any = UNSET
    num_graph_breaks: Any = UNSET
    dynamo_config: Any = UNSET
    compiler_config: Any = UNSET
    pytorch_version: Any = UNSET
    python_version: Any = UNSET
    config_suppress_errors: Any = UNSET
    config_inline_inbuilt_nn_modules: Any = UNSET
    dynamo_cumulative_compile_time_us: Any = UNSET
    aot_autograd_cumulative_compile_time_us: Any = UNSET
    inductor_cumulative_compile_time_us: Any = UNSET
    inductor_code_gen_cumulative_compile_time_us: Any = UNSET
    triton_compile_time_us: Any = UNSET
    backward_cumulative_compile_time_us: Any = UNSET
    recompile_user_contexts: Any = UNSET
    is_forward: Any = UNSET
    is_runtime: Any = UNSET
    cudagraph_skip_reason: Any = UNSET
    structured_logging_overhead_s: Any = UNSET
    runtime_cudagraphify_time_us: Any = UNSET
    runtime_triton_autotune_time_us: Any = UNSET
    gc_time_us: Any = UNSET
    inductor_fx_local_cache_hit_count: Any = UNSET
    inductor_fx_local_cache_miss_count: Any = UNSET
    inductor_fx_remote_cache_hit_count: Any = UNSET
    inductor_fx_remote_cache_miss_count: Any = UNSET
    aotautograd_local_cache_hit_count: Any = UNSET
    aotautograd_local_cache_miss_count: Any = UNSET
    aotautograd_remote_cache_hit_count: Any = UNSET
    aotautograd_remote_cache_miss_count: Any = UNSET
    cuda_version: Any = UNSET
    triton_version: Any = UNSET
    elapsed_time: Any = UNSET


KEPT = tuple(name for name in Metrics.__struct_fields__ if name != "compile_id")
"""The fields of ``LoggedCompile.metrics``."""


def kept(record: Metrics) -> dict[str, Any]:
    """The fields that are there and say anything."""
    held = ((name, getattr(record, name)) for name in KEPT)
    return {name: value for name, value in held if value is not UNSET and value is not None}
