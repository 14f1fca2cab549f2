"""One recorder's part in each compile: what is known as it begins, how it ended, what follows.

Everything is read from the locals of ``ConvertFrameAssert.__call__`` and of ``fail_callback``
(torch/_dynamo, 2.8 to 2.14), so it doesn't matter who wraps the functions that these call.
"""

from __future__ import annotations

import threading
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import replace
from types import CodeType, FrameType
from typing import Any, TypeVar

from esper_audit._dynamo import files, frames, names, readings
from esper_audit._dynamo.called import Called, called, with_owner
from esper_audit._dynamo.defaults import defaults_of
from esper_audit._dynamo.guards import Lookup, failing_guards
from esper_audit._dynamo.held_operations import held_operation
from esper_audit._dynamo.library_modules import Ran, ran_eagerly
from esper_audit._dynamo.lookups import LookupHook
from esper_audit._dynamo.made_guards import MadeGuards
from esper_audit._dynamo.source_names import named
from esper_audit._dynamo.stages import Collected, StageClock
from esper_audit._dynamo.traced_writes import Trace
from esper_audit._dynamo.waiting import Waiting
from esper_audit._dynamo.watch import Watch
from esper_audit.data.compiles import GraphBreak, GuardFailure, Write
from esper_audit.data.signals import Begin, Code, End, Listener, Returned
from esper_audit.data.stages import Stage

Value = TypeVar("Value")

_NO_LIMITS: tuple[int | None, int | None] = (None, None)
_NO_BREAKS: tuple[GraphBreak, ...] = ()
_NO_WRITES: tuple[Write, ...] = ()
_NO_FAILURES: tuple[GuardFailure, ...] = ()

NOT_READ = object()
"""The result of a compile that ends without an error, where only its caller gets to see it."""


class _Here(threading.local):
    """The compiles of one thread: the one that runs, the last that ended, the last one's guards."""

    running: object = None
    latest: Attempt | None = None
    manager: object = None


