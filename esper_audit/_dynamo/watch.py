"""Who writes guarded state: the values that guards read, polled at each line of the user's code.

A trace function disturbs nothing that Dynamo compiles, where a patched ``__setattr__`` or a
subclass does (both break graphs, 2.13). Its price is the speed of Python code between compiled
calls, so it is used in a watched run and inside assertions, never in a plain recording.

Worked example, with a guard on ``self.alpha`` == 0.5; ``set_alpha`` lies in lines 3 and 4::

    9   step(x)                  compiles: ``add`` makes an Item of L['self'].alpha, value 0.5
    10  model.set_alpha(0.7)     a call of the user's: ``_on_call`` polls, nothing has changed
    4       self.alpha = value   a line: ``on_line`` polls before it runs, nothing has changed
        (returns)                ``on_line`` polls: 0.7 is not 0.5, so line 4 wrote, called from 10
    11  step(x)                  the guard fails: ``writes`` gives these two lines
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from types import CodeType, FrameType, MethodType
from typing import Any

from esper_audit._dynamo import files, names
from esper_audit._dynamo.watched_value import (
    ARGUMENT,
    Item,
    Scope,
    guarded_sources,
    prefixes,
    root_of,
)
from esper_audit.data.compiles import GuardFailure, Write
from esper_audit.data.places import Location
from esper_audit.data.reasons import Reason, Why

MOST = 300
"""Values watched at most where nobody says which: each costs a poll at each line."""

_POOLS = ("concurrent/futures/thread.py", "multiprocessing/pool.py")

_Key = tuple[str, int, str]


class Watch:
    """Watches guarded state from the compile that guards it on.

    ``wanted`` restricts it to these guard sources (in torch's terms) of these frames
    (``file:qualified name``); without it, up to ``MOST`` values that guards read are watched.
    """

    def __init__(self, wanted: Mapping[str, Collection[str]] | None = None) -> None:
        self._wanted = wanted
        self._items: dict[_Key, Item] = {}
        self._traced: list[tuple[FrameType, Any, Any]] = []
        self._outer: Watch | None = None
        self._is_suspended = False
        self._stores: dict[tuple[str, str], Location] = {}
        self._compiling: list[str] = []
        self._threads: set[int] = set()
        self._is_over = False
        self._full = False
        self.unusable: Reason | None = None

    # --- the trace function ---

    def start(self) -> None:
        """Trace this thread, the frames that run already included, and each that starts later."""
        present = sys.gettrace()
        owner = present.__self__ if isinstance(present, MethodType) else None
        self._outer = owner if isinstance(owner, Watch) else None
        if present is not None and self._outer is None:
            self.unusable = Reason(why=Why.OTHER_TRACER)
            return
        if _others_may_write():
            self.unusable = Reason(why=Why.EARLIER_THREADS)
            return
        if not self._hide_from_dynamo():
            self.unusable = Reason(why=Why.TRACER_COMPILED)
            return
        if self._outer is not None:
            self._outer._is_suspended = True
        threading.settrace(self._on_call)
        sys.settrace(self._on_call)
        frame: FrameType | None = sys._getframe(1)
        while frame is not None:
            if _is_users(frame):
                ours = self._follow(frame)
                self._traced.append((frame, frame.f_trace, ours))
                frame.f_trace = ours
            frame = frame.f_back

    def stop(self) -> None:
        """Trace no longer, in whatever order watches end; another thread finds out by itself."""
        if self.unusable:
            return
        outer = self._of_outer()
        if threading.gettrace() == self._on_call:
            threading.settrace(outer)
        if sys.gettrace() == self._on_call:
            sys.settrace(outer)
        while self._traced:
            frame, before, ours = self._traced.pop()
            if frame.f_trace is ours:
                frame.f_trace = before
        self._items.clear()
        self._is_over = True
        if self._outer is not None:
            self._outer._catch_up()
            self._outer._is_suspended = False

    def _of_outer(self) -> Any:
        """The trace function of the watch that this one stands before, if it goes on."""
        while self._outer is not None and self._outer._is_over:
            self._outer = self._outer._outer
        return self._outer._on_call if self._outer is not None else None

    def _catch_up(self) -> None:
        """What changed while an inner watch was at work was written by nobody knows whom."""
        for item in self._items.values():
            if item.changed():
                item.write = None

    @contextmanager
    def compiling(self, code: CodeType | None) -> Iterator[None]:
        """Not while torch compiles: tracing its Python code would make it many times slower."""
        self._compiling.append(_frame_id(code) if code is not None else "")
        trace = sys.gettrace()
        ours = trace == self._on_call
        if ours:
            sys.settrace(None)
        try:
            yield
        finally:
            self._compiling.pop()
            if ours:
                sys.settrace(trace)

    def _hide_from_dynamo(self) -> bool:
        """Dynamo would compile the trace function where it runs inside a compiled call (2.13)."""
        set_strategy, strategy, action = (
            names.find(key) for key in ("code_strategy", "frame_strategy", "frame_action")
        )
        if set_strategy is None or strategy is None or action is None:
            return False
        skip = strategy(action.SKIP, action.SKIP)
        for code in (Watch._on_call.__code__, *_inner_codes(Watch._follow.__code__)):
            set_strategy(code, skip)
        return True

    def _on_call(self, frame: FrameType, _event: str, _argument: Any) -> Any:
        if self._is_over:  # a thread that outlived the watch, or that didn't end it
            sys.settrace(self._of_outer())
        if _is_users_thread(frame):
            self._threads.add(threading.get_ident())
        if self._is_over or not _is_users(frame):
            return None
        if self._items:  # a caller's line may have written just before the call, on the same line
            self._poll(_users(frame.f_back))
        return self._follow(frame)

    def _follow(self, frame: FrameType) -> Any:
        last = frame.f_lineno

        def on_line(frame: FrameType, _event: str, _argument: Any) -> Any:
            nonlocal last
            if self._is_over:
                return None
            if self._items:
                self._poll(frame, last)
            last = frame.f_lineno
            return on_line

        return on_line

    def _poll(self, frame: FrameType | None, line: int = 0) -> None:
        """Note what changed since the last poll as written by this line of this frame."""
        self._threads.add(threading.get_ident())
        known = frame is not None and sys.gettrace() == self._on_call and len(self._threads) == 1
        if self._is_suspended or frame is None or not known:
            self._catch_up()
            return
        for key, item in list(self._items.items()):
            if item.is_dead:
                del self._items[key]
            elif item.changed():
                item.write = self._written(item.source, frame, line or frame.f_lineno)

    def _written(
        self, source: str, frame: FrameType, line: int
    ) -> tuple[Location, Location | None]:
        """A line, and the user's line that called its function."""
        code = frame.f_code
        caller = _users(frame.f_back)
        called_from = _location(caller, caller.f_lineno) if caller is not None else None
        # Compiled code repeats its writes on the function's first line.
        stored = self._stores.get((_frame_id(code), source))
        if line != code.co_firstlineno:
            stored = None
        if stored is None:
            return _location(frame, line), called_from
        same = (stored.file, stored.function) == (code.co_filename, code.co_name)
        return replace(stored, function=code.co_qualname) if same else stored, called_from

    # --- what the hooks tell ---

    def stored(self, source: str, line: Location | None) -> None:
        """Traced code writes this source on this line."""
        if source and line is not None and self._compiling:
            self._stores[self._compiling[-1], source] = line

    def add(self, call: Mapping[str, Any], guarded: Any) -> None:
        """Watch what the guards of a new cache entry read."""
        if guarded is None or self.unusable:
            return
        frame = _frame_id(call["code"])
        scope = Scope(call)
        wanted = None if self._wanted is None else self._wanted.get(frame, ())
        for source in guarded_sources(guarded.guard_manager):
            if (wanted is not None and source not in wanted) or scope.is_argument(source):
                continue
            for part in prefixes(source):
                if not scope.is_argument(part):
                    self._add((frame, scope.identity(part), part), part, scope)

    def _add(self, key: _Key, source: str, scope: Scope) -> None:
        if key in self._items and not self._items[key].is_dead:
            return
        if self._wanted is None and len(self._items) >= MOST:
            self._full = True
            return
        self._items[key] = Item(source, scope)

    def writes(
        self, call: Mapping[str, Any], failures: Collection[GuardFailure], frame: FrameType | None
    ) -> tuple[Write, ...]:
        """Of each failing source, the last write before this call, or why it is not known."""
        if self._items:
            self._poll(_users(frame))
        scope, frame_id = Scope(call), _frame_id(call["code"])
        sources = dict.fromkeys(failure.torch_source for failure in failures)
        return tuple(self._write_of(source, frame_id, scope) for source in sources)

    def _write_of(self, source: str, frame_id: str, scope: Scope) -> Write:
        if self.unusable:
            return Write(source, unknown=self.unusable)
        if not root_of(source):
            return Write(source, unknown=Reason(why=Why.NO_PLACE))
        if scope.is_argument(source):
            return Write(source, unknown=ARGUMENT)
        known = False
        for part in prefixes(source):
            item = self._items.get((frame_id, scope.identity(part), part))
            known = known or item is not None
            if item is not None and item.write is not None:
                return Write(source, *item.write)
        return Write(source, unknown=self._why_unknown(known))

    def _why_unknown(self, known: bool) -> Reason:
        if len(self._threads) > 1:
            return Reason(why=Why.SEVERAL_THREADS)
        if known:
            return Reason(why=Why.NO_LINE_SEEN)
        if self._full:
            return Reason(why=Why.TOO_MANY_WATCHED, count=MOST)
        return Reason(why=Why.NOT_WATCHED_YET)


def _others_may_write() -> bool:
    """Whether another thread, which can't be traced any more, has code of the user to run."""
    own = threading.get_ident()
    for thread, innermost in sys._current_frames().items():
        frame: FrameType | None = innermost if thread != own else None
        while frame is not None:
            if _is_users(frame) or frame.f_code.co_filename.endswith(_POOLS):
                return True
            frame = frame.f_back
    return False


def _is_users_thread(frame: FrameType) -> bool:
    """Whether a thread begins that runs the user's code, be it a built-in function alone."""
    code = frame.f_code
    if code.co_name != "run" or not code.co_filename.endswith("/threading.py"):
        return False
    thread = frame.f_locals.get("self")
    target = getattr(thread, "_target", None) or getattr(thread, "function", None)
    own = getattr(target, "__code__", None)
    return target is not None and (own is None or files.is_user_file(own.co_filename))


def _inner_codes(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield constant


def _frame_id(code: CodeType) -> str:
    return f"{code.co_filename}:{code.co_qualname}"


def _is_users(frame: FrameType) -> bool:
    return files.is_user_file(frame.f_code.co_filename)


def _users(frame: FrameType | None) -> FrameType | None:
    """The nearest frame of the user's code, from this one outwards."""
    while frame is not None and not _is_users(frame):
        frame = frame.f_back
    return frame


def _location(frame: FrameType, line: int) -> Location:
    return Location(frame.f_code.co_filename, line, frame.f_code.co_qualname)
