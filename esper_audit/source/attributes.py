"""Where attributes are read and written in a project: sites, each with its line and function.

Worked example: ``self.scale *= 0.5`` in ``Lora.forward`` is a Site of kind AUGMENTED, of attribute
``scale``, receiver ``self``, with the expression ``0.5`` as its value.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from esper_audit.data.places import Location
from esper_audit.source.classes import Classes, classes_of
from esper_audit.source.definitions import Class, Def, Function, children, dotted
from esper_audit.source.project import Project, SourceFile


class SiteKind(StrEnum):
    """What a line does with an attribute.

    ``read``; ``write``: binds it, also by ``setattr``, ``register_buffer``, a ``for`` or a tuple
    target; ``augmented``: ``a += 1``; ``in-place``: a method that ends with one underscore, such as
    ``fill_``, or an item or slice assigned; ``delete``; ``declared``: in the body of a class.
    """

    READ = "read"
    WRITE = "write"
    AUGMENTED = "augmented"
    IN_PLACE = "in-place"
    DELETE = "delete"
    DECLARED = "declared"


WRITES = frozenset((SiteKind.WRITE, SiteKind.AUGMENTED, SiteKind.DELETE))
"""Kinds after which the attribute is bound to another object."""


@dataclass(frozen=True, eq=False)
class Site:
    """One use of an attribute.

    ``receiver`` is dotted text before the attribute, ``self.controller``, or empty where it is
    another expression. ``column`` counts from 0, in characters. ``owner`` is the class whose body
    the line stands in, ``function`` the innermost one. ``value`` is what is assigned or passed,
    None where that isn't one expression. ``via`` names the call that writes: ``register_buffer``;
    of an item it is ``[]``, of an augmented one ``[]=``.
    ``called`` is the method that a READ calls on it: ``append``. ``node`` is the attribute, or the
    call of ``setattr`` and its kin.
    """

    kind: SiteKind
    attribute: str
    receiver: str
    file: SourceFile
    line: int
    column: int
    node: ast.AST
    owner: Class | None = None
    function: Function | None = None
    value: ast.expr | None = None
    via: str = ""
    called: str = ""

    @property
    def location(self) -> Location:
        function = self.function or self.owner
        return Location(self.file.path, self.line, function.qualname if function else "")

    @property
    def in_init(self) -> bool:
        """Whether it stands in the construction of an object, for its own attribute."""
        named = self.function.name if self.function is not None else ""
        return self.kind is SiteKind.DECLARED or (
            self.receiver == "self" and named in ("__init__", "__new__", "__post_init__")
        )


def sites_in(file: SourceFile, classes: Classes) -> tuple[Site, ...]:
    """All sites of a file, in the order of the lines; worked out once."""
    memory: dict[str, tuple[Site, ...]] = classes.project.memory.setdefault("sites", {})
    if file.path not in memory:
        memory[file.path] = tuple(sorted(_Reader(file, classes).sites, key=_order))
    return memory[file.path]


def sites_of_class(made: Class, classes: Classes) -> dict[str, list[Site]]:
    """The sites on ``self`` in the body of a class, and what it declares, by attribute."""
    memory: dict[Class, dict[str, list[Site]]] = classes.project.memory.setdefault(
        "class sites", {}
    )
    if made not in memory:
        memory.update((one, {}) for one in classes.in_file(made.file))
        for site in sites_in(made.file, classes):
            is_own = site.receiver == "self" or site.kind is SiteKind.DECLARED
            if site.owner is not None and is_own:
                memory[site.owner].setdefault(site.attribute, []).append(site)
    return memory[made]


def _order(site: Site) -> tuple[int, int]:
    return site.line, site.column


def sites_of(project: Project, attribute: str) -> Iterator[Site]:
    """All sites in the project of attributes with this name, whatever object they are of."""
    classes = classes_of(project)
    for file in project.all(attribute):
        yield from (site for site in sites_in(file, classes) if site.attribute == attribute)


def writers_of(project: Project, made: Class, attribute: str) -> tuple[Site, ...]:
    """The sites that may write this attribute of objects of this class, after construction too.

    Those on ``self`` stand in the class, a base or a subclass. Those on other receivers are taken
    by the attribute's name, but for ``self`` of unrelated classes.
    """
    classes = classes_of(project)
    related = {*classes.line(made), *classes.subclasses(made)}
    return tuple(
        site
        for site in sites_of(project, attribute)
        if site.kind is not SiteKind.READ and (site.owner in related or site.receiver != "self")
    )


class _Reader:
    """Walks one file once, with the class and function around each node."""

    def __init__(self, file: SourceFile, classes: Classes) -> None:
        self.file = file
        self.sites: list[Site] = []
        self._classes = {made.node: made for made in classes.in_file(file)}
        self._functions = {made.node: made for made in classes.functions_in(file)}
        self._taken: set[ast.AST] = set()
        self._lines_are_ascii = file.text.isascii()
        self._walk(file.tree, None, None)

    def _walk(self, node: ast.AST, owner: Class | None, function: Function | None) -> None:
        if isinstance(node, ast.ClassDef):
            owner, function = self._classes.get(node), None
            self._declared(node, owner)
        elif isinstance(node, Def):
            function = self._functions.get(node)
        else:
            self._here(node, owner, function)
        for child in children(node):
            self._walk(child, owner, function)

    def _declared(self, node: ast.ClassDef, owner: Class | None) -> None:
        for line in node.body:
            targets: Iterable[ast.expr] = ()
            if isinstance(line, ast.Assign):
                targets = line.targets
            elif isinstance(line, ast.AnnAssign) and line.value is not None:
                targets = (line.target,)
            for target in targets:
                if isinstance(target, ast.Name):
                    value = getattr(line, "value", None)
                    self._add(SiteKind.DECLARED, target.id, "", target, owner, None, value)

    def _here(self, node: ast.AST, owner: Class | None, function: Function | None) -> None:
        match node:
            case ast.Assign():
                for target in node.targets:
                    self._target(target, node.value, owner, function)
            case ast.AnnAssign():
                if node.value is not None:
                    self._target(node.target, node.value, owner, function)
                elif isinstance(node.target, ast.Attribute):
                    self._taken.add(node.target)  # an annotation alone does nothing
            case ast.AugAssign(target=ast.Attribute() as target):
                self._use(SiteKind.AUGMENTED, target, owner, function, node.value)
            case ast.AugAssign(target=ast.Subscript() as target):
                self._item(target, owner, function, node.value, "[]=")
            case ast.Call():
                self._call(node, owner, function)
            case ast.Subscript(ctx=ast.Store() | ast.Del()):
                self._item(node, owner, function, None)
            case ast.Attribute() if node not in self._taken:
                kind = {ast.Store: SiteKind.WRITE, ast.Del: SiteKind.DELETE}
                self._use(kind.get(type(node.ctx), SiteKind.READ), node, owner, function, None)

    def _target(
        self, target: ast.expr, value: ast.expr, owner: Class | None, function: Function | None
    ) -> None:
        match target:
            case ast.Attribute():
                self._use(SiteKind.WRITE, target, owner, function, value)
            case ast.Subscript():
                self._item(target, owner, function, value)
            case ast.Tuple(elts=targets) | ast.List(elts=targets):
                same = isinstance(value, ast.Tuple | ast.List) and len(value.elts) == len(targets)
                if same and not any(isinstance(one, ast.Starred) for one in targets):
                    for one, its in zip(targets, value.elts, strict=True):  # type: ignore[attr-defined]
                        self._target(one, its, owner, function)

    def _item(
        self,
        target: ast.Subscript,
        owner: Class | None,
        function: Function | None,
        value: ast.expr | None,
        via: str = "[]",
    ) -> None:
        if isinstance(target.value, ast.Attribute) and target.value not in self._taken:
            self._use(SiteKind.IN_PLACE, target.value, owner, function, value, via)

    def _call(self, node: ast.Call, owner: Class | None, function: Function | None) -> None:
        name, args = dotted(node.func), node.args
        last = name.rpartition(".")[2]
        if last in ("setattr", "__setattr__", "delattr") and args:
            at = 1 if last != "__setattr__" or len(args) == 3 else 0
            receiver = dotted(args[0]) if at else name.rpartition(".")[0]
            kind = SiteKind.DELETE if last == "delattr" else SiteKind.WRITE
            value = args[at + 1] if len(args) > at + 1 else None
            self._named(kind, args[at : at + 1], receiver, node, owner, function, value, last)
        elif last in ("register_buffer", "register_parameter", "add_module", "register_module"):
            value = args[1] if len(args) > 1 else None
            value = next((kw.value for kw in node.keywords if kw.arg == "tensor"), value)
            receiver = name.rpartition(".")[0]
            named = args[:1] or [kw.value for kw in node.keywords if kw.arg == "name"]
            self._named(SiteKind.WRITE, named, receiver, node, owner, function, value, last)
            return
        match node.func:
            case ast.Attribute(value=ast.Attribute() as held, attr=method):
                value = args[0] if len(args) == 1 else None
                if is_in_place(method):
                    self._use(SiteKind.IN_PLACE, held, owner, function, value, method)
                else:
                    self._use(SiteKind.READ, held, owner, function, value, called=method)

    def _named(
        self,
        kind: SiteKind,
        names: list[ast.expr],
        receiver: str,
        node: ast.Call,
        owner: Class | None,
        function: Function | None,
        value: ast.expr | None,
        via: str,
    ) -> None:
        for name in names:
            if isinstance(name, ast.Constant) and isinstance(name.value, str):
                self._add(kind, name.value, receiver, node, owner, function, value, via)

    def _use(
        self,
        kind: SiteKind,
        node: ast.Attribute,
        owner: Class | None,
        function: Function | None,
        value: ast.expr | None,
        via: str = "",
        called: str = "",
    ) -> None:
        if node not in self._taken:
            self._taken.add(node)
            receiver = dotted(node.value)
            self._add(kind, node.attr, receiver, node, owner, function, value, via, called)

    def _add(
        self,
        kind: SiteKind,
        attribute: str,
        receiver: str,
        node: ast.expr,
        owner: Class | None,
        function: Function | None,
        value: ast.expr | None = None,
        via: str = "",
        called: str = "",
    ) -> None:
        column = node.col_offset
        if not self._lines_are_ascii:
            before = self.file.lines[node.lineno - 1].encode()[:column]
            column = len(before.decode(errors="replace"))
        place = (self.file, node.lineno, column, node, owner, function, value, via, called)
        self.sites.append(Site(kind, attribute, receiver, *place))


def is_in_place(method: str) -> bool:
    """Whether a method's name says that it writes a tensor in place: ``fill_``, ``copy_``."""
    return method.endswith("_") and not method.endswith("__") and method != "requires_grad_"
