"""Torch's own objects, read into what the hooks tell."""

from __future__ import annotations

from collections.abc import Mapping
from types import FrameType
from typing import Any

from esper_audit._dynamo import files, frames, names
from esper_audit._dynamo.failures import Failure, read_failure, stopped_at
from esper_audit._dynamo.made_guards import Made, UserLines
from esper_audit.data.clock import moment_of
from esper_audit.data.compiles import GraphBreak, RunsAfter
from esper_audit.data.numbers import still_left
from esper_audit.data.places import Location
from esper_audit.data.signals import Begin, Code, End, Stages
from esper_audit.torch_text.breaks import is_on_purpose, read_break
from esper_audit.torch_text.reasons import ACCUMULATED, EACH

_DYNAMOS_OWN = "torch/_dynamo/"


def made(maker: Any, graph: Any) -> Made:
    """What is known of a cache entry's guards as they are made.

    ``maker`` is torch's CheckFunctionManager, which keeps weak references to what its guards name
    by id until it is done (``id_ref`` of torch/_dynamo/guards.py, 2.8 to 2.14).
    """
    objects = getattr(maker, "_weakrefs", None)
    return Made(_user_lines(graph), dict(objects) if isinstance(objects, dict) else {})


def _user_lines(graph: Any) -> UserLines:
    lines: UserLines = {}
    for guard in graph.guards if graph is not None else ():
        if guard.user_stack:
            last = guard.user_stack[-1]
            name = guard.name if isinstance(guard.name, str) else guard.name()
            lines[name] = Location(last.filename, last.lineno or 0, last.name)
    return lines


def plain_code(code: Any, f_locals: Mapping[str, Any]) -> Code:
    module = frames.wrapped_callable(code, f_locals)
    return Code(code.co_qualname, code.co_filename, code.co_firstlineno, module)


def traced_line() -> Location | None:
    """The user's line that Dynamo traces now."""
    tracing = names.find("tracing")
    stack = tracing.extract_stack() if tracing is not None else ()
    return _innermost([frame for frame in stack if files.is_user_file(frame.filename)] or stack)


def backend_of(compiler_fn: Any) -> Any:
    innermost = names.find("innermost_backend")
    return None if innermost is None else innermost(compiler_fn)


def call_of(frame: FrameType) -> dict[str, Any]:
    """Of a frame of ``ConvertFrameAssert.__call__``: the call that found no cache entry.

    Its local names are the same in torch 2.8, 2.13 and 2.14 but for the backend's, and for
    ``cache_entries_for_reasons``, the entries of the region that is compiled (2.13).
    """
    torchs = frame.f_locals
    this = torchs["self"]
    backend = getattr(this, "_torchdynamo_orig_backend", None)
    call = _called(torchs["frame"], backend or getattr(this, "_torchdynamo_orig_callable", None))
    call["entries"] = torchs.get("cache_entries_for_reasons")
    call["recompile_limit"] = getattr(this, "_recompile_limit", None)
    for name in ("cache_size", "compile_id"):
        if name in torchs:
            call[name] = torchs[name]
    return call


def refused_call(frame: FrameType) -> dict[str, Any]:
    """Of a frame of ``fail_callback``: the call that found no cache entry."""
    return _called(frame.f_locals["frame"], frame.f_locals.get("callback"))


def _called(frame: Any, compiler_fn: Any) -> dict[str, Any]:
    return {
        "frame": frame,
        "code": frame.f_code,
        "locals": frame.f_locals,
        "closure": getattr(frame, "closure", ()),
        "compiler_fn": compiler_fn,
    }


def entries_of(call: Mapping[str, Any]) -> Any:
    """The cache entries that the call found not to match."""
    if call.get("entries") is not None:
        return call["entries"]
    list_entries = names.find("cache_entries")
    code = call.get("code")
    return list_entries(code) if list_entries is not None and code is not None else []


def outside(frame: FrameType | None) -> FrameType | None:
    """The nearest frame outside the module that this one's code is of: who called it."""
    own = frame.f_globals if frame is not None else None
    while frame is not None and frame.f_globals is own:
        frame = frame.f_back
    return frame


def compiles_left(call: Mapping[str, Any], entries: Any) -> tuple[int | None, int | None]:
    """Compiles left until each limit, after this one (torch/_dynamo/cache_size.py)."""
    config, cache_size = names.find("config"), call.get("cache_size")
    if config is None or cache_size is None:
        return None, None
    same = cache_size.num_cache_entries_with_same_id_matched_objs
    every = getattr(cache_size, "total_cache_entries_all_regions", len(entries))
    limit = call.get("recompile_limit")  # torch.compile(recompile_limit=), 2.13
    return (
        still_left(config.recompile_limit if limit is None else limit, same + 1),
        still_left(config.accumulated_recompile_limit, max(every, len(entries)) + 1),
    )


def is_dynamic() -> bool:
    """Whether each size is symbolic from the first compile on: dynamic=True, while it compiles."""
    # torch.compile(dynamic=True) sets it around each call (_dynamo/eval_frame.py, 2.8 to 2.14).
    return not getattr(names.find("config"), "assume_static_by_default", True)


def graph_breaks_since(before: int, begin: Begin | None) -> tuple[GraphBreak, ...]:
    # Dynamo clears the list on a reset; a shorter list than before holds only new ones.
    reasons = names.find("graph_breaks") or []
    compile_id = begin.compile_id if begin is not None else ""
    new = reasons[before:] if len(reasons) >= before else reasons
    return tuple(_graph_break(reason, compile_id) for reason in new)


