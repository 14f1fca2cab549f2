"""Which functions ``forward`` reaches: what compiled code of a module may run.

Calls of ``self.method()``, ``super().method()``, properties, methods of attributes, parameters and
variables whose class is known, with the overrides in subclasses, and functions of the project.
What is called through anything else is not followed, and counted in ``Reached.unknown``.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from esper_audit.data.places import Location
from esper_audit.source.classes import Classes, classes_of
from esper_audit.source.definitions import Class, Def, Function, children
from esper_audit.source.project import Project
from esper_audit.source.types import types_of

_MOST = 20_000
"""Functions that are followed from one forward."""

_MOST_OVERRIDES = 40
"""Subclasses whose overrides are followed; a base of more says too little about the object."""

_OUTSIDE = frozenset(("torch.compiler.disable", "torch._dynamo.disable", "torch.jit.unused"))
"""Decorators of functions that compiled code leaves."""


@dataclass(frozen=True)
class Step:
    """One function that is reached, as a method of ``made`` where it is one.

    ``caller`` and ``line`` say from where: the shortest way. Both are None for forward itself.
    """

    function: Function
    made: Class | None
    caller: Step | None = None
    line: int | None = None

    @property
    def way(self) -> tuple[Location, ...]:
        """From forward's first call on, the lines that lead here."""
        if self.caller is None or self.line is None:
            return ()
        here = Location(self.caller.function.file.path, self.line, self.caller.function.qualname)
        return (*self.caller.way, here)


Target = tuple[Function, Class | None]
"""A function, and the class of its ``self`` where it is a method."""


@dataclass
class Reached:
    """Functions that forwards reach, with the way to each; ``unknown`` calls were not followed."""

    steps: dict[Target, Step] = field(default_factory=dict)
    calls: dict[Target, list[tuple[ast.expr, list[Target]]]] = field(default_factory=dict)
    """What each calls: the call, or the property that is read, and what it may run."""
    unknown: int = 0

    def __contains__(self, function: Function | None) -> bool:
        return function is not None and function in self.functions

    @property
    def functions(self) -> dict[Function, Step]:
        """Each function once, with its shortest way."""
        found: dict[Function, Step] = {}
        for step in self.steps.values():
            found.setdefault(step.function, step)
        return found


def reached_from(project: Project, made: Class, method: str = "forward") -> Reached:
    """What a method of objects of this class reaches, itself included; nothing if it has none."""
    start = classes_of(project).method(made, method)
    return reached_from_all(project, [(start, made)] if start is not None else [])


def reached_from_all(project: Project, starts: Iterable[Target], most: int = _MOST) -> Reached:
    """What any of the functions reaches, breadth first: the shortest way to each."""
    calls = Calls(classes_of(project))
    reached = Reached()
    waiting = [Step(function, made) for function, made in starts]
    while waiting and len(reached.steps) < most:
        following: list[Step] = []
        for step in waiting:
            key = (step.function, step.made)
            if key in reached.steps or not _OUTSIDE.isdisjoint(step.function.decorators):
                continue
            reached.steps[key] = step
            called = reached.calls[key] = list(calls.of(step.function, step.made))
            for node, targets in called:
                reached.unknown += not targets
                following += [Step(fn, made, step, node.lineno) for fn, made in targets]
        waiting = following
    return reached


class Calls:
    """The functions that a function calls, and the properties that it reads."""

    def __init__(self, classes: Classes) -> None:
        self.classes = classes
        self.types = types_of(classes)
        self._kept: dict[Function, list[ast.Call | ast.Attribute]] = {}

    def _nodes(self, function: Function) -> list[ast.Call | ast.Attribute]:
        """The calls and reads of attributes in a function."""
        if function not in self._kept:
            self._kept[function] = [
                node
                for node in within(function.node)
                if isinstance(node, ast.Call)
                or (isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load))
            ]
        return self._kept[function]

    def of(self, function: Function, made: Class | None) -> Iterator[tuple[ast.expr, list[Target]]]:
        """Each call of something in the project, and what it may mean.

        A call of which nothing is known has no targets. Calls of what lies outside are left out.
        """
        for node in self._nodes(function):
            if isinstance(node, ast.Call):
                targets = self.targets(node, function, made)
                if targets is not None:
                    yield node, targets
            else:
                found = self._properties(node, made)
                if found:
                    yield node, found

    def targets(
        self, node: ast.Call, function: Function, made: Class | None
    ) -> list[Target] | None:
        """What a call may run; empty for the unknown, None for what lies outside."""
        match node.func:
            case ast.Name():
                meant = self.classes.meaning(node.func, function.file)
                if isinstance(meant, Function):
                    return [(meant, None)]
                if meant is not None or node.func.id == "super":
                    return None
                owners = self.types.of(node.func, function, made)
                return self._methods(owners, "forward")
            case ast.Attribute(value=ast.Call(func=ast.Name(id="super"))):
                owner = function.owner
                if owner is None or made is None:
                    return []
                above = self.classes.method_above(made, owner, node.func.attr)
                return [(above, made)] if above is not None else None
            case ast.Attribute():
                return self._of_method(node.func, function, made)
            case _:
                owners = self.types.of(node.func, function, made)
                return self._methods(owners, "forward")

    def _of_method(
        self, called: ast.Attribute, function: Function, made: Class | None
    ) -> list[Target] | None:
        if isinstance(called.value, ast.Name) and called.value.id == "self" and made is not None:
            method = self.classes.method(made, called.attr)
            if method is not None:
                return [(method, made)]
        meant = self.classes.meaning(called, function.file)
        if isinstance(meant, Function):
            return [(meant, None)]
        if meant is not None:
            return None
        owners = self.types.of(called, function, made)
        if owners:
            return self._methods(owners, "forward")
        owners = self.types.of(called.value, function, made)
        return self._methods(owners, called.attr)

    def _methods(self, owners: Iterable[Class], name: str) -> list[Target]:
        """The method of each class, and of its subclasses: any of them may be there."""
        found: dict[Target, None] = {}
        for owner in owners:
            below = self.classes.subclasses(owner)
            for one in (owner, *(below if len(below) <= _MOST_OVERRIDES else ())):
                method = self.classes.method(one, name)
                if method is not None:
                    found[method, one] = None
        return list(found)

    def _properties(self, node: ast.Attribute, made: Class | None) -> list[Target]:
        is_self = isinstance(node.value, ast.Name) and node.value.id == "self"
        if not is_self or made is None:
            return []
        method = self.classes.method(made, node.attr)
        return [(method, made)] if method is not None and method.is_property else []


def within(function: Def) -> Iterator[ast.AST]:
    """The nodes of a function's body, without decorators, defaults and classes in it."""
    waiting: list[ast.AST] = list(reversed(function.body))
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.ClassDef):
            continue
        yield node
        waiting.extend(reversed(list(children(node))))
