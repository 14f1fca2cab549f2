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
from contextlib import contextmanager
from itertools import count
from types import CodeType, FrameType
from typing import Any
from weakref import WeakKeyDictionary

from esper_audit._dynamo import describe, names, readings
from esper_audit._dynamo.guards import UserLines, failing_guards
from esper_audit._dynamo.signals import Begin, Listener
from esper_audit.events import GuardFailure


class Hooks:
    """All hooks of one recorder. ``hits`` and ``misses`` count lookups, in any thread."""

    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        self._undo: list[Callable[[], None]] = []
        # By guard manager, and no longer than it lives: torch frees those of dropped entries.
        self._user_lines: WeakKeyDictionary[Any, UserLines] = WeakKeyDictionary()
        self._last_token = threading.local()
        self._hits, self._misses = count(), count()
        self._hook_codes: tuple[CodeType, ...] = ()

    @property
    def hits(self) -> int:
        return _value(self._hits)

    @property
    def misses(self) -> int:
        return _value(self._misses)

    def is_inside(self, frame: FrameType | None) -> bool:
        """Whether this frame is the lookup hook's: raising there ends the process."""
        return frame is not None and frame.f_code in self._hook_codes

    def install(self) -> None:
        """Put all hooks in place; where one can't be, none stays."""
        try:
            self._patch("compile", self._around_compile)
            self._patch("convert_frame", self._around_convert_frame)
            self._patch("metrics", self._around_metrics)
            self._patch("guards_made", self._around_guards_made)
            self._patch("callbacks", self._around_callbacks)
            self._hook_lookups()
        except BaseException:
            self.remove()
            raise

    def remove(self) -> None:
        """Put everything back as it was, last first."""
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

    def _hook_lookups(self) -> None:
        set_hook = names.find("lookup")
        if set_hook is None:
            return
        hits, misses = self._hits, self._misses
        previous: Callable[[bool], bool] | None = None

        # The hook must return a bool and must not raise: None forces a recompile on every call, an
        # exception ends the process (torch/csrc/dynamo/eval_frame_cpp.cpp, 2.8 to 2.14).
        def count_lookup(hit: bool) -> bool:
            next(hits if hit else misses)
            return hit

        def count_and_chain(hit: bool) -> bool:
            next(hits if hit else misses)
            return previous(hit)  # type: ignore[misc]  # chained only where there is one

        previous = set_hook(count_lookup)
        ours = count_lookup if previous is None else count_and_chain
        set_hook(ours)
        self._hook_codes = (count_lookup.__code__, count_and_chain.__code__)

        def unhook() -> None:
            present = set_hook(previous)
            if present is not ours:  # someone hooked in after us: their hook stays
                set_hook(present)
                self._listener.hook_failed("lookup", "LookupError: another hook replaced ours")

        self._undo.append(unhook)

    def _around_compile(self, original: Callable[..., Any]) -> Callable[..., Any]:
        signature = inspect.signature(original)
        skips = "skip" in signature.parameters

        @functools.wraps(original)
        def compile_(*args: Any, **kwargs: Any) -> Any:
            begin = token = None
            breaks_before = 0
            with self._contained("compile"):
                begin = self._begin(signature.bind(*args, **kwargs).arguments)
            with self._contained("compile"):
                token = self._listener.compile_began(begin)
                self._last_token.value = token
                breaks_before = len(names.find("graph_breaks") or ())
                if skips and "skip" in kwargs:
                    kwargs["skip"] += 1  # this wrapper is one more frame on torch's logged stack
            started = time.perf_counter()
            result = error = None
            try:
                result = original(*args, **kwargs)
                return result
            except BaseException as raised:
                error = raised
                raise
            finally:
                seconds = time.perf_counter() - started
                with self._contained("compile"):
                    end = readings.end_of(
                        result, error, readings.graph_breaks_since(breaks_before, begin), seconds
                    )
                    self._listener.compile_ended(token, end)
                self._last_token.value = token  # a nested compile has put its own there
                error = None  # a reference cycle would keep the user's frames alive

        return compile_

    def _begin(self, arguments: dict[str, Any]) -> Begin:
        code, frame = arguments["code"], arguments.get("frame")
        f_locals = frame.f_locals if frame is not None else arguments.get("locals", {})
        entries = arguments.get("cache_entries_for_reasons")
        if not entries:
            list_entries = names.find("cache_entries")
            entries = list_entries(code) if list_entries is not None else []
        left, accumulated_left = readings.compiles_left(arguments["cache_size"], len(entries))
        return Begin(
            code=readings.plain_code(code, tuple(arguments.get("closure") or ())),
            compile_id=str(arguments["compile_id"]),
            cache_entries=len(entries),
            recompiles_left=left,
            accumulated_recompiles_left=accumulated_left,
            guard_failures=self._failures(entries, f_locals, arguments["compiler_fn"]),
            stack=describe.user_stack(sys._getframe(2)),
            instance=describe.instance(f_locals),
            thread=threading.current_thread().name,
        )

    def _failures(
        self, entries: Any, f_locals: dict[str, Any], compiler_fn: Any
    ) -> tuple[GuardFailure, ...]:
        """Contained on its own: a recompile is one even where its guards can't be read."""
        with self._contained("guards"):
            backend = readings.backend_of(compiler_fn)
            return failing_guards(entries, f_locals, backend, self._user_lines)
        return ()

    def _around_convert_frame(self, original: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(original)
        def convert_frame(this: Any, frame: Any, *args: Any, **kwargs: Any) -> Any:
            self._last_token.value = None
            result = original(this, frame, *args, **kwargs)
            with self._contained("convert_frame"):
                self._frame_returned(frame.f_code, result)
            return result

        return convert_frame

    def _frame_returned(self, code: Any, result: Any) -> None:
        token = self._last_token.value
        if token is None and describe.is_library_file(code.co_filename):
            return  # torch's and Python's own helpers are skipped by rule, all the time
        after = readings.runs_after(result)
        reason = str(getattr(result, "skip_reason", None) or "")
        self._listener.frame_returned(readings.plain_code(code), after, reason, token)

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


def _value(counter: count[int]) -> int:
    # Reading a count without advancing it: only its repr shows the next value.
    return int(repr(counter)[len("count(") : -1])
