"""A backend that is made anew for each call of torch.compile: no cache entry fits another one."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from esper_audit.data.diagnoses import Diagnosis
from esper_audit.data.scans import Pattern, ScanFinding
from esper_audit.source.definitions import dotted
from esper_audit.source.scan.compiles import CompileCall, compile_calls
from esper_audit.source.scan.context import Context


def find(context: Context) -> Iterator[ScanFinding]:
    """``backend=`` of a lambda, a partial, a call, or a function of the same loop or function."""
    for call in compile_calls(context):
        backend = call.keyword("backend")
        if backend is not None and _is_made(backend, call):
            yield context.finding(
                Diagnosis.BACKEND_CHANGED,
                Pattern.BACKEND_PER_CALL,
                call.file,
                call.node,
                call.function,
                subject=ast.unparse(backend)[:60],
            )


def _is_made(backend: ast.expr, call: CompileCall) -> bool:
    """Whether another call of torch.compile gets another object."""
    if call.loop is None and not call.is_per_call:
        return False
    if isinstance(backend, ast.Lambda):
        return True
    if isinstance(backend, ast.Call):
        return dotted(backend.func) not in ("str", "getattr", "os.environ.get", "os.getenv")
    return isinstance(backend, ast.Name) and backend.id in call.made_here
