"""A learning rate, or another number of an optimizer, that is a float beside a compiled step."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from esper_audit.data.diagnoses import Diagnosis
from esper_audit.data.scans import Pattern, ScanFinding
from esper_audit.source.definitions import Function, dotted, walk
from esper_audit.source.project import SourceFile
from esper_audit.source.scan.context import Context
from esper_audit.source.values import ValueKind, kinds_of

_SETTINGS = frozenset(("lr", "weight_decay", "momentum", "betas", "eps"))


def find(context: Context) -> Iterator[ScanFinding]:
    """In files that compile the step of an optimizer: numbers of its groups that are set."""
    for file in context.compiling:
        if file.path in context.wanted and _compiles_a_step(file, context):
            yield from _set(file, context)
            yield from _scheduled(file, context)


def _compiles_a_step(file: SourceFile, context: Context) -> bool:
    """Whether compiled code calls ``step`` of an optimizer, directly or in its function."""
    compiled = [fn for fn in context.classes.functions_in(file) if fn in context.functions]
    if any(_steps(function.node) for function in compiled if _is_start(context, function)):
        return True
    calls = (node for node in walk(file.tree) if isinstance(node, ast.Call) and node.args)
    return any(
        context.is_compile(node.func, file)
        and (dotted(node.args[0]).endswith(".step") or _is_stepping(node.args[0]))
        for node in calls
    )


def _is_stepping(node: ast.expr) -> bool:
    return isinstance(node, ast.Lambda) and _steps(node)


def _is_start(context: Context, function: Function) -> bool:
    return context.functions[function].caller is None and function.name != "forward"


def _steps(function: ast.AST) -> bool:
    for node in walk(function):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            owner = dotted(node.func.value).rpartition(".")[2].lower()
            if node.func.attr == "step" and ("opt" in owner or owner in ("adam", "sgd", "adamw")):
                return True
    return False


def _set(file: SourceFile, context: Context) -> Iterator[ScanFinding]:
    """``group["lr"] = rate``."""
    for function, node in _assignments(file, context):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        for target in targets:
            match target:
                case ast.Subscript(value=held, slice=ast.Constant(value=str() as name)):
                    known = kinds_of(node.value, function)
                    if name in _SETTINGS and ValueKind.TENSOR not in known and _is_group(held):
                        yield _finding(context, file, target, function, f'{_text(held)}["{name}"]')


def _assignments(
    file: SourceFile, context: Context
) -> Iterator[tuple[Function | None, ast.Assign | ast.AugAssign]]:
    inside: dict[ast.AST, Function] = {}
    for function in context.classes.functions_in(file):
        inside |= dict.fromkeys(walk(function.node), function)
    for node in walk(file.tree):
        if isinstance(node, ast.Assign | ast.AugAssign):
            yield inside.get(node), node


def _is_group(node: ast.expr) -> bool:
    text = _text(node).lower()
    return "group" in text or text in ("g", "pg") or "opt" in text


def _text(node: ast.expr) -> str:
    return ast.unparse(node)


def _finding(
    context: Context, file: SourceFile, node: ast.expr, function: Function | None, subject: str
) -> ScanFinding:
    return context.finding(
        Diagnosis.FLOAT_SPECIALIZED,
        Pattern.LEARNING_RATE,
        file,
        node,
        function,
        subject=subject,
    )


def _scheduled(file: SourceFile, context: Context) -> Iterator[ScanFinding]:
    """An optimizer with a float as ``lr``, in a file whose scheduler sets that."""
    calls = [node for node in walk(file.tree) if isinstance(node, ast.Call)]
    if not any("lr_scheduler." in dotted(node.func) or _is_scheduler(node) for node in calls):
        return
    for node in calls:
        for keyword in node.keywords:
            name = dotted(node.func)
            is_optimizer = "optim." in name or name in ("SGD", "Adam", "AdamW", "RMSprop")
            if keyword.arg == "lr" and is_optimizer and not _is_tensor(keyword.value):
                yield _finding(context, file, keyword.value, None, f"lr of {name}")


def _is_scheduler(node: ast.Call) -> bool:
    last = dotted(node.func).rpartition(".")[2]
    return last.endswith(("LR", "Scheduler", "Restarts", "ReduceLROnPlateau"))


def _is_tensor(node: ast.expr) -> bool:
    return ValueKind.TENSOR in kinds_of(node, None) or not isinstance(node, ast.Constant)
