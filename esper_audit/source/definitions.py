"""What one file defines and imports: classes, functions, module-level names."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

from esper_audit.data.places import Location
from esper_audit.source.project import SourceFile

Def = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True, eq=False)
class Class:
    """A class of the project. ``qualname`` is as Python's: ``Outer.Inner``, ``f.<locals>.C``."""

    name: str
    qualname: str
    file: SourceFile
    node: ast.ClassDef
    methods: dict[str, Function] = field(default_factory=dict)

    @cached_property
    def notes(self) -> dict[str, list[ast.expr]]:
        """The annotations of names in the body: ``a: T``."""
        found: dict[str, list[ast.expr]] = {}
        for node in self.node.body:
            match node:
                case ast.AnnAssign(target=ast.Name(id=name), annotation=annotation):
                    found.setdefault(name, []).append(annotation)
        return found

    @property
    def location(self) -> Location:
        return Location(self.file.path, self.node.lineno, self.qualname)


@dataclass(frozen=True, eq=False)
class Function:
    """A function or method of the project. ``owner`` is the class whose body it stands in."""

    name: str
    qualname: str
    file: SourceFile
    node: Def
    owner: Class | None = None

    @property
    def location(self) -> Location:
        return Location(self.file.path, self.node.lineno, self.qualname)

    @property
    def decorators(self) -> tuple[str, ...]:
        """Dotted names of its decorators, calls without their arguments."""
        return tuple(dotted(called(made)) for made in self.node.decorator_list)

    @property
    def is_property(self) -> bool:
        return any(name.endswith(("property", ".getter")) for name in self.decorators)

    @property
    def parameters(self) -> list[ast.arg]:
        """Those that can be passed by position, then those by keyword alone; with ``self``."""
        args = self.node.args
        return [*args.posonlyargs, *args.args, *args.kwonlyargs]


@dataclass(frozen=True)
class External:
    """Something outside of the project: ``torch.nn.Module``."""

    name: str


@dataclass(frozen=True, eq=False)
class Value:
    """A module-level variable, with the expression it is bound to first."""

    name: str
    file: SourceFile
    node: ast.expr


Meant = Class | Function | External | Value | SourceFile
"""What a name means. A SourceFile is an imported module of the project."""


def children(node: ast.AST) -> Iterator[ast.AST]:
    """As ``ast.iter_child_nodes``, twice as fast: without contexts and operators."""
    for name in node._fields:
        held = getattr(node, name, None)
        if isinstance(held, list):
            for one in held:
                if isinstance(one, ast.AST):
                    yield one
        elif isinstance(held, ast.AST) and held._attributes:
            yield held


def walk(node: ast.AST) -> Iterator[ast.AST]:
    """As ``ast.walk``, without contexts and operators; in no special order."""
    waiting = [node]
    while waiting:
        one = waiting.pop()
        yield one
        waiting.extend(children(one))


def called(node: ast.expr) -> ast.expr:
    return node.func if isinstance(node, ast.Call) else node


def dotted(node: ast.expr | None) -> str:
    """``a.b.c`` of an expression that is only that; else empty."""
    parts = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    return ".".join([node.id, *reversed(parts)]) if isinstance(node, ast.Name) else ""


@dataclass
class Names:
    """What one file defines and imports."""

    classes: list[Class] = field(default_factory=list)
    functions: list[Function] = field(default_factory=list)
    top: dict[str, Class | Function | Value] = field(default_factory=dict)
    nested: dict[str, Class | Function] = field(default_factory=dict)
    imports: dict[str, tuple[str, int, str]] = field(default_factory=dict)
    """Name -> (module, level, name in the module; empty for the module itself)."""
    stars: list[tuple[str, int]] = field(default_factory=list)


_BLOCKS = (ast.If, ast.For, ast.While, ast.With, ast.Try, ast.AsyncFor, ast.AsyncWith, ast.Match)


def read_names(
    body: list[ast.stmt],
    file: SourceFile,
    names: Names,
    prefix: str,
    owner: Class | None,
    top: bool = False,
) -> None:
    for node in body:
        if isinstance(node, ast.ClassDef):
            made = Class(node.name, f"{prefix}{node.name}", file, node)
            names.classes.append(made)
            _define(names, made, top)
            read_names(node.body, file, names, f"{made.qualname}.", made)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            function = Function(node.name, f"{prefix}{node.name}", file, node, owner)
            names.functions.append(function)
            _define(names, function, top)
            if owner is not None and not _is_setter(function, owner):
                owner.methods[node.name] = function
            read_names(node.body, file, names, f"{function.qualname}.<locals>.", None)
        elif isinstance(node, ast.Import):
            for alias in node.names:
                first = alias.name.partition(".")[0]
                names.imports[alias.asname or first] = (
                    alias.name if alias.asname else first,
                    0,
                    "",
                )
        elif isinstance(node, ast.ImportFrom):
            _import_from(node, names)
        elif isinstance(node, ast.Assign | ast.AnnAssign) and top and node.value is not None:
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            for target in targets:
                if isinstance(target, ast.Name):
                    names.top.setdefault(target.id, Value(target.id, file, node.value))
        elif isinstance(node, _BLOCKS):
            for inner in _bodies(node):
                read_names(inner, file, names, prefix, owner, top)


def _is_setter(function: Function, owner: Class) -> bool:
    """A property's setter has its getter's name, and is called by assignments alone."""
    ends = tuple(name.rpartition(".")[2] for name in function.decorators)
    return function.name in owner.methods and any(end in ("setter", "deleter") for end in ends)


def _define(names: Names, made: Class | Function, top: bool) -> None:
    if top:
        names.top[made.name] = made
    else:
        names.nested.setdefault(made.qualname, made)


def _import_from(node: ast.ImportFrom, names: Names) -> None:
    for alias in node.names:
        if alias.name == "*":
            names.stars.append((node.module or "", node.level))
        else:
            place = (node.module or "", node.level, alias.name)
            names.imports.setdefault(alias.asname or alias.name, place)


def _bodies(node: ast.stmt) -> Iterator[list[ast.stmt]]:
    for name in ("body", "orelse", "finalbody"):
        yield getattr(node, name, [])
    for handler in getattr(node, "handlers", ()):
        yield handler.body
    for case in getattr(node, "cases", ()):
        yield case.body
