"""torch.compile in a loop, or at each call: a new wrapper each time, and one cache for all."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from esper_audit.data.diagnoses import Diagnosis
from esper_audit.data.scans import Pattern, ScanFinding
from esper_audit.source.definitions import walk
from esper_audit.source.scan.compiles import CompileCall, compile_calls, depends_on, loop_resets
from esper_audit.source.scan.context import Context

_OPTIONS = ("backend", "dynamic", "mode", "options", "fullgraph")


def find(context: Context) -> Iterator[ScanFinding]:
    """Calls that compile the same thing again, or different ones of the same code."""
    for call in compile_calls(context):
        id_ = _in_loop(call) if call.loop is not None else _per_call(call)
        if id_ is not None:
            pattern = Pattern.COMPILE_IN_LOOP if call.loop is not None else Pattern.COMPILE_PER_CALL
            target = call.target
            yield context.finding(
                id_,
                pattern,
                call.file,
                call.node,
                call.function,
                subject=ast.unparse(target)[:60] if target is not None else _name(call),
            )


def _name(call: CompileCall) -> str:
    return getattr(call.node, "name", "")


def _in_loop(call: CompileCall) -> Diagnosis | None:
    """What compiling in a loop does; None for ``for part in model.parts: torch.compile(part)``."""
    if loop_resets(call):
        return None
    options = [call.keywords[name] for name in _OPTIONS if name in call.keywords]
    varies = any(depends_on(option, call.made_here) for option in options)
    if call.target is None:  # the decorator of a function that each iteration defines
        return Diagnosis.CAPTURED_VARIABLE
    if varies:
        return Diagnosis.BACKEND_CHANGED
    if not depends_on(call.target, call.made_here):
        return Diagnosis.BACKEND_CHANGED if not _leaves(call) else None
    if isinstance(call.target, ast.Lambda):
        return Diagnosis.CAPTURED_VARIABLE
    return None


def _leaves(call: CompileCall) -> bool:
    """Whether the loop ends, or goes on under a condition, once it has compiled."""
    assert call.loop is not None
    for node in walk(call.loop):
        if isinstance(node, ast.If) and any(one is call.node for one in walk(node)):
            return True
        if isinstance(node, ast.Break | ast.Return):
            return True
    return False


def _per_call(call: CompileCall) -> Diagnosis | None:
    """In code that runs at each step."""
    if call.target is None or not call.is_per_call:
        return None
    if isinstance(call.target, ast.Lambda):
        return Diagnosis.CAPTURED_VARIABLE
    return Diagnosis.BACKEND_CHANGED