def _graph_break(reason: Any, compile_id: str) -> GraphBreak:
    stack, said = list(reason.user_stack or ()), read_break(str(reason.reason))
    # Dynamo wraps what is compiled, and traces functions of its own in place of some calls.
    traced = [frame for frame in stack if _DYNAMOS_OWN not in frame.filename]
    place = _innermost(traced)
    in_library = place is not None and files.is_library_file(place.file)
    in_torch = place is not None and files.is_torch_file(place.file)
    return GraphBreak(
        reason=str(reason.reason),
        location=place,
        compile_id=compile_id,
        kind=said.kind,
        explanation=said.explanation,
        hints=said.hints,
        context=said.context,
        called=said.called,
        in_library=in_library,
        on_purpose=in_torch and is_on_purpose(said.kind),
        called_from=stopped_at(stack) if in_library else None,
    )


def _innermost(stack: Any) -> Location | None:
    if not stack:
        return None
    return Location(stack[-1].filename, stack[-1].lineno or 0, stack[-1].name)


def end_of(
    result: Any,
    error: BaseException | None,
    breaks: tuple[GraphBreak, ...],
    seconds: float,
    begin: Begin | None = None,
) -> End:
    compiled = getattr(result, "guarded_code", None) is not None
    reason = str(getattr(result, "skip_reason", None) or "")
    failure = read_failure(error) if error is not None else Failure("")
    if error is not None:
        reason = failure.reason
    elif not compiled and not reason:
        reason = "no tensor operation was traced"
    return End(
        compiled=compiled,
        limit=_limit(error, begin) if error is not None and _is_limit(error) else "",
        failed=error is not None,
        reason=reason,
        graph_breaks=breaks,
        seconds=seconds,
        refused_by=_refused_by(error),
        unsupported=_is_unsupported(error),
        detail=failure.detail,
        hints=failure.hints,
        stopped_at=failure.stopped_at,
    )


def _is_unsupported(error: BaseException | None) -> bool:
    """Code that Dynamo can't trace, for which torch gives a frame up without an error.

    ``ConvertFrame.__call__`` of torch/_dynamo/convert_frame.py calls it a soft failure (2.13).
    """
    kinds = [kind.__name__ for kind in type(error).__mro__] if error is not None else []
    return "Unsupported" in kinds or "UserError" in kinds


def _is_limit(error: BaseException) -> bool:
    """2.13 marks the exception's strategy; older versions and fullgraph have own classes."""
    if type(error).__name__ in ("FailOnRecompileLimitHit", "RecompileLimitExceeded"):
        return True
    strategy = getattr(error, "frame_exec_strategy", None)
    return strategy is not None and strategy.cur_action.name == "RUN_ONLY"


def _limit(error: BaseException, begin: Begin | None) -> str:
    """Which limit was hit: torch says so in the error, or in the one that it was raised from.

    ``_compile`` in torch/_dynamo/convert_frame.py; 2.13 has it in the text of ``Unsupported``.
    """
    text = f"{error} {error.__cause__ or ''}"
    if ACCUMULATED in text:
        return ACCUMULATED
    if EACH not in text and begin is not None:
        own, every = begin.recompiles_left, begin.accumulated_recompiles_left
        return ACCUMULATED if own and every == 0 else EACH
    return EACH


def _refused_by(error: BaseException | None) -> str:
    """What told torch to raise: errors of torch/_dynamo/exc.py, 2.8 to 2.14."""
    kind = type(error).__name__
    if kind == "RecompileError":
        return "error_on_recompile"
    if kind == "FailOnRecompileLimitHit":
        setting = "fail_on_recompile_limit_hit"
        return setting if setting in str(error) else "fullgraph"
    return ""


def runs_after(result: Any) -> RunsAfter:
    """What later calls of the same code object do (ConvertFrameReturn, torch/_dynamo/types.py)."""
    if not getattr(result, "apply_to_code", False):
        return RunsAfter.COMPILE
    action = result.frame_exec_strategy.cur_action.name
    return {"SKIP": RunsAfter.EAGER, "RUN_ONLY": RunsAfter.CACHED_ONLY}.get(
        action, RunsAfter.COMPILE
    )


def stages_of(metrics: Any) -> Stages:
    def seconds(field: str) -> float | None:
        micros = getattr(metrics, field, None)
        return None if micros is None else micros / 1e6

    total, began = seconds("dynamo_cumulative_compile_time_us"), seconds("start_time_us")
    aot = seconds("aot_autograd_cumulative_compile_time_us")
    backend = seconds("inductor_cumulative_compile_time_us")
    return Stages(
        compile_id=str(metrics.compile_id),
        backward=metrics.is_forward is False,
        total=total if metrics.is_forward is not False else seconds("duration_us"),
        dynamo=_minus(total, aot),
        aot_autograd=_minus(aot, backend),
        backend=backend,
        guard_count=metrics.guard_count,
        guard_latency_us=metrics.guard_latency_us,
        graph_ops=metrics.graph_op_count,
        restarts=tuple(sorted(map(str, metrics.restart_reasons or ()))),
        torch_reason=str(metrics.recompile_reason or ""),
        began=None if began is None else moment_of(began),
    )


def _minus(whole: float | None, part: float | None) -> float | None:
    """Torch's times are cumulative: each stage holds the next one's."""
    return None if whole is None else max(0.0, whole - (part or 0.0))
