"""A forward that returns its input before any tensor operation: Dynamo gives such a frame up."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from esper_audit.data.diagnoses import Diagnosis
from esper_audit.data.scans import Pattern, ScanFinding
from esper_audit.source.attributes import Site
from esper_audit.source.definitions import Class, Function, dotted
from esper_audit.source.scan.context import Context

_PLAIN = (ast.Expr, ast.Assert, ast.Import, ast.ImportFrom, ast.Pass, ast.Raise)


def find(context: Context) -> Iterator[ScanFinding]:
    """Returns of a parameter under a condition on state that changes after construction."""
    told: set[Function] = set()
    for made in context.modules:
        forward = context.classes.method(made, "forward")
        if forward is None or forward in told or forward.name != "forward":
            continue
        told.add(forward)
        for test, returned in _early(forward):
            later = _changing(context, made, test)
            if later:
                yield context.finding(
                    Diagnosis.EAGER_EMPTY_GRAPH,
                    Pattern.EARLY_RETURN,
                    forward.file,
                    returned,
                    forward,
                    made=made,
                    subject=", ".join(_attributes(test)),
                    later=tuple(later),
                )


def _early(forward: Function) -> Iterator[tuple[ast.expr, ast.Return]]:
    """``if test: return x`` at the top, with only such and plain statements before."""
    names = {arg.arg for arg in forward.parameters}
    for node in forward.node.body:
        if isinstance(node, ast.If) and not node.orelse and not _computes(node.test):
            last = node.body[-1]
            if isinstance(last, ast.Return) and len(node.body) == 1 and _is_given(last, names):
                yield node.test, last
            elif not isinstance(last, ast.Return | ast.Raise):
                return
        elif not isinstance(node, _PLAIN) or (isinstance(node, ast.Expr) and _computes(node.value)):
            return


def _is_given(node: ast.Return, names: set[str]) -> bool:
    """Whether it returns parameters as they are, or nothing."""
    match node.value:
        case None | ast.Constant():
            return True
        case ast.Name(id=name):
            return name in names
        case ast.Tuple(elts=parts):
            return all(isinstance(part, ast.Constant) or dotted(part) in names for part in parts)
    return False


def _computes(node: ast.expr) -> bool:
    """Whether an expression may run a tensor operation."""
    calls = (one.func for one in ast.walk(node) if isinstance(one, ast.Call))
    plain = ("isinstance", "hasattr", "getattr", "len", "torch.is_grad_enabled", "print")
    return any(dotted(call) not in plain for call in calls)


def _attributes(test: ast.expr) -> list[str]:
    names = [dotted(node) for node in ast.walk(test) if isinstance(node, ast.Attribute)]
    return list(dict.fromkeys(name for name in names if name.startswith("self.")))


def _changing(context: Context, made: Class, test: ast.expr) -> list[Site]:
    found: list[Site] = []
    for name in _attributes(test):
        first, *rest = name.removeprefix("self.").split(".")
        held = context.held(made, first)
        outside = [site for site in held.later if site.function not in context.functions]
        if not rest and outside and held.changes:
            found += held.later
    return found
