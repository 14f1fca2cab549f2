"""Where a guarded Python number is used: from where it is read, through returns and arguments.

Functions are followed by their names, so more may be found than runs. A replay decides.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice

from esper_audit.data.places import Location
from esper_audit.source.classes import classes_of
from esper_audit.source.definitions import Function
from esper_audit.source.project import Project

_ROUNDS = 6
_TOO_MANY = 300  # functions that are reached: names are too common to tell anything
_MOST = 12  # methods that read an attribute of the same name
_ARITHMETIC = (ast.Add, ast.Sub, ast.Mult, ast.Div)


@dataclass(frozen=True, slots=True)
class Leaf:
    """How a source ends: a plain name, an attribute, or an item of something."""

    name: str = ""
    attribute: str = ""
    item: str | int | None = None


def leaf_of(source: str) -> Leaf | None:
    """Of a source in the user's terms; None where it is no path of Python."""
    try:
        node = ast.parse(source, mode="eval").body
    except SyntaxError:
        return None
    match node:
        case ast.Name(id=name):
            return Leaf(name=name)
        case ast.Attribute(attr=name):
            return Leaf(attribute=name)
        case ast.Subscript(value=held, slice=ast.Constant(value=str() | int() as key)):
            within = held.attr if isinstance(held, ast.Attribute) else ""
            return Leaf(attribute=within, item=key)
    return None


@dataclass
class Uses:
    """A function, and what holds the number in it: the leaf itself, names, results of calls."""

    function: Function
    leaf: Leaf
    names: set[str] = field(default_factory=set)
    calls: set[str] = field(default_factory=set)

    def holds(self, node: ast.expr) -> bool:
        """Whether an expression is the number, or arithmetic on it and literal numbers."""
        match node:
            case ast.Name(id=name):
                return name in self.names
            case ast.Attribute(attr=name):
                return self.leaf.item is None and name == self.leaf.attribute
            case ast.Subscript(value=held, slice=ast.Constant(value=key)):
                within = held.attr if isinstance(held, ast.Attribute) else ""
                return key == self.leaf.item and within in ("", self.leaf.attribute)
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return self.holds(operand)
            case ast.BinOp(left=left, op=operator, right=right):
                both = self.holds(left) or self.holds(right)
                return both and isinstance(operator, _ARITHMETIC) and self._plain(left, right)
            case ast.Call(func=ast.Name(id="min" | "max"), args=args, keywords=[]):
                return any(map(self.holds, args)) and self._plain(*args)
            case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name)):
                return name in self.calls
        return False

    def _plain(self, *nodes: ast.expr) -> bool:
        return all(self.holds(node) or is_number(node) for node in nodes)

    def spread(self) -> bool:
        """Take up local names that are bound to the number; False where there was none."""
        before = len(self.names)
        for node in ast.walk(self.function.node):
            match node:
                case ast.Assign(targets=[ast.Name(id=name)], value=value) if self.holds(value):
                    self.names.add(name)
                case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
                    if self.holds(value):
                        self.names.add(name)
        return len(self.names) > before

    @property
    def reads(self) -> bool:
        """Whether the number stands anywhere in it."""
        nodes = ast.walk(self.function.node)
        return any(isinstance(node, ast.expr) and self.holds(node) for node in nodes)

    @property
    def returns(self) -> bool:
        """Whether it returns the number."""
        returned = [
            one.value for one in ast.walk(self.function.node) if isinstance(one, ast.Return)
        ]
        return any(value is not None and self.holds(value) for value in returned)


def is_number(node: ast.expr) -> bool:
    """Whether it is a literal number, with a sign or without."""
    if isinstance(node, ast.UnaryOp):
        node = node.operand
    return isinstance(node, ast.Constant) and type(node.value) in (int, float)


def function_at(project: Project, place: Location) -> Function | None:
    """The innermost function of the project around a line."""
    if place.file not in project:
        return None
    functions = classes_of(project).functions_in(project.file(place.file))
    around = [
        one
        for one in functions
        if one.node.lineno <= place.line <= (one.node.end_lineno or one.node.lineno)
    ]
    return max(around, key=lambda one: one.node.lineno, default=None)


