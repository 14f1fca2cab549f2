"""Hooks in torch, installed and removed as one, that tell a listener what Dynamo does.

One source of compile events: ``convert_frame._compile``, which Dynamo calls through its module's
global for every attempt (first, again, at the limit, nested, in any thread). The other hooks add
to it. None changes a result, none raises: an error of a hook goes to ``listener.hook_failed``.
"""

from __future__ import annotations

import functools
import inspect
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from types import FrameType
from typing import Any
from weakref import WeakKeyDictionary

from esper_audit._dynamo import describe, names, readings
from esper_audit._dynamo.guards import Lookup, UserLines, failing_guards
from esper_audit._dynamo.lookups import LookupHook
from esper_audit._dynamo.signals import Begin, Listener, Returned
from esper_audit._dynamo.watch import Watch
from esper_audit.events import GuardFailure, Write

_ORDER = threading.RLock()
_INSTALLED: list[Hooks] = []
"""Hooks in place, in the order of their coming: each wraps what it found."""


class Hooks:
    """All hooks of one recorder. ``watch`` looks for who writes the state that guards read."""

    def __init__(self, listener: Listener, watch: Watch | None = None) -> None:
        self._listener = listener
        self._watch = watch
        self._undo: list[Callable[[], None]] = []
        # By guard manager, and no longer than it lives: torch frees those of dropped entries.
        self._user_lines: WeakKeyDictionary[Any, UserLines] = WeakKeyDictionary()
        self._last_token = threading.local()
        self.lookups = LookupHook()

    @property
    def _token(self) -> object:
        """What the listener gave for the compile that this thread makes now."""
        return getattr(self._last_token, "value", None)

    def install(self) -> None:
        """Put all hooks in place; where one can't be, none stays."""
        with _ORDER:
            self._put_in()
            if self._watch is not None:
                self._watch.start()
            _INSTALLED.append(self)

    def remove(self) -> None:
        """Put everything back as it was, also where hooks that came later are still in place."""
        with _ORDER:
            if self not in _INSTALLED:
                return
            if self._watch is not None:
                self._watch.stop()
            place = _INSTALLED.index(self)
            later = _INSTALLED[place + 1 :]
            for hooks in (*reversed(later), self):
                hooks._take_out()
            for hooks in later:
                hooks._put_in()
            del _INSTALLED[place]

    def _put_in(self) -> None:
        try:
            self._patch("compile", self._around_compile)
            self._patch("graph_compile", self._around_graph_compile)
            self._patch("stance", self._around_stance)
            self._patch("convert_frame", self._around_convert_frame)
            self._patch("metrics", self._around_metrics)
            self._patch("guards_made", self._around_guards_made)
            self._patch("callbacks", self._around_callbacks)
            self.lookups.install()
            self._undo.append(self.lookups.remove)
            if self._watch is not None:
                self._patch("store_attr", self._around_store_attr)
        except BaseException:
            self._take_out()
            raise

    def _take_out(self) -> None:
        while self._undo:
            self._undo.pop()()

    def _patch(self, key: str, wrap: Callable[[Any], Any]) -> None:
        place = names.owner_of(key)
        if place is None:
            return
        owner, attribute = place
        original = vars(owner)[attribute]
        setattr(owner, attribute, wrap(original))
        self._undo.append(lambda: setattr(owner, attribute, original))

    @contextmanager
    def _contained(self, hook: str) -> Iterator[None]:
        try:
            yield
        except Exception:
            self._listener.hook_failed(hook, traceback.format_exc())

    def _around_compile(self, original: Callable[..., Any]) -> Callable[..., Any]:
        signature = inspect.signature(original)
        skips = "skip" in signature.parameters

        @functools.wraps(original)
        def compile_(*args: Any, **kwargs: Any) -> Any:
            begin = token = call = None
            breaks_before = 0
            with self._contained("compile"):
                call = signature.bind(*args, **kwargs).arguments
                begin = self._begin(call)
            with self._contained("compile"):
                token = self._listener.compile_began(begin)
                self._last_token.value = token
                breaks_before = len(names.find("graph_breaks") or ())
                if skips and "skip" in kwargs:
                    kwargs["skip"] += 1  # this wrapper is one more frame on torch's logged stack
            started = time.perf_counter()
            result = error = None
            try:
                with self._paused(call):
                    result = original(*args, **kwargs)
                return result
            except BaseException as raised:
                error = raised
                raise
            finally:
                seconds = time.perf_counter() - started
                with self._contained("compile"):
                    breaks = readings.graph_breaks_since(breaks_before, begin)
                    end = readings.end_of(result, error, breaks, seconds, begin)
                    self._listener.compile_ended(token, end)
                    if self._watch is not None and call is not None:
                        self._watch.add(call, getattr(result, "guarded_code", None))
                self._last_token.value = token  # a nested compile has put its own there
                error = None  # a reference cycle would keep the user's frames alive

        return compile_

    def _paused(self, call: dict[str, Any] | None) -> AbstractContextManager[None]:
        if self._watch is None:
            return nullcontext()
        return self._watch.compiling(call["code"] if call is not None else None)

    def _begin(self, arguments: dict[str, Any]) -> Begin:
        code, frame = arguments["code"], arguments.get("frame")
        f_locals = frame.f_locals if frame is not None else arguments.get("locals", {})
        # Those of the region that is compiled (torch.compile(isolate_recompiles=True), 2.13).
        entries = arguments.get("cache_entries_for_reasons")
        if entries is None:
            list_entries = names.find("cache_entries")
            entries = list_entries(code) if list_entries is not None else []
        self.lookups.ensure()
        left, accumulated_left = readings.compiles_left(arguments["cache_size"], len(entries))
        failures = self._failures(entries, f_locals, arguments["compiler_fn"], code)
        return Begin(
            code=readings.plain_code(code, f_locals),
            compile_id=str(arguments["compile_id"]),
            cache_entries=len(entries),
            recompiles_left=left,
            accumulated_recompiles_left=accumulated_left,
            guard_failures=failures,
            stack=describe.user_stack(sys._getframe(2)),
            instance=describe.instance(f_locals, code),
            thread=threading.current_thread().name,
            writes=self._writes(arguments, failures),
        )

    def _writes(
        self, arguments: dict[str, Any], failures: tuple[GuardFailure, ...]
    ) -> tuple[Write, ...]:
        with self._contained("watch"):
            if self._watch is not None:
                return self._watch.writes(arguments, failures, sys._getframe(3))
        return ()

    def _failures(
        self, entries: Any, f_locals: dict[str, Any], compiler_fn: Any, code: Any
    ) -> tuple[GuardFailure, ...]:
        """Contained on its own: a recompile is one even where its guards can't be read."""
        with self._contained("guards"):
            own = not describe.is_torch_file(code.co_filename)
            lookup = Lookup(
                backend=readings.backend_of(compiler_fn),
                forced=self.lookups.was_forced(),
                captured=code.co_freevars if own else (),
                file=code.co_filename,
            )
            return failing_guards(entries, f_locals, lookup, self._user_lines)
        return ()

    def _around_graph_compile(self, original: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(original)
        def call_user_compiler(this: Any, *args: Any, **kwargs: Any) -> Any:
            token = self._token  # a backend may call compiled functions of its own
            compiled = original(this, *args, **kwargs)
            with self._contained("graph_compile"):
                # A package saves the compiled function itself: it must stay as it is.
                if token is not None and getattr(this, "package", None) is None:
                    runs = self._listener.graph_made(token)
                    return readings.counted(compiled, runs)
            return compiled

        return call_user_compiler

    def _around_store_attr(self, original: Callable[..., Any]) -> Callable[..., Any]:
        """Dynamo traces a write and repeats it after the graph, where it has no line any more."""

        @functools.wraps(original)
        def store_attr(this: Any, item: Any, name: str, *args: Any, **kwargs: Any) -> Any:
            result = original(this, item, name, *args, **kwargs)
            with self._contained("store_attr"):
                if self._watch is not None:
                    self._watch.stored(readings.stored_source(item, name), readings.traced_line())
            return result

        return store_attr

    def _around_stance(self, original: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(original)
        def set_stance(stance: Any) -> Any:
            before = original(stance)
            with self._contained("stance"):
                stack = describe.user_stack(sys._getframe(1))
                self._listener.stance_set(stance.stance, stack[-1] if stack else None)
            return before

        return set_stance

    def _around_convert_frame(self, original: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(original)
        def convert_frame(this: Any, frame: Any, *args: Any, **kwargs: Any) -> Any:
            outer, self._last_token.value = self._token, None
            try:
                result = original(this, frame, *args, **kwargs)
                with self._contained("convert_frame"):
                    self._frame_returned(frame, result, sys._getframe(1))
                return result
            finally:
                self._last_token.value = outer

        return convert_frame

    def _frame_returned(self, frame: Any, result: Any, caller: FrameType) -> None:
        token, code = self._token, frame.f_code
        after = readings.runs_after(result)
        reason = str(getattr(result, "skip_reason", None) or "")
        if token is None and describe.is_library_file(code.co_filename):
            by_rule = not reason or "skipfiles" in reason
            wrapped = describe.wrapped_callable(code, frame.f_locals) and not by_rule
            if not wrapped and not describe.is_library_module(code, frame.f_locals, caller):
                return  # torch's and Python's own helpers are skipped by rule, all the time
        stack = describe.user_stack(caller) if token is None else ()
        returned = Returned(
            code=readings.plain_code(code, frame.f_locals),
            runs_after=after,
            reason=reason,
            direct=describe.is_called_directly(caller),
            called_from=stack[-1] if stack else None,
        )
        self._listener.frame_returned(returned, token)

    def _around_metrics(self, original: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(original)
        def log_compilation_event(metrics: Any, *args: Any, **kwargs: Any) -> Any:
            with self._contained("metrics"):
                self._listener.stages_known(readings.stages_of(metrics))
            return original(metrics, *args, **kwargs)

        return log_compilation_event

    def _around_guards_made(self, original: Callable[..., Any] | None) -> Callable[..., Any]:
        def guards_made(manager: Any, *rest: Any) -> Any:
            with self._contained("guards_made"):
                # Its caller, CheckFunctionManager.__init__, holds the graph in every version; the
                # builder that 2.13 passes holds it too, 2.8 passes none.
                graph = sys._getframe(1).f_locals.get("output_graph")
                self._user_lines[manager] = readings.user_lines(graph)
            return original(manager, *rest) if original is not None else None

        return guards_made

    def _around_callbacks(self, original: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(original)
        @contextmanager
        def install_callbacks(this: Any, trigger: Any, compile_id: str) -> Iterator[None]:
            started = time.perf_counter()
            with original(this, trigger, compile_id):
                yield
            if trigger.name == "CUDAGRAPH_RECORDING":
                with self._contained("callbacks"):
                    seconds = time.perf_counter() - started
                    self._listener.device_work("cuda-graph", compile_id, seconds)

        return install_callbacks
