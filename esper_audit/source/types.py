"""Which classes of the project an expression may be an object of, as far as source tells."""

from __future__ import annotations

import ast
from collections.abc import Iterable

from esper_audit.source.attributes import SiteKind, sites_of_class
from esper_audit.source.classes import Classes
from esper_audit.source.definitions import Class, Function, Value, dotted, walk
from esper_audit.source.project import SourceFile

_DEEPEST = 6
"""Steps from an expression to the class that it makes."""

_HOLDERS = ("ModuleList", "Sequential", "ModuleDict", "list", "List", "dict", "Dict", "Sequence")


class Types:
    """Answers for one project. An empty set says that it isn't known."""

    def __init__(self, classes: Classes) -> None:
        self.classes = classes
        self._attributes: dict[tuple[Class, str], frozenset[Class]] = {}
        self._annotations: dict[Class, dict[str, list[ast.expr]]] = {}
        self._locals: dict[Function, dict[str, list[ast.expr]]] = {}

    def of(
        self, node: ast.expr, function: Function, made: Class | None, depth: int = 0
    ) -> frozenset[Class]:
        """Of an expression in ``function``, where ``self`` is a ``made``."""
        if depth > _DEEPEST:
            return frozenset()
        match node:
            case ast.Name(id="self") if made is not None:
                return frozenset((made,))
            case ast.Name():
                return self._of_name(node, function, made, depth)
            case ast.Attribute():
                owners = self.of(node.value, function, made, depth + 1)
                return _joined(self.attribute(one, node.attr, depth + 1) for one in owners)
            case ast.Call():
                return self._of_call(node, function, made, depth)
            case ast.Subscript():
                return self.of(node.value, function, made, depth + 1)
            case ast.IfExp():
                parts = (node.body, node.orelse)
                return _joined(self.of(part, function, made, depth + 1) for part in parts)
            case ast.BoolOp():
                return _joined(self.of(part, function, made, depth + 1) for part in node.values)
        return frozenset()

    def attribute(self, made: Class, name: str, depth: int = 0) -> frozenset[Class]:
        """Of ``self.name`` of a class, from what is assigned to it and from annotations."""
        key = (made, name)
        if key not in self._attributes:
            self._attributes[key] = frozenset()  # of what is made of itself
            self._attributes[key] = self._of_attribute(made, name, depth)
        return self._attributes[key]

    def _of_attribute(self, made: Class, name: str, depth: int) -> frozenset[Class]:
        found: set[Class] = set()
        for one in self.classes.line(made):
            for site in sites_of_class(one, self.classes).get(name, ()):
                if site.kind is SiteKind.WRITE and site.value is not None and site.function:
                    found |= self.held(site.value, site.function, made, depth + 1)
            for note in self._notes(one).get(name, ()):
                found |= self.annotated(note, one.file)
            method = one.methods.get(name)
            if method is not None and method.is_property:
                found |= self.annotated(method.node.returns, one.file)
        return frozenset(found)

    def _notes(self, made: Class) -> dict[str, list[ast.expr]]:
        """The annotations of attributes in a class, ``a: T`` and ``self.a: T``."""
        known = self._annotations.get(made)
        if known is None:
            known = self._annotations[made] = {}
            for node in walk(made.node):
                if isinstance(node, ast.AnnAssign):
                    name = dotted(node.target).removeprefix("self.")
                    known.setdefault(name, []).append(node.annotation)
        return known

    def held(
        self, node: ast.expr, function: Function, made: Class | None, depth: int
    ) -> frozenset[Class]:
        """Of an expression, or of what a list of modules holds."""
        if isinstance(node, ast.Call) and dotted(node.func).rpartition(".")[2] in _HOLDERS:
            return _joined(self.held(one, function, made, depth + 1) for one in node.args)
        if isinstance(node, ast.List | ast.Tuple):
            return _joined(self.held(one, function, made, depth + 1) for one in node.elts)
        if isinstance(node, ast.ListComp | ast.GeneratorExp):
            return self.of(node.elt, function, made, depth + 1)
        return self.of(node, function, made, depth)

    def _of_name(
        self, node: ast.Name, function: Function, made: Class | None, depth: int
    ) -> frozenset[Class]:
        parameter = next((arg for arg in function.parameters if arg.arg == node.id), None)
        if parameter is not None:
            return self.annotated(parameter.annotation, function.file)
        bound = self._bound(function).get(node.id, ())
        return _joined(self.held(value, function, made, depth + 1) for value in bound)

    def _bound(self, function: Function) -> dict[str, list[ast.expr]]:
        known = self._locals.get(function)
        if known is None:
            known = self._locals[function] = {}
            for node in walk(function.node):
                if isinstance(node, ast.Assign):
                    targets, value = node.targets, node.value
                elif isinstance(node, ast.For):
                    targets, value = [node.target], node.iter
                else:
                    continue
                for target in targets:
                    if isinstance(target, ast.Name):
                        known.setdefault(target.id, []).append(value)
        return known

    def _of_call(
        self, node: ast.Call, function: Function, made: Class | None, depth: int
    ) -> frozenset[Class]:
        if isinstance(node.func, ast.Subscript):  # KINDS[name](...)
            return self._of_table(node.func, function.file)
        meant = self.classes.meaning(node.func, function.file)
        if isinstance(meant, Class):
            return frozenset((meant,))
        if isinstance(meant, Function):
            return self.annotated(meant.node.returns, meant.file)
        if isinstance(node.func, ast.Attribute):
            owners = self.of(node.func.value, function, made, depth + 1)
            methods = (self.classes.method(one, node.func.attr) for one in owners)
            found = (self.annotated(one.node.returns, one.file) for one in methods if one)
            known = _joined(found)
            if known or node.func.attr not in ("to", "eval", "train", "requires_grad_", "cuda"):
                return known
            return owners
        return frozenset()

    def _of_table(self, node: ast.Subscript, file: SourceFile) -> frozenset[Class]:
        """The classes that a module-level dict of classes holds."""
        table = self.classes.meaning(node.value, file)
        if not isinstance(table, Value) or not isinstance(table.node, ast.Dict):
            return frozenset()
        meant = (self.classes.meaning(value, table.file) for value in table.node.values)
        return frozenset(one for one in meant if isinstance(one, Class))

    def annotated(self, node: ast.expr | None, file: SourceFile) -> frozenset[Class]:
        """The classes that an annotation names; quoted, optional and unions too."""
        match node:
            case ast.Constant(value=str() as text):
                try:
                    return self.annotated(ast.parse(text.strip(), mode="eval").body, file)
                except (SyntaxError, ValueError):
                    return frozenset()
            case ast.BinOp():
                return self.annotated(node.left, file) | self.annotated(node.right, file)
            case ast.Subscript():
                inner = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
                return _joined(self.annotated(one, file) for one in inner)
            case ast.Name() | ast.Attribute():
                meant = self.classes.meaning(node, file)
                return frozenset((meant,)) if isinstance(meant, Class) else frozenset()
        return frozenset()


def _joined(sets: Iterable[frozenset[Class]]) -> frozenset[Class]:
    return frozenset().union(*sets)


def types_of(classes: Classes) -> Types:
    """The types of a project, worked out once."""
    memory = classes.project.memory
    found = memory.get(Types) or memory.setdefault(Types, Types(classes))
    assert isinstance(found, Types)
    return found
