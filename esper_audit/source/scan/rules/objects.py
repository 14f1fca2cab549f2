"""Objects of one class that are compiled one by one, and differ in a Python number."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from esper_audit.data.diagnoses import Diagnosis
from esper_audit.data.scans import Pattern, ScanFinding
from esper_audit.source.attributes import SiteKind
from esper_audit.source.definitions import Class, dotted, walk
from esper_audit.source.project import SourceFile
from esper_audit.source.scan.context import Context


def find(context: Context) -> Iterator[ScanFinding]:
    """An index that a loop gives to each object, stored in an attribute that forward reads."""
    for file in context.compiling:
        if file.path in context.wanted and _compiles_parts(context, file):
            yield from _in_file(context, file)


def _compiles_parts(context: Context, file: SourceFile) -> bool:
    """``for part in parts: part.compile()``, or torch.compile of it; or a compiled forward."""
    for node in walk(file.tree):
        if isinstance(node, ast.For | ast.ListComp | ast.GeneratorExp):
            for call in (one for one in walk(node) if isinstance(one, ast.Call)):
                is_method = isinstance(call.func, ast.Attribute) and call.func.attr == "compile"
                if is_method or context.is_compile(call.func, file):
                    return True
        match node:
            case ast.FunctionDef(name="forward", decorator_list=decorators):
                if any(context.is_compile(one, file) for one in decorators):
                    return True
    return False


def _in_file(context: Context, file: SourceFile) -> Iterator[ScanFinding]:
    told: set[tuple[Class, str]] = set()
    for node in walk(file.tree):
        indices = _indices(node)
        for call in (one for one in walk(node) if isinstance(one, ast.Call)) if indices else ():
            made = context.classes.meaning(call.func, file)
            if not isinstance(made, Class) or not context.classes.is_module(made):
                continue
            for parameter in _given(call, made, context, indices):
                for attribute in _stored(context, made, parameter):
                    if (made, attribute) not in told:
                        told.add((made, attribute))
                        yield from _found(context, made, attribute)


def _found(context: Context, made: Class, attribute: str) -> Iterator[ScanFinding]:
    for site in context.reads(made, attribute)[:1]:
        yield context.finding(
            Diagnosis.OTHER_INSTANCE,
            Pattern.COMPILE_PER_OBJECT,
            site.file,
            site.node,  # type: ignore[arg-type]  # an expression, as of all sites
            site.function,
            made=made,
            subject=f"self.{attribute}",
        )


def _indices(node: ast.AST) -> set[str]:
    """Names that count: of ``range`` and ``enumerate``."""
    loops: list[ast.For | ast.comprehension] = []
    if isinstance(node, ast.For):
        loops = [node]
    elif isinstance(node, ast.ListComp | ast.GeneratorExp):
        loops = list(node.generators)
    found = set()
    for loop in loops:
        called = dotted(loop.iter.func) if isinstance(loop.iter, ast.Call) else ""
        target = loop.target
        if called == "enumerate" and isinstance(target, ast.Tuple):
            target = target.elts[0]
        if called in ("range", "enumerate") and isinstance(target, ast.Name):
            found.add(target.id)
    return found


def _given(call: ast.Call, made: Class, context: Context, indices: set[str]) -> Iterator[str]:
    """Parameters of the constructor that an index is passed to."""
    init = context.classes.method(made, "__init__")
    if init is None:
        return
    names = [arg.arg for arg in init.parameters][1:]
    for position, value in enumerate(call.args[: len(names)]):
        if isinstance(value, ast.Name) and value.id in indices:
            yield names[position]
    for keyword in call.keywords:
        if isinstance(keyword.value, ast.Name) and keyword.value.id in indices and keyword.arg:
            yield keyword.arg


def _stored(context: Context, made: Class, parameter: str) -> Iterator[str]:
    """Attributes that keep a parameter of the constructor as it is."""
    for one in context.classes.line(made):
        for attribute, sites in context.written(one).items():
            for site in sites:
                is_kept = isinstance(site.value, ast.Name) and site.value.id == parameter
                if is_kept and site.in_init and site.kind is SiteKind.WRITE:
                    yield attribute
