"""What torch's metrics say of one compile: how it ended, and what it cost."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from esper_audit.data.compiles import GraphBreak, Outcome, RunsAfter
from esper_audit.data.places import Location
from esper_audit.data.stages import Seconds
from esper_audit.torch_text.break_artifact import read_artifact
from esper_audit.torch_text.breaks import helpful, is_on_purpose, read_break, second_break
from esper_audit.torch_text.reasons import EACH, limit_in
from esper_audit.traces.log_files import is_library_file, is_torch_file
from esper_audit.traces.process_log import LoggedCompile
from esper_audit.traces.written_code import resumed_function

_DYNAMOS_OWN = "torch/_dynamo/"
_GIVEN_UP = ("Graph break: torch.compile cannot properly resume", "Graph break: skip")
_UNSUPPORTED = ("Unsupported", "UserError")
_RAISED = "Observed exception"
_FROM_USER_CODE = "\n\nfrom user code:"
_MOST = 600
_REFUSALS = {"RecompileError": "error_on_recompile", "FailOnRecompileLimitHit": "fullgraph"}
_HIT_SETTING = "fail_on_recompile_limit_hit"


class Ended:
    """How one compile ended, from the last of its metrics."""

    def __init__(self, logged: LoggedCompile) -> None:
        self._logged, self._metrics = logged, logged.metrics
        self.error = str(self._metrics.get("fail_type") or "")
        self.said = str(self._metrics.get("fail_reason") or "")
        self.limit = self._limit()

    def _limit(self) -> str:
        """The limit that was hit: torch names it in what is then an error."""
        is_limit = "recompile limit" in self.said or "cache_size" in self.said
        if self.error in ("FailOnRecompileLimitHit", "RecompileLimitExceeded") or is_limit:
            return limit_in(self.said) or EACH
        return limit_in(self.said) if "limit reached" in self.said else ""

    @property
    def made_entry(self) -> bool:
        """Whether it left a cache entry: then torch has written its guards."""
        if self.error:
            return False
        if self._logged.guards:
            return True
        # Without its guards, as where they are damaged: nothing traced leaves code, too (2.13).
        traced = self._metrics.get("graph_op_count") or self._logged.breaks
        return bool(self._metrics.get("has_guarded_code")) and bool(traced)

    def outcome(self, entries_before: int) -> Outcome:
        if self.refused_by:
            return Outcome.REFUSED
        if self.limit:
            return Outcome.LIMIT
        if self.error:
            return Outcome.FAILED
        if not self.made_entry:
            return Outcome.SKIPPED
        return Outcome.RECOMPILED if entries_before else Outcome.COMPILED

    @property
    def refused_by(self) -> str:
        if _HIT_SETTING in self.said and self.error == "FailOnRecompileLimitHit":
            return _HIT_SETTING
        return _REFUSALS.get(self.error, "")

    @property
    def unsupported(self) -> bool:
        return self.error in _UNSUPPORTED

    @property
    def raised(self) -> bool:
        """Whether torch raises for sure: a refusal always reaches the caller."""
        return bool(self.refused_by)

    @property
    def runs_after(self) -> RunsAfter:
        """What torch does with later calls, where the log says so."""
        if self.limit and not self.refused_by:
            return RunsAfter.CACHED_ONLY
        given_up = any(text.startswith(_GIVEN_UP) for text in self._logged.breaks)
        is_empty = not self.error and not self.made_entry
        return RunsAfter.EAGER if given_up or is_empty else RunsAfter.COMPILE

    @property
    def reason(self) -> str:
        """Torch's first line; of an attempt without an error, why there is no entry."""
        if not self.error:
            return "" if self.made_entry else "no tensor operation was traced"
        text = self.said.partition(_FROM_USER_CODE)[0]
        said = read_break(text)
        if said.explanation or said.context:
            return f"{self.error}: {said.kind}"
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        first = " ".join(lines[:2]) if lines and lines[0].endswith(":") else "".join(lines[:1])
        return f"{self.error}: {first[:_MOST]}" if first else self.error

    @property
    def detail(self) -> str:
        text = self.said.partition(_FROM_USER_CODE)[0]
        said = read_break(text)
        if not self.error or not (said.explanation or said.context):
            return ""
        detail = said.context if said.kind == _RAISED else said.explanation
        return "; ".join(filter(None, [detail, second_break(text)]))[:_MOST]

    @property
    def hints(self) -> tuple[str, ...]:
        return helpful(read_break(self.said).hints) if self.error else ()

    @property
    def stopped_at(self) -> Location | None:
        file = self._metrics.get("fail_user_frame_filename")
        line = whole(self._metrics, "fail_user_frame_lineno")
        if not isinstance(file, str) or line is None or is_library_file(file):
            return None
        return Location(file, line)


