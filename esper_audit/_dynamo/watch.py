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

from esper_audit._dynamo import names
from esper_audit._dynamo.passed_values import Bindings
from esper_audit._dynamo.traced_writes import Trace
from esper_audit._dynamo.user_frames import (
    frame_id,
    is_users,
    is_users_thread,
    others_may_write,
)
from esper_audit._dynamo.watched_state import StateWatch
from esper_audit._dynamo.watched_value import (
    ARGUMENT,
    Item,
    Scope,
    guarded_sources,
    prefixes,
    root_of,
)
from esper_audit._dynamo.writing_lines import WritingLines, Written
from esper_audit.data.compiles import STATE_KINDS, GuardFailure, Write
from esper_audit.data.reasons import Reason, Why

MOST = 300
"""Values watched at most where nobody says which: each costs a poll at each line."""

_Key = tuple[str, int, str]


class Watch:
    """Watches guarded state from the compile that guards it on.

    ``wanted`` restricts it to these guard sources (in torch's terms) of these frames
    (``file:qualified name``); without it, up to ``MOST`` values that guards read are watched.
    """

    def __init__(self, wanted: Mapping[str, Collection[str]] | None = None) -> None:
        self._wanted = wanted
        self._items: dict[_Key, Item] = {}
        self._state = StateWatch() if _is_state_wanted(wanted) else None
        self._traced: list[tuple[FrameType, Any, Any]] = []
        self._outer: Watch | None = None
        self._is_suspended = False
        self._compiling: list[Trace] = []
        self._lines = WritingLines()
        self._bindings = Bindings()
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
        if others_may_write():
            self.unusable = Reason(why=Why.EARLIER_THREADS)
            return
        if not self._hide_from_dynamo():
            self.unusable = Reason(why=Why.TRACER_COMPILED)
            return
        if self._outer is not None:
            self._outer._is_suspended = True
        if self._state is not None:
            self._state.poll(lambda _: None)
        threading.settrace(self._on_call)
        sys.settrace(self._on_call)
        frame: FrameType | None = sys._getframe(1)
        while frame is not None:
            if is_users(frame):
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

    def _catch_up(self, why: Reason | None = None) -> None:
        """What has changed since the last poll was written by nobody knows whom."""
        for item in self._items.values():
            if item.changed():
                item.write = why
        if self._state is not None:
            self._state.poll(lambda _: why)

    @contextmanager
    def compiling(self, code: CodeType | None) -> Iterator[Trace]:
        """Not while torch compiles: tracing its Python code would make it many times slower."""
        trace = Trace(code)
        self._compiling.append(trace)
        present = sys.gettrace()
        ours = present == self._on_call
        if ours:
            sys.settrace(None)
        try:
            yield trace
        finally:
            self._compiling.pop()
            self._catch_up(Reason(why=Why.WRITTEN_WHILE_COMPILING))
            if ours:
                sys.settrace(present)

    def _hide_from_dynamo(self) -> bool:
        """Dynamo would compile the trace function where it runs inside a compiled call (2.13)."""
        set_strategy, strategy, action = (
            names.find(key) for key in ("code_strategy", "frame_strategy", "frame_action")
        )
        if set_strategy is None or strategy is None or action is None:
            return False
        skip = strategy(action.SKIP, action.SKIP)
        inner = (code for code in Watch._follow.__code__.co_consts if isinstance(code, CodeType))
        for code in (Watch._on_call.__code__, Watch._follow.__code__, *inner):
            set_strategy(code, skip)
        return True

    def _on_call(self, frame: FrameType, _event: str, _argument: Any) -> Any:
        if self._is_over:  # a thread that outlived the watch, or that didn't end it
            sys.settrace(self._of_outer())
        if is_users_thread(frame):
            self._threads.add(threading.get_ident())
        if self._is_over or not self._is_followed(frame):
            return None
        if (
            self._has_items()
        ):  # a caller's line may have written just before the call, on the same line
            self._poll(self._writing(frame.f_back))
        return self._follow(frame)

    def _is_followed(self, frame: FrameType) -> bool:
        """The user's code; and what torch has compiled of a library that calls the user's."""
        generated = self._has_items() and self._lines.is_generated(frame.f_code)
        return generated or is_users(frame)

    def _has_items(self) -> bool:
        return bool(self._items) or self._state is not None

    def _writing(self, frame: FrameType | None) -> FrameType | None:
        """The nearest frame, outwards, whose line is taken for the writer."""
        while frame is not None and not self._is_followed(frame):
            frame = frame.f_back
        return frame

    def _follow(self, frame: FrameType) -> Any:
        last = frame.f_lineno
        is_traced = self._lines.began(frame)

        def on_line(frame: FrameType, event: str, _argument: Any) -> Any:
            nonlocal last
            if self._is_over:
                return None
            if self._has_items():
                self._poll(frame, last)
            self._bindings.ran(frame, last, event)
            last = frame.f_lineno
            if event == "return" and is_traced:
                self._lines.ended(frame)
            return on_line

        return on_line

    def _poll(self, frame: FrameType | None, line: int = 0) -> None:
        """Note what changed since the last poll as written by this line of this frame."""
        self._threads.add(threading.get_ident())
        is_ours = frame is not None and sys.gettrace() == self._on_call and not self._is_suspended
        is_alone = len(self._threads) == 1
        if self._state is not None and is_ours and frame is not None:
            self._poll_state(self._state, frame, line or frame.f_lineno or 0, is_alone)
        if not is_ours or not is_alone or frame is None:
            self._catch_up()
            return
        changed = {}
        for key, item in list(self._items.items()):
            if item.is_dead:
                del self._items[key]
            elif item.changed():
                changed[key] = item
        for (compiled, root, source), item in changed.items():
            above = (changed.get((compiled, root, part)) for part in prefixes(source)[1:])
            is_moved = any(holder is not None and holder.is_replaced for holder in above)
            at = line or frame.f_lineno or 0
            item.write = self._lines.writer_of(item, frame, at, is_moved=is_moved)

    def _poll_state(self, state: StateWatch, frame: FrameType, line: int, is_alone: bool) -> None:
        """In other threads, too: but what holds for all of them may be another's."""

        def who(is_of_all: bool) -> Written:
            if is_of_all and not is_alone:
                return Reason(why=Why.SEVERAL_THREADS)
            return self._lines.switcher(frame, line)

        state.poll(who)

    # --- what the hooks tell ---

    def stored(self, effects: Any, item: Any, attribute: str) -> None:
        """Traced code writes to this attribute of a variable of Dynamo's, or to its entries."""
        if self._compiling:
            self._compiling[-1].stored(effects, item, attribute)

    def made(self, graph: Any) -> None:
        """This graph is what is compiled now."""
        if self._compiling and graph is not None:
            self._compiling[-1].made(graph)

    def add(self, call: Mapping[str, Any], guarded: Any, trace: Trace | None = None) -> None:
        """Watch what the guards of a new cache entry read, and what its code writes."""
        if guarded is None or self.unusable:
            return
        self._lines.add(getattr(guarded, "code", None), trace)
        frame = frame_id(call["code"])
        scope = Scope(call)
        wanted = None if self._wanted is None else self._wanted.get(frame, ())
        for source in guarded_sources(guarded.guard_manager):
            if wanted is not None and source not in wanted:
                continue
            for part in prefixes(source):
                if not scope.is_argument(part) or (part == source and scope.is_mutable(part)):
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
        if self._has_items():
            self._poll(self._writing(frame))
        scope, compiled = Scope(call), frame_id(call["code"])
        written = {failure.written: failure for failure in failures}
        return tuple(
            self._state_write(failure)
            if failure.kind in STATE_KINDS
            else self._with_binding(self._write_of(source, compiled, scope), call, frame)
            for source, failure in written.items()
        )

    def _with_binding(
        self, write: Write, call: Mapping[str, Any], caller: FrameType | None
    ) -> Write:
        """Of an argument, with the line that its value comes from."""
        if write.unknown != ARGUMENT:
            return write
        return replace(write, bound=self._bindings.source_of(write.source, call, caller))

    def _state_write(self, failure: GuardFailure) -> Write:
        if self.unusable or self._state is None:
            return Write(failure.written, unknown=self.unusable)
        return self._state.write_of(failure)

    def _write_of(self, source: str, compiled: str, scope: Scope) -> Write:
        if self.unusable:
            return Write(source, unknown=self.unusable)
        if not root_of(source):
            return Write(source, unknown=Reason(why=Why.NO_PLACE))
        if scope.is_argument(source):
            return self._write_of_argument(source, compiled, scope)
        known = False
        for part in prefixes(source):
            item = self._items.get((compiled, scope.identity(part), part))
            known = known or item is not None
            written = item.write if item is not None else None
            if isinstance(written, Reason):
                return Write(source, unknown=written)
            if written is not None:
                return Write(source, *written)
        if scope.is_default(source):  # never written: the call left out what others passed
            return Write(source, unknown=ARGUMENT)
        return Write(source, unknown=self._why_unknown(known))

    def _write_of_argument(self, source: str, compiled: str, scope: Scope) -> Write:
        """Of a container that an earlier call passed, too, the line that changed what is in it."""
        if scope.is_mutable(source):
            item = self._items.get((compiled, scope.identity(source), source))
            if item is not None and not item.is_dead and isinstance(item.write, tuple):
                return Write(source, *item.write)
        return Write(source, unknown=ARGUMENT)

    def _why_unknown(self, known: bool) -> Reason:
        if len(self._threads) > 1:
            return Reason(why=Why.SEVERAL_THREADS)
        if known:
            return Reason(why=Why.NO_LINE_SEEN)
        if self._full:
            return Reason(why=Why.TOO_MANY_WATCHED, count=MOST)
        return Reason(why=Why.NOT_WATCHED_YET)


def _is_state_wanted(wanted: Mapping[str, Collection[str]] | None) -> bool:
    """Whether guards on torch's own state are looked at: a poll costs most of a microsecond."""
    every = (source for sources in (wanted or {}).values() for source in sources)
    return wanted is None or any(source.startswith("<") for source in every)
