"""What the records of one process say of its compiles.

A compile id may come again: after ``torch._dynamo.reset()``. A record begins another compile of
its id where the one so far

- has its metrics, and Dynamo begins (a recompile's reasons, ``dynamo_start``, the event
  ``entire_frame_compile``, or metrics again);
- has its ``dynamo_start``, and reasons, the event ``dynamo`` or an attempt no later than the last
  one begin: it never came to its metrics.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from msgspec import UNSET

from esper_audit.data.numbers import is_whole
from esper_audit.data.places import Location
from esper_audit.traces.envelopes import (
    Envelope,
    Line,
    Symbol,
    UnknownFormError,
    compile_of_event,
    decoded,
    event_of,
    version_decoder,
)
from esper_audit.traces.metrics import Metrics, kept
from esper_audit.traces.process_log import LoggedCompile, LoggedStage, ProcessLog

CACHES = frozenset(
    f"{cache}_{outcome}"
    for cache in ("fx_graph_cache", "aotautograd_cache")
    for outcome in ("hit", "miss", "bypass")
)
ARTIFACTS = {
    "dynamo_graph_break_reason",
    "dynamo_error",
    "recompile_reasons",
    "torch_version",
}
"""The other artifacts that are read."""

_OUTERMOST = "dynamo"
_NUMBERS = (int, float, bool)
_BEGINNINGS = frozenset({"entire_frame_compile", "_compile.compile_inner"})
_MOST_MICROSECONDS = 1e17
_LATENCY = "Guard latency = "


class Texts:
    """Equal texts as one object."""

    def __init__(self) -> None:
        self._texts: dict[str, str] = {}
        self._trees: dict[str, tuple[str, ...]] = {}
        self._places: dict[tuple[str, int, str], Location] = {}
        self.stacks: dict[tuple[Location, ...], tuple[Location, ...]] = {}

    def one(self, text: str) -> str:
        """The text, as the object that it was first."""
        return self._texts.setdefault(text, text)

    def tree(self, checksum: str, payload: bytes) -> tuple[str, ...]:
        """The lines of a guard tree, as the object that they were first; by its right checksum."""
        known = self._trees.get(checksum)
        if known is None:
            one = self._texts.setdefault
            lines = payload.decode("utf-8", "replace").split("\n")
            tree = [one(held, held) for held in lines if held and not held.startswith(_LATENCY)]
            known = self._trees[checksum] = tuple(tree)
        return known

    def place(self, file: str, line: int, function: str) -> Location:
        """A line of source."""
        key = (file, line, function)
        found = self._places.get(key)
        if found is None:
            found = self._places[key] = Location(file, line, self.one(function))
        return found

    def values(self, held: Any) -> Any:
        """Data of JSON, its texts as one object each."""
        if isinstance(held, str):
            return self.one(held)
        if isinstance(held, dict):
            return {self.one(key): self.values(value) for key, value in held.items()}
        if isinstance(held, list):
            return [self.values(value) for value in held]
        return held


class Process:
    """The log of one process, as it grows. ``name_of`` tells a file name that it has inherited."""

    def __init__(
        self, pid: int, file: str, texts: Texts, name_of: Callable[[int], str | None]
    ) -> None:
        self.log = ProcessLog(pid=pid, files=(file,))
        self.names: dict[int, str] = {}
        self._texts = texts
        self._inherited = name_of
        self._compiles: dict[str, LoggedCompile] = {}
        self._attempts: dict[str, int] = {}
        self._running: dict[str, list[tuple[str, float]]] = {}

    def take_over(self, other: Process) -> None:
        """Take compiles from it that have begun, but not by Dynamo: it was another process."""
        for ident, compiled in list(other._compiles.items()):
            if not compiled.started and not compiled.metrics:
                del other._compiles[ident]
                other.log.compiles.remove(compiled)
                self._compiles[ident] = compiled
                self.log.compiles.append(compiled)
                self._running[ident] = other._running.pop(ident, [])

    # --- records, by kind ---

    def start(self, envelope: Envelope, line: int, stack: list[Line]) -> None:
        """``dynamo_start``."""
        ident = envelope.compile_id or ""
        attempt = envelope.attempt or 0
        now = self._compiles.get(ident)
        again = now is not None and (
            bool(now.metrics) or (now.started and attempt <= self._attempts.get(ident, 0))
        )
        compiled = self._compile(ident, line, again=again)
        compiled.started = True
        compiled.attempts = max(compiled.attempts, attempt + 1)
        self._attempts[ident] = attempt
        where = tuple([self._location(frame) for frame in stack])
        compiled.stack = self._texts.stacks.setdefault(where, where)

    def metrics(self, envelope: Envelope, line: int, record: Metrics) -> None:
        """``compilation_metrics``."""
        ident = self._ident(envelope, record.compile_id)
        now = self._compiles.get(ident)
        compiled = self._compile(ident, line, again=now is not None and bool(now.metrics))
        compiled.attempts = max(compiled.attempts, (envelope.attempt or 0) + 1)
        compiled.metrics = self._kept(record)
        self.log.torch = self.log.torch or str(compiled.metrics.get("pytorch_version", ""))
        self.log.python = self.log.python or str(compiled.metrics.get("python_version", ""))

    def later(self, envelope: Envelope, line: int, record: Metrics) -> None:
        """Metrics of a backward, or of a run time."""
        ident = self._ident(envelope, record.compile_id)
        self._compile(ident, line).later.append(self._kept(record))

    def guards(self, envelope: Envelope, line: int, payload: bytes) -> None:
        """``dynamo_cpp_guards_str``: the last tree of a compile is that of its cache entry."""
        compiled = self._compile(envelope.compile_id or "", line)
        compiled.guards = self._texts.tree(envelope.has_payload or "", payload)

    def symbol(self, envelope: Envelope, line: int, symbol: Symbol) -> None:
        """``create_symbol``."""
        said = ((name, getattr(symbol, name)) for name in ("symbol", "val", "source"))
        found = {name: self._texts.values(value) for name, value in said if value is not UNSET}
        self._compile(envelope.compile_id or "", line).symbols.append(found)

    def artifact(self, envelope: Envelope, line: int, name: str, text: bytes) -> None:
        """One of ``ARTIFACTS``; raises UnknownFormError."""
        if name == "torch_version":
            self.log.torch = self.log.torch or decoded(version_decoder, text).pytorch_version
            return
        ident = envelope.compile_id or ""
        if name == "recompile_reasons":
            now = self._compiles.get(ident)
            again = now is not None and (now.started or bool(now.metrics))
            reasons = [self._texts.one(reason) for reason in reasons_of(text)]
            self._compile(ident, line, again=again).reasons += reasons
            return
        compiled = self._compile(ident, line)
        held = compiled.errors if name == "dynamo_error" else compiled.breaks
        held.append(self._texts.one(text.decode("utf-8", "replace")))

    def cache(self, envelope: Envelope, line: int, name: str) -> None:
        """One of ``CACHES``: what is told by its name alone."""
        caches = self._compile(envelope.compile_id or "", line).caches
        caches[name] = caches.get(name, 0) + 1

    def event(self, ident: str | None, line: int, payload: bytes) -> None:
        """``chromium_event``: a stage where it ends, or is whole; raises UnknownFormError."""
        event = event_of(payload)
        if not 0 <= event.ts < _MOST_MICROSECONDS:
            raise UnknownFormError("ts")
        phase = event.ph
        if ident is None:
            ident = compile_of_event(payload)
        if phase == "B":
            self._begin(ident, line, event.name, event.ts)
        elif phase == "E":
            self._end(ident, line, event.name, event.ts)
        elif phase == "X":
            self._stage(ident, line, event.name, event.ts, event.dur)

    # --- what they share ---

    def _begin(self, ident: str, line: int, name: str, at: float) -> None:
        now = self._compiles.get(ident)
        if now is not None and ident:
            ended = bool(now.metrics)
            if (name == _OUTERMOST and (ended or now.started)) or (name in _BEGINNINGS and ended):
                self._compile(ident, line, again=True)
                self._running.pop(ident, None)
        elif ident:
            self._compile(ident, line)
        self._running.setdefault(ident, []).append((name, at))

    def _end(self, ident: str, line: int, name: str, at: float) -> None:
        running = self._running.get(ident, [])
        for index in range(len(running) - 1, -1, -1):
            if running[index][0] == name:
                began = running[index][1]
                del running[index:]  # what began inside and did not end was broken off
                self._stage(ident, line, name, began, at - began)
                break
        if not running:
            self._running.pop(ident, None)

    def _stage(self, ident: str, line: int, name: str, began: float, lasted: float) -> None:
        seconds = lasted / 1e6 if lasted > 0 else 0.0
        stage = LoggedStage(name=self._texts.one(name), began=began / 1e6, seconds=seconds)
        known = self._compiles.get(ident)
        if known is None and ident:
            known = self._compile(ident, line)
        (known.stages if known is not None and ident else self.log.stages).append(stage)

    def _compile(self, ident: str, line: int, *, again: bool = False) -> LoggedCompile:
        compiled = self._compiles.get(ident)
        if compiled is None or again:
            compiled = LoggedCompile(id=self._texts.one(ident), line=line)
            self._compiles[ident] = compiled
            self._attempts.pop(ident, None)
            self.log.compiles.append(compiled)
        return compiled

    def _ident(self, envelope: Envelope, told: Any) -> str:
        """The envelope is trusted; torch's metrics may hold the id of another compile."""
        return envelope.compile_id or (told if isinstance(told, str) else "")

    def _kept(self, record: Metrics) -> dict[str, Any]:
        whole = self._texts.values
        return {
            name: value if type(value) in _NUMBERS else whole(value)
            for name, value in kept(record).items()
        }

    def _location(self, at: Line) -> Location:
        number, file = at.filename, at.uninterned_filename
        if not isinstance(file, str):
            file = self._name(number) if isinstance(number, int) else str(number or "")
        line = at.line if is_whole(at.line) else 0
        return self._texts.place(file, line, str(at.name))

    def _name(self, number: int) -> str:
        name = self.names.get(number)
        if name is None and 0 not in self.names:
            name = self._inherited(number)
            self.log.continues = self.log.continues or name is None
        return name or ""


def reasons_of(payload: bytes) -> list[str]:
    """As each version writes them: a JSON list, or one bare text; raises UnknownFormError."""
    text = payload.decode("utf-8", "replace")
    if text[:1] not in ("[", '"'):
        return [text]
    try:
        held = json.loads(text)
    except (ValueError, RecursionError):
        return [text]
    reasons = [held] if isinstance(held, str) else held
    if not isinstance(reasons, list) or not all(isinstance(reason, str) for reason in reasons):
        raise UnknownFormError("recompile_reasons")
    return reasons
