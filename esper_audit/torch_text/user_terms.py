"""A guard source as the user wrote it: a tree in torch's terms made into one in the user's. Pure.

Worked example: ``dict(type(L['self']).__mro__[1].__dict__)['seen']`` is an entry of the namespace
of a class. ``Known.class_name`` names that class, ``Base``, so the source is ``Base.seen``. Where
nobody knows the class it is ``type(self).__mro__[1].seen``.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from typing import Protocol

from esper_audit.torch_text import guard_trees as trees

_OF_MODULES = ("_modules", "_parameters", "_buffers")
_PARAMETRIZATIONS = "torch.nn.utils.parametrize._cache"
_LEAST_ID = 2**32
"""Objects have addresses above this one in a process of 64 bits."""
_IMPORT = re.compile(r"__import_(?P<dotted>\w+)")
_BUILTINS = re.compile(r"__builtins_dict__+\w*")
_INJECTED = re.compile(r"\w*_\d+_c\w+")
_FORMS = {
    "___get_torch_function_mode_stack_at": "<torch function mode {}>",
    "___get_current_stream": "<current stream of {}>",
    "___namedtuple_fields": "{}._fields",
    "___dataclass_fields": "dataclasses.fields({})",
}


class Known(Protocol):
    """What only live objects tell of the parts of a source; empty for what is not known."""

    def variable(self, function: ast.expr, place: int, /) -> str:
        """The captured variable in this cell of a function's closure."""

    def parameter(self, function: ast.expr, place: int | str, /) -> str:
        """The parameter that has this default of a function."""

    def bound(self, partial: ast.expr, place: int | str, /) -> str:
        """The parameter that an argument of a ``functools.partial`` is for; empty for others."""

    def key(self, owner: ast.expr, place: int, /) -> str:
        """This key of a dictionary, as code, where it is a constant."""

    def container(self, module: ast.expr, entries: str, /) -> str:
        """How entries of a module are reached: ``list``, ``dict`` or ``module`` for attributes."""

    def class_name(self, instance: ast.expr, place: int, /) -> str:
        """The class at this place of the order in which an object's attributes are looked up."""

    def argument(self, place: int, /) -> str:
        """What the wrapped callable calls this argument, in a frame of torch's wrapper."""

    def wrapped(self) -> str:
        """The wrapped callable, in a frame of torch's wrapper."""

    def result(self, name: str, /) -> str:
        """The code that made the value which a graph break left on the stack."""

    def injected(self, name: str, /) -> str:
        """What a global of torch's own refers to."""


class Unknown:
    """Knows nothing, as for a recording that is read later."""

    def _nothing(self, *_: object) -> str:
        return ""

    def parameter(self, _function: ast.expr, place: int | str, /) -> str:
        return place if isinstance(place, str) else ""

    variable = bound = key = container = class_name = _nothing
    argument = wrapped = result = injected = _nothing


def rewritten(tree: ast.expr, known: Known) -> str:
    """A source or an expression of sources, in the user's terms."""
    if isinstance(tree, ast.Attribute) and tree.attr == "_modules":
        tree = tree.value  # the modules of a module: it is the one that grew
    found = _Rewriter(known).of(tree)
    parts = found.elts if isinstance(found, ast.Tuple) else [found]  # several sources
    return ", ".join(map(ast.unparse, parts))


