"""A loader whose last batch may be smaller, beside compiled code: its size compiles again."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from esper_audit.data.diagnoses import Diagnosis
from esper_audit.data.scans import Pattern, ScanFinding
from esper_audit.source.definitions import dotted, walk
from esper_audit.source.project import SourceFile
from esper_audit.source.scan.compiles import compile_calls
from esper_audit.source.scan.context import Context

_DECIDES = frozenset(("drop_last", "batch_sampler", "sampler"))


def find(context: Context) -> Iterator[ScanFinding]:
    """Loaders in files that call torch.compile, without ``dynamic=True`` or a mark."""
    files = {call.file.path: call.file for call in compile_calls(context)}
    files |= {file.path: file for file in context.compiling if _compiles_a_part(file, context)}
    dynamic = {call.file.path for call in compile_calls(context) if "dynamic" in call.keywords}
    for file in files.values():
        if file.path in dynamic or "mark_dynamic" in file.text:
            continue
        for node in walk(file.tree):
            if isinstance(node, ast.Call) and _may_end_short(node):
                yield context.finding(
                    Diagnosis.SIZE_CHANGED,
                    Pattern.LAST_BATCH,
                    file,
                    node,
                    subject=ast.unparse(node.args[0])[:60] if node.args else "the loader",
                )


def _compiles_a_part(file: SourceFile, context: Context) -> bool:
    """``model.compile()``, a method of modules without a positional argument."""
    return file.path in context.wanted and any(
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == "compile"
        and not node.args
        for node in walk(file.tree)
    )


def _may_end_short(node: ast.Call) -> bool:
    """``DataLoader(data, batch_size=n)`` with no word on the last batch."""
    keywords = {keyword.arg: keyword.value for keyword in node.keywords}
    size = keywords.get("batch_size", node.args[1] if len(node.args) > 1 else None)
    is_one = isinstance(size, ast.Constant) and size.value in (None, 1)
    is_told = not _DECIDES.isdisjoint(keywords) and not _is_false(keywords.get("drop_last"))
    named = dotted(node.func).rpartition(".")[2] == "DataLoader"
    return named and size is not None and not is_one and not is_told and None not in keywords


def _is_false(node: ast.expr | None) -> bool:
    return isinstance(node, ast.Constant) and node.value is False
