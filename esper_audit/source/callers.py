"""Who calls a function, who calls these, and so on: as far as the targets of calls are known."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from esper_audit.data.places import Location
from esper_audit.source.attributes import SiteKind, sites_of
from esper_audit.source.classes import Classes
from esper_audit.source.definitions import Function
from esper_audit.source.project import SourceFile
from esper_audit.source.reach import Calls, within

_MOST = 500
"""Functions of one closure."""

_NOT_FOLLOWED = frozenset(("forward", "__init__", "__new__", "__call__", "_apply"))
"""What torch or Python calls: their callers tell nothing more."""


@dataclass(frozen=True, slots=True)
class _Call:
    """A call, and what it may run."""

    function: Function
    targets: frozenset[Function]


class Callers:
    """Answers for one project."""

    def __init__(self, classes: Classes) -> None:
        self.classes, self._calls = classes, Calls(classes)
        self._of_files: dict[str, tuple[_Call, ...]] = {}

    def closure(self, function: Function, besides: Iterable[str] = ()) -> tuple[Function, ...]:
        """The function, its callers, theirs, and so on, the nearest first.

        Not those named in ``besides``, nor what calls them.
        """
        found, left_out = {function: None}, frozenset(besides)
        waiting = [function] if function.name not in left_out else []
        while waiting and len(found) < _MOST:
            for caller in self._callers(waiting.pop(0)):
                if caller not in found and caller.name not in left_out:
                    found[caller] = None
                    waiting.append(caller)
        return tuple(found)

    def doubtful(self, names: Iterable[str], within_: Iterable[Function]) -> Iterator[Location]:
        """Calls of methods with these names on objects of which nothing is known.

        Also assignments to properties with these names. Looked for in the functions ``within_``.
        """
        wanted = frozenset(names)
        for function in within_:
            for node in within(function.node):
                if _named(node) in wanted and self._is_unknown(node, function):
                    line = getattr(node, "lineno", 0)
                    yield Location(function.file.path, line, function.qualname)

    def _is_unknown(self, node: ast.AST, function: Function) -> bool:
        if isinstance(node, ast.Call):
            return self._calls.targets(node, function, function.owner) == []
        assert isinstance(node, ast.Attribute)
        return not self._calls.types.of(node.value, function, function.owner)

    def _callers(self, function: Function) -> Iterator[Function]:
        if function.name in _NOT_FOLLOWED:
            return
        if is_setter(function):
            yield from self._assigning(function)
            return
        for file in self.classes.project.all(function.name):
            yield from (call.function for call in self._in(file) if function in call.targets)

    def _assigning(self, setter: Function) -> Iterator[Function]:
        """Functions that assign a property of an object that is known to have it."""
        for site in sites_of(self.classes.project, setter.name):
            if site.kind not in (SiteKind.WRITE, SiteKind.AUGMENTED) or site.function is None:
                continue
            if not isinstance(site.node, ast.Attribute):
                continue
            owners = self._calls.types.of(site.node.value, site.function, site.owner)
            if any(setter.owner in self.classes.line(one) for one in owners):
                yield site.function

    def _in(self, file: SourceFile) -> tuple[_Call, ...]:
        if file.path not in self._of_files:
            functions = self.classes.functions_in(file)
            calls = (call for function in functions for call in self._of(function))
            self._of_files[file.path] = tuple(calls)
        return self._of_files[file.path]

    def _of(self, function: Function) -> Iterator[_Call]:
        owner = function.owner
        for made in (owner, *(self.classes.subclasses(owner) if owner is not None else ())):
            for _, targets in self._calls.of(function, made):
                if targets:
                    yield _Call(function, frozenset(target for target, _ in targets))


def is_setter(function: Function) -> bool:
    """Whether it is run by an assignment, or by ``del``."""
    return any(name.endswith((".setter", ".deleter")) for name in function.decorators)


def _named(node: ast.AST) -> str:
    """The method that is called, or the attribute that is assigned; empty for anything else."""
    match node:
        case ast.Call(func=ast.Attribute(attr=name)):
            return name
        case ast.Attribute(ctx=ast.Store(), attr=name):
            return name
        case _:
            return ""
