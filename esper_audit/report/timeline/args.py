"""What an event of a timeline tells when it is chosen: facts by name, for readers and for SQL."""

from __future__ import annotations

from collections.abc import Sequence

from esper_audit.data.compiles import Compile, GraphBreak, GuardFailure, SkippedFrame
from esper_audit.data.diagnoses import Diagnosis
from esper_audit.data.places import Location
from esper_audit.report.timeline.spans import Args
from esper_audit.report.words.origins import with_origin
from esper_audit.report.words.paths import place, source_line
from esper_audit.report.words.reasons import in_words

Cause = tuple[Diagnosis, GuardFailure]
_SHOWN = 10
"""Of graph breaks of one compile, and of its causes."""


def of_compile(compile_: Compile, causes: Sequence[Cause], root: str) -> Args:
    """Of a compile: what was compiled, why, what it cost and what comes of it."""
    told = [_cause(compile_, cause, root) for cause in causes[:_SHOWN]]
    return {
        "compile_id": compile_.id,
        "frame": compile_.frame.name,
        "line": _line(Location(compile_.frame.file, compile_.frame.line), root),
        "outcome": compile_.outcome.value,
        "cause": told[0] if told else None,
        "other_causes": told[1:],
        "reason": compile_.reason,
        "detail": compile_.detail,
        "stopped_at": _place(compile_.stopped_at, root),
        "called_from": _place(compile_.stack[-1], root) if compile_.stack else "",
        "limit": compile_.limit,
        "refused_by": compile_.refused_by,
        "runs_after": compile_.runs_after.value,
        "step": compile_.step,
        "step_name": compile_.label,
        "phase": compile_.phase.value,
        "seconds": compile_.seconds.total,
        "dynamo_seconds": compile_.seconds.dynamo,
        "aot_autograd_seconds": compile_.seconds.aot_autograd,
        "backend_seconds": compile_.seconds.backend,
        "guards": compile_.guard_count,
        "graph_operations": compile_.graph_ops,
        "cache_entries_before": compile_.cache_entries_before,
        "recompiles_left": compile_.recompiles_left,
        "restarts": compile_.restarts,
        "graph_breaks": [_break(found, root) for found in compile_.graph_breaks[:_SHOWN]],
        "count": compile_.count if compile_.count > 1 else None,
    }


def of_skip(skip: SkippedFrame, root: str) -> Args:
    """Of a frame that torch skips."""
    return {
        "frame": skip.frame.name,
        "line": _line(Location(skip.frame.file, skip.frame.line), root),
        "reason": skip.reason,
        "for_good": skip.for_good,
        "called_from": _place(skip.called_from, root),
        "step": skip.step,
        "step_name": skip.label,
        "count": skip.count if skip.count > 1 else None,
    }


def _cause(compile_: Compile, cause: Cause, root: str) -> Args:
    diagnosis, failure = cause
    write = next((held for held in compile_.writes if held.source == failure.written), None)
    return {
        "diagnosis": diagnosis.value,
        "source": with_origin(failure.source, failure.origin),
        "old": failure.expected,
        "new": failure.actual,
        "changed": {name: f"{old} -> {new}" for name, (old, new) in failure.fields.items()},
        "cache_entry": failure.cache_entry,
        "written_by": _place(write.location, root) if write is not None else "",
        "writer_called_from": _place(write.called_from, root) if write is not None else "",
        "writer_unknown": in_words(write.unknown) if write is not None and write.unknown else "",
        "guarded_by": _place(failure.user_line, root),
    }


def _break(found: GraphBreak, root: str) -> str:
    what = found.kind or found.reason.partition("\n")[0]
    return f"{what} at {_place(found.location, root)}" if found.location is not None else what


def _place(location: Location | None, root: str) -> str:
    return place(location, root) if location is not None else ""


def _line(location: Location, root: str) -> str:
    return source_line(location, root) if location.file else ""
