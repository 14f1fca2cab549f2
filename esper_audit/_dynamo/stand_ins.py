"""What stands in for torch's functions, and leaves no frame of ours on the stack.

While code of torch, of a backend or of the user runs, only torch's own functions are on the
stack. Where a stand-in has to call what it stands in for, its docstring says why nothing can see
it.
"""

from __future__ import annotations

import functools
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import TYPE_CHECKING, Any

from esper_audit._dynamo import names
from esper_audit._dynamo.compiles import NOT_READ, Attempt
from esper_audit._dynamo.frameless import Calls, in_turn
from esper_audit._dynamo.patches import Taps
from esper_audit._dynamo.readings import outside

if TYPE_CHECKING:
    from esper_audit._dynamo.hooks import Hooks

    All = Taps[Hooks]


def attempts(original: Any, taps: All) -> Any:
    """For ``compile_context`` of torch/_dynamo/convert_frame.py: a compile begins and ends.

    ``ConvertFrameAssert.__call__`` enters it around ``_compile``. A context manager is on the
    stack while it is entered and left, not while the body runs. What else enters one gets torch's.
    """
    own = _module_of("attempt")

    @functools.wraps(original)
    def compile_context(*args: Any, **kwargs: Any) -> Any:
        context = original(*args, **kwargs)
        caller = _nearest(sys._getframe(1), own)
        told = taps.all and caller is not None and _is_attempt(caller)
        return _Attempts(context, taps.all, own) if told else context

    return compile_context


def _is_attempt(frame: FrameType) -> bool:
    code = frame.f_code
    return code.co_name == "__call__" and "frame_state" in code.co_varnames


class _Attempts:
    """Torch's context manager around one compile, and each recorder's part in it."""

    def __init__(self, context: Any, taps: tuple[Hooks, ...], own: Mapping[str, Any]) -> None:
        self._context, self._taps, self._own = context, taps, own
        self._begun: list[Attempt] = []

    def __enter__(self) -> Any:
        frame = _nearest(sys._getframe(1), self._own)
        assert frame is not None
        try:
            for tap in self._taps:
                attempt = tap.compiles.attempt()
                self._begun.append(attempt)
                attempt.begin(frame)
        except BaseException as error:  # a signal's: the body is never entered
            self._end(NOT_READ, error)
            raise
        return self._context.__enter__()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> Any:
        frame = _nearest(sys._getframe(1), self._own)
        try:
            self._end(_result_in(frame), error)
        except BaseException:
            self._context.__exit__(None, None, None)
            raise
        return self._context.__exit__(kind, error, trace)

    def _end(self, result: Any, error: BaseException | None) -> None:
        while self._begun:
            self._begun.pop().end(result, error)


def _result_in(frame: FrameType | None) -> Any:
    """What ``_compile`` gave; up to 2.8 ``ConvertFrameAssert.__call__`` puts it in no variable."""
    return NOT_READ if frame is None else frame.f_locals.get("result", NOT_READ)


def new_frames(original: Any, taps: All) -> Any:
    """For ``increment_frame``, which adds one to a number of torch's and calls nothing."""

    @functools.wraps(original)
    def increment_frame() -> Any:
        for tap in taps.all:
            tap.compiles.is_new()
        return original()

    return increment_frame


def returned_frames(original: Any, taps: All) -> Any:
    """For what torch decides of a frame that it does not compile.

    ``add_skip_reason`` is called last (2.13), and adds to a list: it calls nothing. Where there is
    none, ``CatchErrorsWrapper.__call__`` alone knows.
    """
    if original.__name__ == "__call__":
        return _returned_by_call(original, taps)
    own = _module_of("convert_frame")

    @functools.wraps(original)
    def add_skip_reason(reason: str, frame: Any) -> Any:
        # _handle_skip, and its caller: CatchErrorsWrapper.__call__
        handler = _nearest(sys._getframe(1), own) if taps.all else None
        if handler is not None and "result" in handler.f_locals:
            torchs = handler.f_back.f_locals if handler.f_back is not None else {}
            was_tried = not torchs.keys().isdisjoint(("result", "hijacked_callback"))
            for tap in taps.all:
                result = handler.f_locals["result"]
                tap.compiles.frame_returned(frame, result, outside(handler), was_tried)
        return original(reason, frame)

    return add_skip_reason


def _returned_by_call(original: Any, taps: All) -> Any:
    """Its frame bears torch's own file name, by which torch knows where its part of a stack ends.

    ``log_dynamo_start`` of torch/_dynamo/convert_frame.py goes by it, and in 2.13 what looks for a
    function that is disabled without what it calls.
    """

    def catch_errors(this: Any, frame: Any, *args: Any, **kwargs: Any) -> Any:
        told = [(tap.compiles, tap.compiles.set_latest(None)) for tap in taps.all]
        try:
            result = original(this, frame, *args, **kwargs)
            for compiles, _ in told:
                compiles.frame_returned(frame, result, outside(sys._getframe()))
            return result
        finally:
            for compiles, outer in told:
                compiles.set_latest(outer)

    own = original.__code__
    catch_errors.__code__ = catch_errors.__code__.replace(
        co_filename=own.co_filename, co_name=own.co_name, co_firstlineno=own.co_firstlineno
    )
    return functools.update_wrapper(catch_errors, original)


def graphs(original: Any, taps: All) -> Any:
    """For ``OutputGraph.install_global_unsafe``: puts a compiled graph where bytecode finds it.

    It calls nothing of the user's. What is put there is the graph with its runs counted, in C.
    """

    @functools.wraps(original)
    def install_global_unsafe(this: Any, name: str, value: Any) -> Any:
        if taps.all and sys._getframe(1).f_code.co_name == "compile_and_call_fx_graph":
            listening = [tap for tap in taps.all if tap.compiles.running is not None]
            if listening:
                runs = Calls()
                value = runs.of(value)
                for tap in listening:
                    tap.compiles.graph_installed(runs)
        return original(this, name, value)

    return install_global_unsafe


