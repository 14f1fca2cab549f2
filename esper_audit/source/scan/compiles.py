"""Every call of torch.compile in the files of a scan, and how often it may run."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field

from esper_audit.source.definitions import Function, children, dotted, walk
from esper_audit.source.project import SourceFile
from esper_audit.source.scan.context import Context

Loop = ast.For | ast.AsyncFor | ast.While | ast.ListComp | ast.GeneratorExp | ast.DictComp


@dataclass
class CompileCall:
    """``torch.compile(target, ...)``, ``target.compile(...)`` or the decorator of a function.

    ``loop`` is the innermost loop around it in its function. ``made_here`` are names of functions
    and variables that each iteration, or each call of a function, makes anew.
    """

    node: ast.Call | ast.FunctionDef | ast.AsyncFunctionDef
    file: SourceFile
    function: Function | None
    loop: Loop | None
    target: ast.expr | None
    keywords: dict[str, ast.expr] = field(default_factory=dict)
    made_here: set[str] = field(default_factory=set)
    is_called: bool = False
    """``torch.compile(f)(x)``: the compiled function is thrown away."""
    is_per_call: bool = False
    """It stands in code that runs at each step: a forward, or a function that calls it at once."""

    def keyword(self, name: str) -> ast.expr | None:
        return self.keywords.get(name)


def compile_calls(context: Context) -> list[CompileCall]:
    """All in the files that findings are wanted of."""
    memory = context.project.memory
    key = ("compiles", context.wanted)
    if key not in memory:
        files = (file for file in context.compiling if file.path in context.wanted)
        memory[key] = [call for file in files for call in _in_file(context, file)]
    found: list[CompileCall] = memory[key]
    return found


def _in_file(context: Context, file: SourceFile) -> Iterator[CompileCall]:
    functions = {made.node: made for made in context.classes.functions_in(file)}
    yield from _walk(context, file, functions, file.tree, None, None, [])


def _walk(
    context: Context,
    file: SourceFile,
    functions: dict[ast.FunctionDef | ast.AsyncFunctionDef, Function],
    node: ast.AST,
    function: Function | None,
    loop: Loop | None,
    parents: list[ast.AST],
) -> Iterator[CompileCall]:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        for decorator in node.decorator_list:
            if context.is_compile(decorator, file):
                yield _decorated(node, decorator, file, function, loop)
        function, loop = functions.get(node), None
    elif isinstance(node, ast.ClassDef):
        loop = None
    elif isinstance(node, ast.Call):
        made = _call(context, file, node, function, loop, parents)
        if made is not None:
            yield made
    for child in children(node):
        inner = node if isinstance(node, Loop) and not _is_once(node, child) else loop
        around = [*parents, node][-3:]
        yield from _walk(context, file, functions, child, function, inner, around)


def _is_once(loop: ast.AST, child: ast.AST) -> bool:
    """What a loop runs once: what it goes over, and its else."""
    return child is getattr(loop, "iter", None) or child in getattr(loop, "orelse", ())


def _decorated(
    node: ast.FunctionDef | ast.AsyncFunctionDef,
    decorator: ast.expr,
    file: SourceFile,
    function: Function | None,
    loop: Loop | None,
) -> CompileCall:
    keywords = decorator.keywords if isinstance(decorator, ast.Call) else []
    named = {keyword.arg: keyword.value for keyword in keywords if keyword.arg}
    return CompileCall(node, file, function, loop, None, named, _made(loop, function))


def _call(
    context: Context,
    file: SourceFile,
    node: ast.Call,
    function: Function | None,
    loop: Loop | None,
    parents: list[ast.AST],
) -> CompileCall | None:
    keywords = {keyword.arg: keyword.value for keyword in node.keywords if keyword.arg}
    parent = parents[-1] if parents else None
    is_called = isinstance(parent, ast.Call) and parent.func is node
    if context.is_compile(node.func, file) and node.args and not isinstance(node.func, ast.Call):
        target = node.args[0]
    else:
        return None
    is_per_call = is_called and function is not None
    if function is not None and function.name in ("forward", "__call__", "training_step"):
        is_per_call = not _is_guarded(function, node)
    made = _made(loop, function)
    return CompileCall(node, file, function, loop, target, keywords, made, is_called, is_per_call)


def _is_guarded(function: Function, node: ast.Call) -> bool:
    """Whether it stands in an ``if``: compiled once, at the first call."""
    tests = (one for one in walk(function.node) if isinstance(one, ast.If))
    return any(one is node for test in tests for one in walk(test))


def _made(loop: Loop | None, function: Function | None) -> set[str]:
    """Names that are bound in the loop, or in the function where there is no loop."""
    scope: ast.AST | None = loop if loop is not None else function.node if function else None
    found: set[str] = set()
    for node in walk(scope) if scope is not None else ():
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node is not scope:
            found.add(node.name)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found.add(node.id)
    return found


def depends_on(node: ast.expr, names: set[str]) -> bool:
    """Whether an expression mentions one of the names."""
    return any(isinstance(one, ast.Name) and one.id in names for one in walk(node))


def loop_resets(call: CompileCall) -> bool:
    """Whether each iteration empties torch's caches."""
    calls = (one for one in walk(call.loop) if isinstance(one, ast.Call)) if call.loop else ()
    return any(dotted(one.func).endswith(("_dynamo.reset", "compiler.reset")) for one in calls)
