"""The compiles of a trace log, each with what kept the entries before it from matching."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

from esper_audit.data.compiles import Compile, GuardFailure
from esper_audit.data.files import is_file
from esper_audit.data.notices import Unrecognized
from esper_audit.data.numbers import still_left
from esper_audit.data.places import Frame, Location
from esper_audit.data.reasons import said
from esper_audit.data.stages import Stage
from esper_audit.data.steps import Phase
from esper_audit.torch_text.reasons import ACCUMULATED, EACH
from esper_audit.torch_text.recompile_reasons import RecompileReason, read_reason
from esper_audit.torch_text.sources import frame_key
from esper_audit.traces.attempts import (
    Ended,
    config_of,
    graph_breaks_of,
    number,
    seconds_of,
    texts,
    whole,
)
from esper_audit.traces.causes import Entry, failures_of
from esper_audit.traces.guard_trees import MOST_LINES, tree_of
from esper_audit.traces.log_files import is_torch_file, torch_folder_in
from esper_audit.traces.logged_frames import instance_of, is_direct, place_of, user_stack
from esper_audit.traces.logged_names import LoggedNames
from esper_audit.traces.process_log import LoggedCompile, ProcessLog
from esper_audit.traces.remembered import Remembered
from esper_audit.traces.stated import StatedValues
from esper_audit.traces.written_code import WrittenCode, written_code

_SETTINGS = (
    *(EACH, ACCUMULATED, "automatic_dynamic_shapes", "assume_static_by_default"),
    *("suppress_errors", "specialize_float", "disable"),
)
_OLD_NAMES = {EACH: "cache_size_limit", ACCUMULATED: "accumulated_cache_size_limit"}
"""Names before 2.6, which some logs of 2.6 still have."""


_key = lru_cache(maxsize=1024)(frame_key)

_FAILURES: Remembered[tuple[GuardFailure, ...]] = Remembered(MOST_LINES)
"""By what they are made of. The answer weighs as much as the guards that were compared."""

_UNFINISHED = "it began at line {line} of the log, which does not have its end"


@dataclass(slots=True)
class _Known:
    """Of one code object, by torch's number of it: where it is, and the entries that it has."""

    frame: Frame
    code: WrittenCode
    place: Location
    lines: dict[str, tuple[str, ...]] = field(default_factory=dict)