def refusals(original: Any, taps: All) -> Any:
    """For ``_debug_get_cache_entry_list``, a built-in that gives a list.

    ``fail_callback`` of torch/_dynamo/eval_frame.py asks for it before it raises (2.8 to 2.14).
    """

    @functools.wraps(original)
    def _debug_get_cache_entry_list(code: Any) -> Any:
        caller = sys._getframe(1)
        if caller.f_code.co_name == "fail_callback" and "frame" in caller.f_locals:
            for tap in taps.all:
                tap.compiles.refused(caller)
        return original(code)

    return _debug_get_cache_entry_list


def stances(original: Any, taps: All) -> Any:
    """For ``get_eval_frame_callback``, a built-in that ``_set_stance`` alone calls (2.13).

    ``_set_stance`` raises where the callback that it gets is another than None or False.
    """

    @functools.wraps(original)
    def get_eval_frame_callback() -> Any:
        callback = original()
        setter = sys._getframe(1)
        if setter.f_code.co_name == "_set_stance" and (callback is None or callback is False):
            for tap in taps.all:
                tap.stance_set(setter)
        return callback

    return get_eval_frame_callback


def entries(original: Any, taps: All) -> Any:
    """For ``_callback_from_stance``, which each call of a compiled function asks (2.8 to 2.14).

    There only while a stance is in force. It calls nothing of the user's, and is left before the
    function is called; ``disable`` asks with no callback.
    """

    @functools.wraps(original)
    def _callback_from_stance(callback: Any) -> Any:
        if callback is not None and callback is not False:
            for tap in taps.all:
                tap.entries.counter()
        return original(callback)

    return _callback_from_stance


def stores(original: Any, taps: All) -> Any:
    """For ``SideEffects.is_attribute_mutation``, a type check that ``store_attr`` begins with.

    Dynamo traces a write and repeats it after the graph, where it has no line any more.
    """

    @functools.wraps(original)
    def is_attribute_mutation(this: Any, item: Any) -> Any:
        caller = sys._getframe(1)
        if caller.f_code.co_name == "store_attr":
            for tap in taps.all:
                tap.stored(this, item, caller.f_locals["name"])
        return original(this, item)

    return is_attribute_mutation


def mutations(original: Any, taps: All) -> Any:
    """For ``is_side_effect_safe`` of torch/_dynamo/side_effects.py, which compares two numbers.

    ``SideEffects.mutation``, for entries of containers, asks it by ``check_allowed_side_effect``.
    """

    @functools.wraps(original)
    def is_side_effect_safe(kind: Any) -> Any:
        check = sys._getframe(1)
        writer = check.f_back if check.f_code.co_name == "check_allowed_side_effect" else None
        if writer is not None and writer.f_code.co_name == "mutation":
            for tap in taps.all:
                tap.stored(check.f_locals["self"], check.f_locals["item"])
        return original(kind)

    return is_side_effect_safe


def metrics(original: Any, taps: All) -> Any:
    """For ``log_compilation_event``, which hands torch's figures of a compile to a logger."""

    def told(figures: Any) -> Any:
        for tap in taps.all:
            tap.figures_known(figures)
        return figures

    return functools.update_wrapper(in_turn(told, original), original)


def stages(original: Any, taps: All) -> Any:
    """For ``record_chromium_event_internal``, which is told of each stage and does nothing (2.14).

    It is called in the thread that compiles, as a stage begins and as it ends.
    """

    def told(event: Any) -> Any:
        for tap in taps.all:
            tap.stage_told(event)
        return event

    return functools.update_wrapper(in_turn(told, original), original)


def guards_made(original: Any, taps: All) -> Any:
    """For ``guard_manager_testing_hook_fn``: torch's place for a hook, which is None.

    Where others have set one it is called from here: a frame of ours is below it, and none of
    torch's own looks at the stack there.
    """

    def guard_manager_testing_hook(manager: Any, *rest: Any) -> Any:
        # Its caller, CheckFunctionManager.__init__, holds the graph in every version; the builder
        # that 2.13 passes holds it too, 2.8 passes none.
        caller = sys._getframe(1).f_locals if taps.all else {}
        for tap in taps.all:
            tap.compiles.guards_made(manager, caller.get("self"), caller.get("output_graph"))
        return original(manager, *rest) if original is not None else None

    return guard_manager_testing_hook


def callbacks(original: Any, taps: All) -> Any:
    """For ``install_callbacks``: the time of a CUDA-graph recording, the only one that we wrap.

    Around any other compile torch enters its own context manager.
    """

    @functools.wraps(original)
    def install_callbacks(this: Any, trigger: Any, compile_id: str) -> Any:
        context = original(this, trigger, compile_id)
        if not taps.all or getattr(trigger, "name", "") != "CUDAGRAPH_RECORDING":
            return context
        return _timed(context, compile_id, taps)

    return install_callbacks


@contextmanager
def _timed(context: Any, compile_id: str, taps: All) -> Iterator[None]:
    started = time.perf_counter()
    with context:
        yield
    for tap in taps.all:
        tap.recorded_on_device(compile_id, started, time.perf_counter() - started)


def _module_of(key: str) -> Mapping[str, Any]:
    place = names.module_of(key)
    return vars(place) if place is not None else {}


def _nearest(frame: FrameType | None, own: Mapping[str, Any]) -> FrameType | None:
    """The nearest frame of a module's code, outwards, past stand-ins of others."""
    while frame is not None and frame.f_globals is not own:
        frame = frame.f_back
    return frame