class _Rewriter:
    """Makes a new tree: those of torch's terms are kept for others."""

    def __init__(self, known: Known) -> None:
        self._known = known

    def of(self, node: ast.expr) -> ast.expr:
        for rule in _RULES:
            found = rule(self, node)
            if found is not None:
                return found
        return self._same(node)

    def _same(self, node: ast.expr) -> ast.expr:
        """The node itself, with what is in it rewritten."""
        made = type(node)(**dict(ast.iter_fields(node)))
        for name, value in ast.iter_fields(node):
            if isinstance(value, ast.expr):
                setattr(made, name, self.of(value))
            elif isinstance(value, list):
                parts = [self.of(part) if isinstance(part, ast.expr) else part for part in value]
                setattr(made, name, parts)
        return made

    # --- rules: each gives None for what it is not about ---

    def _variable(self, node: ast.expr) -> ast.expr | None:
        local, name = trees.root(node, "L"), trees.root(node, "G")
        if local:
            text = self._known.result(local) if local.startswith("___stack") else ""
            text = self._known.wrapped() if local in ("fn", "func") else text
            return _code(text) if text else ast.Name(local)
        if isinstance(node, ast.Subscript) and _BUILTINS.fullmatch(trees.root(node.value, "G")):
            return ast.Name(str(trees.constant(node.slice)))
        return _code(self._global(name)) if name else None

    def _global(self, name: str) -> str:
        imported = _IMPORT.fullmatch(name)
        if imported is not None:
            return imported["dotted"].replace("_dot_", ".")
        return (self._known.injected(name) if _INJECTED.fullmatch(name) else "") or name

    def _wrapped_argument(self, node: ast.expr) -> ast.expr | None:
        if isinstance(node, ast.Subscript) and trees.root(node.value, "L") == "args":
            place = trees.constant(node.slice)
            name = self._known.argument(place) if isinstance(place, int) else ""
            return ast.Name(name) if name else None
        return None

    def _cell(self, node: ast.expr) -> ast.expr | None:
        found = trees.cell_place(node)
        if found is None:
            return None
        function, place = found
        name = self._known.variable(function, place)
        return ast.Name(name) if name else _attribute(self.of(function), f"<closure {place}>")

    def _default(self, node: ast.expr) -> ast.expr | None:
        name = self._held(node, {"__defaults__": int, "__kwdefaults__": str}, self._known.parameter)
        return ast.Name(name) if name else None

    def _partial(self, node: ast.expr) -> ast.expr | None:
        name = self._held(node, {"args": int, "keywords": str}, self._known.bound)
        return ast.Name(name) if name else None

    def _held(
        self, node: ast.expr, held: dict[str, type], name_of: Callable[[ast.expr, int | str], str]
    ) -> str:
        """The name of what such an attribute of a function holds."""
        if not (isinstance(node, ast.Subscript) and isinstance(node.value, ast.Attribute)):
            return ""
        place, wanted = trees.constant(node.slice), held.get(node.value.attr, ast.AST)
        known = isinstance(place, (int, str)) and isinstance(place, wanted)
        return name_of(node.value.value, place) if known else ""  # type: ignore[arg-type]

    def _entry(self, node: ast.expr) -> ast.expr | None:
        """An entry of a module's own dictionaries: an attribute, or an item of a container."""
        if not (isinstance(node, ast.Subscript) and _is(node.value, *_OF_MODULES)):
            return None
        entries, name = node.value, str(trees.constant(node.slice))
        module: ast.expr = entries.value  # type: ignore[attr-defined]
        kind, owner = self._known.container(module, entries.attr), self.of(module)  # type: ignore[attr-defined]
        if kind != "dict" and name.isdecimal():
            return _item(owner, ast.Constant(int(name)))
        if kind == "dict" or (kind == "" and not name.isidentifier()):
            return _item(owner, ast.Constant(name))
        return _attribute(owner, name)

    def _attribute(self, node: ast.expr) -> ast.expr | None:
        found = trees.attribute_place(node)
        if found is None:
            return None
        owner, name = found
        if name == "__func__":
            return self.of(owner)
        if name == "__self__" and trees.root(owner, "L") in ("fn", "func"):
            return ast.Name("self") if self._known.wrapped() else None
        place = None if name.startswith("__") else trees.class_place(owner)
        class_name = self._known.class_name(*place) if place is not None else ""
        return _attribute(_code(class_name) if class_name else self.of(owner), name)

    def _key(self, node: ast.expr) -> ast.expr | None:
        found = trees.key_place(node)
        if found is None:
            return None
        return _item(_call("list", self.of(found[0])), ast.Constant(found[1]))

    def _keyed(self, node: ast.expr) -> ast.expr | None:
        """An item; its key by value where torch names it by its place."""
        if trees.called(node) in trees.GET_ITEM:
            owner, index = node.args  # type: ignore[attr-defined]
        elif isinstance(node, ast.Subscript):
            owner, index = node.value, node.slice
        else:
            return None
        held, place = self.of(owner), trees.key_place(index)
        if ast.unparse(held) == _PARAMETRIZATIONS:  # torch's keys are numbers of objects
            return held
        text = self._known.key(*place) if place is not None else ""
        return _item(held, _without_ids(_code(text) if text else self.of(index)))

    def _function(self, node: ast.expr) -> ast.expr | None:
        """A function of torch's own around a value."""
        name = trees.called(node)
        given = node.args if isinstance(node, ast.Call) else []
        if name in trees.SAME and given:
            return self.of(given[0])
        if name == "__import__":
            return _code(str(trees.constant(given[0])))
        if name in _FORMS:
            return ast.Name(_FORMS[name].format(*(ast.unparse(self.of(part)) for part in given)))
        return None

    def _method(self, node: ast.expr) -> ast.expr | None:
        if not isinstance(node, ast.Call) or node.args or isinstance(node.func, ast.Name):
            return None
        if not isinstance(node.func, ast.Attribute):  # a weak reference
            return self.of(node.func)
        owner, name = node.func.value, node.func.attr
        if name == "size" and trees.called(owner) == "___from_numpy":
            return ast.Attribute(self.of(owner), "shape")
        if name == "get_base" or (name == "item" and trees.called(owner) in trees.SAME):
            return self.of(owner)
        return ast.UnaryOp(ast.USub(), self.of(owner)) if name == "__neg__" else None

    def _iterated(self, node: ast.expr) -> ast.expr | None:
        """An item of an iterator over a tuple, by its place."""
        if trees.called(node) != "___tuple_iterator_getitem":
            return None
        owner, place = node.args  # type: ignore[attr-defined]
        return _item(_call("list", self.of(owner)), place)