def graph_breaks_of(logged: LoggedCompile, frame: Location) -> tuple[GraphBreak, ...]:
    """The graph breaks of a compile, from torch's texts; not that of a frame that it gave up."""
    texts = (text for text in logged.breaks if not text.startswith(_GIVEN_UP))
    return tuple(_graph_break(text, logged.id, frame) for text in texts)


@lru_cache(maxsize=256)
def _graph_break(text: str, compile_id: str, frame: Location) -> GraphBreak:
    found = read_artifact(text)
    said = read_break(found.reason)
    stack = _traced(found.stack, frame)
    traced = [place for place in stack if _DYNAMOS_OWN not in place.file]
    place = found.place or (traced[-1] if traced else None)
    in_library = place is not None and is_library_file(place.file)
    own = [line for line in stack if not is_library_file(line.file)]
    return GraphBreak(
        reason=found.reason,
        location=place,
        compile_id=compile_id,
        kind=said.kind,
        explanation=said.explanation,
        hints=said.hints,
        context=said.context,
        called=said.called,
        in_library=in_library,
        on_purpose=place is not None and is_torch_file(place.file) and is_on_purpose(said.kind),
        called_from=own[-1] if in_library and own else None,
    )


def _traced(stack: tuple[Location, ...], frame: Location) -> tuple[Location, ...]:
    """What was traced, from the frame in: torch's text begins with the calls that led to it."""
    names = (frame.function, resumed_function(frame.function))
    for start in reversed(range(len(stack))):
        if stack[start].file == frame.file and stack[start].function in names:
            return stack[start:]
    return ()


def seconds_of(metrics: Mapping[str, Any]) -> Seconds:
    """Wall seconds, and those of each stage where the log has them: each holds the next one's."""
    whole = _micros(metrics, "dynamo_cumulative_compile_time_us")
    aot = _micros(metrics, "aot_autograd_cumulative_compile_time_us")
    backend = _micros(metrics, "inductor_cumulative_compile_time_us")
    frame = number(metrics, "entire_frame_compile_time_s")
    spent = _micros(metrics, "duration_us")
    total = next((known for known in (spent, whole, frame) if known is not None), 0.0)
    return Seconds(total, _minus(whole, aot), _minus(aot, backend), backend)


def _micros(metrics: Mapping[str, Any], name: str) -> float | None:
    found = number(metrics, name)
    return None if found is None else found / 1e6


def _minus(whole: float | None, part: float | None) -> float | None:
    return None if whole is None else max(0.0, whole - (part or 0.0))


def number(metrics: Mapping[str, Any], name: str) -> float | None:
    """A figure that is no less than nothing; None for what is none."""
    found = metrics.get(name)
    is_number = isinstance(found, (int, float)) and not isinstance(found, bool)
    return float(found) if is_number and 0 <= found < 1e15 else None  # type: ignore[operator, arg-type]


def whole(metrics: Mapping[str, Any], name: str) -> int | None:
    """The same of a count."""
    found = number(metrics, name)
    return None if found is None else int(found)


def texts(metrics: Mapping[str, Any], name: str) -> list[str]:
    """A field that is a list of texts; none of it where it is anything else."""
    found = metrics.get(name)
    return [str(part) for part in found] if isinstance(found, list) else []


def config_of(metrics: Mapping[str, Any]) -> dict[str, Any]:
    """Dynamo's configuration, which torch writes as a text; empty where it can't be read."""
    held = metrics.get("dynamo_config")
    if isinstance(held, dict):
        return held
    return _config(held) if isinstance(held, str) else {}


@lru_cache(maxsize=16)
def _config(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