class Compiles:
    """Tells a listener of compiles. No method raises but for a signal handler of the program's."""

    def __init__(self, listener: Listener, watch: Watch | None, lookups: LookupHook) -> None:
        self.listener, self.watch, self._lookups = listener, watch, lookups
        self._made, self._waiting = MadeGuards(), Waiting()
        self._here = _Here()
        self.stages = StageClock()

    @contextmanager
    def contained(self, hook: str) -> Iterator[None]:
        """Collects what is raised inside; a listener that fails as well is not asked again."""
        try:
            yield
        except Exception:
            with suppress(Exception):
                self.listener.hook_failed(hook, traceback.format_exc())

    def known(self, hook: str, otherwise: Value, read: Callable[..., Value], *args: Any) -> Value:
        """What a reading gives, or this where it fails: the rest of an event is kept."""
        with self.contained(hook):
            return read(*args)
        return otherwise

    @property
    def running(self) -> object:
        """What the listener gave for the compile that this thread makes now."""
        return self._here.running

    # --- compiles ---

    def attempt(self) -> Attempt:
        """A compile that is about to begin in this thread."""
        return Attempt(self, self._here)

    def is_new(self) -> None:
        """Torch looks at another frame: one that ended with an error did so for its caller."""
        self._here.latest = None

    def set_latest(self, attempt: Attempt | None) -> Attempt | None:
        """Sets the compile whose frame is expected to return; gives back the one before."""
        before, self._here.latest = self._here.latest, attempt
        return before

    def begin_of(self, call: Mapping[str, Any], caller: FrameType | None) -> Begin:
        """As much as can be read of a call that found no cache entry."""
        known, code, f_locals = self.known, call.get("code"), call.get("locals", {})
        entries: Any = known("compile", [], readings.entries_of, call)
        left, total_left = known("compile", _NO_LIMITS, readings.compiles_left, call, entries)
        failures = known("guards", _NO_FAILURES, self._failures, entries, call)
        whose = known("compile", Called(), called, code, f_locals, caller)
        failures = known("guards", failures, with_owner, failures, whose)
        failures = known("guards", failures, named, failures, call)
        return Begin(
            code=known("compile", _bare(code), readings.plain_code, code, f_locals),
            compile_id=str(call.get("compile_id", "?")),
            cache_entries=len(entries),
            recompiles_left=left,
            accumulated_recompiles_left=total_left,
            guard_failures=failures,
            stack=known("compile", (), frames.user_stack, caller),
            instance=known("compile", "", lambda: whose.instance),
            thread=threading.current_thread().name,
            writes=known("watch", _NO_WRITES, self._writes, call, failures, caller),
            direct=known("compile", True, frames.is_called_directly, caller),
            dynamic=known("compile", False, readings.is_dynamic),
        )

    def _failures(self, entries: Any, call: Mapping[str, Any]) -> tuple[GuardFailure, ...]:
        self._lookups.ensure()
        code = call["code"]
        own = not files.is_torch_file(code.co_filename)
        lookup = Lookup(
            backend=readings.backend_of(call["compiler_fn"]),
            forced=self._lookups.was_forced(),
            missed=self._waiting.missed_by(call.get("frame")),
            captured=code.co_freevars if own else (),
            file=code.co_filename,
        )
        return failing_guards(entries, call["locals"], lookup, self._made)

    def _writes(
        self, call: Mapping[str, Any], failures: Any, caller: FrameType | None
    ) -> tuple[Write, ...]:
        return () if self.watch is None else self.watch.writes(call, failures, caller)

    # --- what comes before, between and after ---

    def refused(self, frame: FrameType) -> None:
        """``fail_callback`` is about to raise, in this frame: a call that found no cache entry."""
        with self.contained("refused"):
            call = readings.refused_call(frame)
            token = self.listener.compile_began(self.begin_of(call, frame.f_back))
            said = str(frame.f_locals.get("message", "")).strip()
            end = End(False, "", True, f"RuntimeError: {said}", (), 0.0, "fail_on_recompile")
            self.listener.compile_ended(token, end)

    def guards_made(self, manager: Any, maker: Any, graph: Any) -> None:
        """Torch has made the guards of a cache entry, of this graph."""
        with self.contained("guards_made"):
            self._made.keep(manager, readings.made(maker, graph))
            self._here.manager = manager
        with self.contained("watch"):
            if self.watch is not None:
                self.watch.made(graph)

    def entry_made(self, code: CodeType | None) -> None:
        """A compile of this code ended in this thread; its guards, if it has any, are complete."""
        manager, self._here.manager = self._here.manager, None
        if manager is not None:
            self._waiting.made(manager, code)

    def graph_installed(self, runs: Callable[[], int]) -> None:
        """A compiled graph is in place; ``runs`` gives how often it ran."""
        with self.contained("graph_compile"):
            if self.running is not None:
                self.listener.graph_made(self.running, runs)

    def frame_returned(
        self, frame: Any, result: Any, caller: FrameType | None, was_tried: bool = True
    ) -> None:
        """Torch gives back what it has decided of a frame, after it tried to compile it or not."""
        attempt = self.set_latest(None)
        with self.contained("convert_frame"):
            token = None
            if was_tried and attempt is not None and attempt.is_of(frame):
                token = attempt.token
                attempt.told(result)
            self._tell_returned(frame, result, token, caller)

    def _tell_returned(
        self, frame: Any, result: Any, token: object, caller: FrameType | None
    ) -> None:
        known = self.known
        code, reason = frame.f_code, str(getattr(result, "skip_reason", None) or "")
        by_rule = False
        ran: Ran | None = None
        if token is None and files.is_library_file(code.co_filename):
            by_rule = "skipfiles" in reason or not reason
            ran = ran_eagerly(code, frame.f_locals, caller) if by_rule else None
            wrapped = frames.wrapped_callable(code, frame.f_locals) and not by_rule
            is_module = frames.is_library_module(code, frame.f_locals, caller)
            if not wrapped and ran is None and not is_module:
                return  # torch's and Python's own helpers are skipped by rule, all the time
        stack = frames.user_stack(caller) if token is None else ()
        plain = readings.plain_code(code, frame.f_locals)
        returned = Returned(
            code=plain if ran is None else _bare(ran.outer),
            runs_after=readings.runs_after(result),
            reason=reason,
            direct=frames.is_called_directly(caller),
            called_from=stack[-1] if stack else None,
            by_rule=by_rule,
            ran=ran.name if ran is not None else "",
            within=ran.within if ran is not None else (),
            operation=known("skip", None, held_operation, frame, reason) if token is None else None,
        )
        self.listener.frame_returned(returned, token)