_RULES: tuple[Callable[[_Rewriter, ast.expr], ast.expr | None], ...] = (
    _Rewriter._variable,
    _Rewriter._wrapped_argument,
    _Rewriter._cell,
    _Rewriter._default,
    _Rewriter._partial,
    _Rewriter._entry,
    _Rewriter._attribute,
    _Rewriter._key,
    _Rewriter._keyed,
    _Rewriter._function,
    _Rewriter._method,
    _Rewriter._iterated,
)


def _without_ids(key: ast.expr) -> ast.expr:
    """A key, with ``…`` for the numbers of objects, which are others in each run."""
    if isinstance(key, ast.Tuple):
        return ast.Tuple([_without_ids(part) for part in key.elts])
    is_number = isinstance(key, ast.Constant) and type(key.value) is int
    return ast.Name("…") if is_number and key.value >= _LEAST_ID else key  # type: ignore[attr-defined]


def _is(node: ast.AST, *names: str) -> bool:
    return isinstance(node, ast.Attribute) and node.attr in names


def _code(text: str) -> ast.expr:
    return trees.tree_of(text) or ast.Name(text)


def _item(owner: ast.expr, key: ast.expr) -> ast.expr:
    return ast.Subscript(owner, key)


def _call(name: str, given: ast.expr) -> ast.expr:
    return ast.Call(ast.Name(name), [given], [])


def _attribute(owner: ast.expr, name: str) -> ast.expr:
    if name.isidentifier() or name.startswith("<closure"):
        return ast.Attribute(owner, name)
    return ast.Call(ast.Name("getattr"), [owner, ast.Constant(name)], [])