class Compiles:
    """Makes the compiles of one process, in their order."""

    def __init__(self, log: ProcessLog, root: str) -> None:
        self._log, self._root = log, root
        self._config: Mapping[str, Any] = {}
        self._seen: set[str] = set()
        self._frames: dict[str, _Known] = {}
        self._unread: list[Unrecognized] = []
        self._paths: dict[str, str] = {}
        self._files = tuple(dict.fromkeys(self._all_files()))
        self._starts = {id(logged): _start(logged) for logged in log.compiles}
        known = (start for start in self._starts.values() if start is not None)
        self.began = min(known, default=None)

    # --- of the whole log ---

    def unread(self) -> Iterator[Unrecognized]:
        """Guards that can't be compared, and compiles whose end the log does not have."""
        yield from self._unread
        for logged in self._log.compiles:
            if logged.started and not (logged.metrics or logged.guards):
                place = place_of(logged)
                name = f" of {place.function}" if place is not None else ""
                yield Unrecognized(
                    f"compile {logged.id}{name}", _UNFINISHED.format(line=logged.line)
                )

    def first(self, name: str) -> Any:
        """The first value of a field of the metrics."""
        found = (logged.metrics.get(name) for logged in self._log.compiles)
        return next((value for value in found if value), None)

    def settings(self) -> dict[str, str]:
        """The settings that decide what torch.compile does, as they were last."""
        return {
            name: str(value) for name in _SETTINGS if (value := self._setting(name)) is not None
        }

    def _setting(self, name: str) -> Any:
        return self._config.get(name, self._config.get(_OLD_NAMES.get(name, name)))

    def seconds(self) -> float:
        """From the first compile's beginning to the last one's end."""
        ends = [
            start + seconds_of(logged.metrics).total
            for logged in self._log.compiles
            if (start := self._starts[id(logged)]) is not None
        ]
        return max(0.0, max(ends) - self.began) if ends and self.began is not None else 0.0

    def script(self) -> str:
        """The file that the program began in, where a stack reaches so far; else the log."""
        mains = (
            place.file
            for logged in self._log.compiles
            for place in logged.stack[:1]
            if place.function == "<module>"
        )
        known = next(mains, "")
        return known or next(iter(self._log.files), f"process {self._log.pid}")

    def _all_files(self) -> Iterator[str]:
        for logged in self._log.compiles:
            file = logged.metrics.get("co_filename")
            if isinstance(file, str):
                yield file
            yield from (place.file for place in logged.stack)

    # --- its compiles ---

    def compiles(self) -> Iterator[Compile]:
        ended = [logged for logged in self._log.compiles if logged.metrics or logged.guards]
        for sequence, logged in enumerate(ended):
            if logged.id in self._seen:  # torch numbers anew after torch._dynamo.reset()
                self._seen.clear()
                self._frames.clear()
            self._seen.add(logged.id)
            self._config = config_of(logged.metrics) or self._config
            yield self._compile(sequence, logged)

    def _compile(self, sequence: int, logged: LoggedCompile) -> Compile:
        ended, metrics = Ended(logged), logged.metrics
        known = self._of(logged)
        before = self._entries_before(logged, known)
        failures = self._read_failures(logged, known) if before else ()
        if ended.made_entry:
            known.lines[logged.id] = logged.guards
        start = self._starts[id(logged)]
        at = max(0.0, start - self.began) if start is not None and self.began is not None else 0.0
        frame = self._named_frame(known, logged)
        left = self._left(EACH, whole(metrics, "cache_size"), before, ended)
        return Compile(
            sequence=sequence,
            id=logged.id,
            frame=frame,
            outcome=ended.outcome(before),
            step=None,
            phase=Phase.WARM_UP,  # as of a program that never says that warm-up is over
            seconds=seconds_of(metrics),
            guard_failures=failures,
            torch_reasons=tuple(logged.reasons),
            guard_count=whole(metrics, "guard_count"),
            guard_latency_us=number(metrics, "guard_latency_us"),
            graph_ops=whole(metrics, "graph_op_count"),
            cache_entries_before=before,
            cache_entries_after=before + ended.made_entry,
            recompiles_left=left,
            accumulated_recompiles_left=self._left(ACCUMULATED, before, before, ended),
            graph_breaks=graph_breaks_of(logged, known.place),
            restarts=tuple(sorted(texts(metrics, "restart_reasons"))),
            stack=user_stack(logged.stack, known.frame),
            reason=ended.reason,
            runs_after=ended.runs_after,
            instance=instance_of(frame),
            at=round(at, 6),
            label=", ".join(texts(metrics, "recompile_user_contexts")),
            direct=is_direct(logged.stack, known.frame),
            limit=ended.limit,
            refused_by=ended.refused_by,
            unsupported=ended.unsupported,
            raised=ended.raised,
            detail=ended.detail,
            hints=ended.hints,
            stopped_at=ended.stopped_at,
            stages=tuple(self._stages(logged)),
        )

    def _stages(self, logged: LoggedCompile) -> Iterator[Stage]:
        for stage in sorted(logged.stages, key=lambda stage: (stage.began, -stage.seconds)):
            at = stage.began - (self.began if self.began is not None else stage.began)
            yield Stage(stage.name, round(max(0.0, at), 6), max(0.0, stage.seconds))

    # --- whose frame it is ---

    def _of(self, logged: LoggedCompile) -> _Known:
        """The code object: torch leaves it out of an attempt that hits a limit or is refused."""
        number_of_frame = logged.id.rpartition("/")[0]
        place = place_of(logged)
        known = self._frames.get(number_of_frame)
        if known is None or (place is not None and known.frame.file != place.file):
            place = place or Location("", 0, "<unknown>")
            known = self._frames[number_of_frame] = self._new(place)
        return known

    def _new(self, place: Location) -> _Known:
        code = written_code(place.file, place.line, place.function)
        root = self._root if is_file(place.file) else ""
        key = _key(place.file, code.name, root)
        return _Known(Frame(code.name, place.file, place.line, key, code.name), code, place)

    def _named_frame(self, known: _Known, logged: LoggedCompile) -> Frame:
        """Named after the user's module where torch wraps one: its tree has the module's class."""
        frame = known.frame
        if not is_torch_file(frame.file) or not frame.raw_name.endswith("inner"):
            return frame
        tree = tree_of(known.lines.get(logged.id, ()))
        name = tree.type_of("L['fn']").rpartition(".")[2]
        if not name or name in ("function", "method"):
            return frame
        return replace(frame, name=name, key=f"{frame.key}({name})")

    # --- its cache entries ---

    def _entries_before(self, logged: LoggedCompile, known: _Known) -> int:
        counted = whole(logged.metrics, "accumulated_cache_size")
        if counted == 0:
            known.lines.clear()  # dropped since
        if counted is not None:
            return counted
        return max(len(logged.reasons), len(known.lines))

    def _left(self, name: str, used: int | None, before: int, ended: Ended) -> int | None:
        limit = self._setting(name)
        if ended.limit == name:
            return 0
        if not isinstance(limit, int) or (ended.error and used is None and not ended.refused_by):
            return None
        return still_left(limit, (before if used is None else used) + 1)

    def _read_failures(self, logged: LoggedCompile, known: _Known) -> tuple[GuardFailure, ...]:
        """Without any where something in the log is of a form that nobody thought of."""
        try:
            return _FAILURES.answer(
                self._asked(logged, known),
                len(logged.guards) + sum(map(len, known.lines.values())),
                lambda: self._failures(logged, known),
            )
        except Exception as error:
            self._unread.append(Unrecognized(f"the guards of compile {logged.id}", said(error)))
            return ()

    def _asked(self, logged: LoggedCompile, known: _Known) -> Hashable:
        """All that failures are made of."""
        return (
            known.place,
            logged.guards,
            tuple(logged.reasons),
            str(logged.metrics.get("fail_reason") or ""),
            repr(logged.symbols),
            tuple(known.lines.items()),
            self._files,
        )

    def _failures(self, logged: LoggedCompile, known: _Known) -> tuple[GuardFailure, ...]:
        told = self._reasons(logged) or [(entry, None) for entry in reversed(known.lines)]
        trees = ((entry, tree_of(known.lines.get(entry, ())), reason) for entry, reason in told)
        entries = [Entry(entry, tree, reason) for entry, tree, reason in trees]
        values = StatedValues(tree_of(logged.guards), logged.symbols)
        names = LoggedNames(values, {entry.id: entry.tree for entry in entries}, known.code)
        return tuple(map(names.named, failures_of(entries, values, self._whole_path)))

    def _reasons(self, logged: LoggedCompile) -> list[tuple[str, RecompileReason | None]]:
        """Torch's reasons by cache entry, in its order."""
        texts = logged.reasons or refused_reasons(str(logged.metrics.get("fail_reason") or ""))
        return [(reason.entry, reason) for reason in map(read_reason, texts)]

    def _whole_path(self, line: Location) -> Location:
        """Torch cuts paths in its comments; a frame or a stack may have the whole one."""
        if line.file not in self._paths:
            self._paths[line.file] = self._whole_file(line.file) or line.file
        return replace(line, file=self._paths[line.file])

    def _whole_file(self, cut: str) -> str:
        known = next((file for file in self._files if file.endswith(cut)), "")
        torch_folder = next(filter(None, map(torch_folder_in, self._files)), "")
        in_torch = f"{torch_folder}/{cut}"
        return known or (in_torch if torch_folder and is_file(in_torch) else "")


def refused_reasons(said: str) -> list[str]:
    """The reasons in the error of a recompile that torch refused: they stand nowhere else."""
    _, begun, rest = said.partition("triggered by the following guard failure(s):\n")
    if not begun:
        return []
    lines = [line.strip().removeprefix("- ") for line in rest.splitlines()]
    found: list[str] = []
    for line in lines:
        if read_reason(line).entry or not found:
            found.append(line)
        else:
            found[-1] += f"\n{line}"
    return found


def _start(logged: LoggedCompile) -> float | None:
    micros = number(logged.metrics, "start_time_us")
    seconds = number(logged.metrics, "start_time")
    known = micros / 1e6 if micros is not None else seconds
    if known is not None:
        return known
    return min((stage.began for stage in logged.stages), default=None)