def _bare(code: CodeType | None) -> Code:
    if code is None:
        return Code("<unknown>", "", 0)
    return Code(code.co_qualname, code.co_filename, code.co_firstlineno)


class Attempt:
    """One compile, from its begin to what torch makes of it."""

    def __init__(self, compiles: Compiles, here: _Here) -> None:
        self._compiles, self._here = compiles, here
        self.token: object = None
        self._begin: Begin | None = None
        self._call: Mapping[str, Any] = {}
        self._frame_id, self._code = 0, None
        self._outer = here.running
        self._pause: AbstractContextManager[Trace | None] = nullcontext()
        self._trace: Trace | None = None
        self._breaks_before, self._started, self._seconds = 0, time.perf_counter(), 0.0
        self._outer_stages: Collected | None = None
        self._stages: tuple[Stage, ...] = ()
        self._is_told = False

    def begin(self, frame: FrameType) -> None:
        """It begins, in this frame of ``ConvertFrameAssert.__call__``."""
        compiles, watch = self._compiles, self._compiles.watch
        least = {"code": frame.f_locals.get("code")}
        self._call = compiles.known("compile", least, readings.call_of, frame)
        self._frame_id, self._code = id(self._call.get("frame")), self._call.get("code")
        with compiles.contained("watch"):
            if watch is not None:
                held = defaults_of(self._call, readings.outside(frame))
                self._call = {**self._call, "defaults": held}
        with compiles.contained("compile"):
            self._begin = compiles.begin_of(self._call, readings.outside(frame))
        with compiles.contained("compile"):
            self.token = compiles.listener.compile_began(self._begin)
        self._here.running = self.token
        with compiles.contained("compile"):
            self._breaks_before = len(names.find("graph_breaks") or ())
        with compiles.contained("watch"):
            if watch is not None:
                pause = watch.compiling(self._code)
                self._trace = pause.__enter__()
                self._pause = pause
        self._outer_stages = compiles.stages.begin()
        self._started = time.perf_counter()

    def end(self, result: Any, error: BaseException | None) -> None:
        """The compile is over; the result may be NOT_READ."""
        self._seconds = time.perf_counter() - self._started
        self._here.running, self._here.latest = self._outer, self
        if self._outer_stages is not None:
            self._stages = self._compiles.stages.end(self._outer_stages)
        pause, self._pause = self._pause, nullcontext()
        with self._compiles.contained("watch"):
            pause.__exit__(None, None, None)
        with self._compiles.contained("compile"):
            self._compiles.entry_made(self._code)
        if result is not NOT_READ or error is not None:
            self.told(result, error)

    def told(self, result: Any, error: BaseException | None = None) -> None:
        """Tell the end, once."""
        if self._is_told:
            return
        self._is_told, compiles, call = True, self._compiles, self._call
        self._call = {}  # what the frame was called with lives no longer for us
        before, begin, known = self._breaks_before, self._begin, compiles.known
        breaks = known("compile", _NO_BREAKS, readings.graph_breaks_since, before, begin)
        compiled = getattr(result, "guarded_code", None) is not None
        bare = End(compiled, "", error is not None, "not known", breaks, self._seconds)
        read = (result, error, breaks, self._seconds, begin)
        with compiles.contained("compile"):
            end = known("compile", bare, readings.end_of, *read)
            end = replace(end, stages=self._stages)
            compiles.listener.compile_ended(self.token, end)
        with compiles.contained("watch"):
            if compiles.watch is not None and call:
                compiles.watch.add(call, getattr(result, "guarded_code", None), self._trace)

    def is_of(self, frame: Any) -> bool:
        """Whether it was this frame's."""
        return self._frame_id == id(frame) and self._code is frame.f_code