def uses_of(project: Project, source: str, place: Location) -> Iterator[Uses]:
    """The functions that use the number: first that of the line, then those it flows to.

    Where the function of the line does not read it, the number has come there as an argument: then
    that function alone.
    """
    leaf, first = leaf_of(source), function_at(project, place)
    if leaf is None or first is None:
        return
    here = Uses(first, leaf, {leaf.name} - {""})
    if here.reads or not leaf.attribute:
        yield from _flowing(project, [here])
        return
    reading = (Uses(one, leaf) for one in _functions(project, f"self.{leaf.attribute}"))
    starts = [uses for uses in reading if uses.function.owner is not None and uses.reads]
    starts.sort(key=lambda uses: uses.function.file.path != place.file)
    flowing = _flowing(project, starts[:_MOST])
    yield from islice((uses for uses in flowing if uses.function.node is first.node), 1)


def _flowing(project: Project, waiting: list[Uses]) -> Iterator[Uses]:
    """These, then what the number flows to from them."""
    known = {id(uses.function.node): uses for uses in waiting}
    for _ in range(_ROUNDS):
        reached: list[Uses] = []
        for uses in waiting:
            while uses.spread():
                pass
            yield uses
            reached += [*_callers(project, uses, known), *_called(project, uses, known)]
        waiting = reached if len(known) < _TOO_MANY else []


def _callers(project: Project, uses: Uses, known: dict[int, Uses]) -> Iterator[Uses]:
    name = uses.function.name
    if not uses.returns or name.startswith("__"):
        return
    for function in _functions(project, f"{name}("):
        if name in _called_names(project, function) and id(function.node) not in known:
            made = known[id(function.node)] = Uses(function, uses.leaf, calls={name})
            yield made


def _called_names(project: Project, function: Function) -> set[str]:
    """Names of all that a function calls; worked out once."""
    known: dict[int, set[str]] = project.memory.setdefault("called names", {})
    if id(function.node) not in known:
        nodes = ast.walk(function.node)
        known[id(function.node)] = {_name_of(one) for one in nodes if isinstance(one, ast.Call)}
    return known[id(function.node)]


def _called(project: Project, uses: Uses, known: dict[int, Uses]) -> Iterator[Uses]:
    for call in [node for node in ast.walk(uses.function.node) if isinstance(node, ast.Call)]:
        passed: dict[str | int, ast.expr] = dict(enumerate(call.args))
        passed |= {keyword.arg: keyword.value for keyword in call.keywords if keyword.arg}
        for where, value in passed.items():
            if uses.holds(value):
                yield from _taking(project, call, where, value, known)


def _taking(
    project: Project,
    call: ast.Call,
    where: str | int,
    value: ast.expr,
    known: dict[int, Uses],
) -> Iterator[Uses]:
    """The project's functions that this argument may go to."""
    name = _name_of(call)
    functions = [one for one in _functions(project, f"def {name}(") if one.name == name]
    by_name = not functions and isinstance(value, ast.Name)
    if by_name:  # a module is called: its forward has another name
        functions = [one for one in _functions(project, "def forward(") if one.name == "forward"]
    for function in functions:
        parameter = _parameter(function, where)
        if parameter is None or (by_name and parameter != getattr(value, "id", "")):
            continue
        made = known.get(id(function.node))
        if made is None:
            made = known[id(function.node)] = Uses(function, Leaf(), {parameter})
            yield made


def _parameter(function: Function, where: str | int) -> str | None:
    names = [one.arg for one in function.parameters]
    if isinstance(where, str):
        return where if where in names else None
    where += function.owner is not None and "staticmethod" not in function.decorators
    return names[where] if where < len(names) else None


def _functions(project: Project, mentioning: str) -> Iterator[Function]:
    for file in project.all(mentioning):
        yield from classes_of(project).functions_in(file)


def _name_of(call: ast.Call) -> str:
    match call.func:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
    return ""
