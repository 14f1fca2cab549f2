"""Where numbers held in attributes go: through variables, returns and arguments into operations."""

from __future__ import annotations

import ast
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from esper_audit.source.definitions import Class, Function, children, dotted, walk
from esper_audit.source.reach import Target
from esper_audit.source.scan.context import Context
from esper_audit.source.scan.operations import bakes, is_maker, operation_of

_MOST = 200_000
"""Functions that are looked at, some several times."""

_NUMERIC = frozenset(("float", "int", "abs", "min", "max", "round", "sum", "pow"))
_BAKING = {ast.Pow: "**", ast.Mod: "%", ast.FloorDiv: "//"}
"""Operators in which a number at the right of a tensor does not stay symbolic."""

_Origins = frozenset["Origin"]
_NONE: _Origins = frozenset()


@dataclass(frozen=True)
class Origin:
    """A read of an attribute that holds a number and changes."""

    made: Class
    attribute: str
    node: ast.Attribute
    function: Function


@dataclass(frozen=True)
class Arrival:
    """A number that came into an operation in which it does not stay symbolic."""

    origin: Origin
    operation: str
    node: ast.Call | ast.BinOp
    function: Function
    makes_tensor: bool


class Flow:
    """Follows every changing number of the reached code; see :attr:`arrivals`."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self.arrivals: dict[tuple[Origin, ast.AST], Arrival] = {}
        self._given: dict[Target, dict[str, _Origins]] = {}
        self._returned: dict[Target, _Origins] = {}
        self._callers = self._all_callers()
        self._follow()

    def _all_callers(self) -> dict[Target, list[Target]]:
        found: dict[Target, list[Target]] = {}
        for caller, calls in self.context.reached.calls.items():
            for _, targets in calls:
                for target in targets:
                    found.setdefault(target, []).append(caller)
        return found

    def _follow(self) -> None:
        waiting = deque(self._readers())
        known = set(waiting)
        for _ in range(_MOST):
            if not waiting:
                return
            target = waiting.popleft()
            known.discard(target)
            for other in _Walk(self, target).run():
                if other not in known and other in self.context.reached.calls:
                    known.add(other)
                    waiting.append(other)

    def _readers(self) -> Iterator[Target]:
        """Functions that read a number that changes."""
        for function, made in self.context.reached.steps:
            names = _self_reads(function) if made is not None else ()
            if made is not None and any(self.is_changing(made, name) for name in names):
                yield function, made

    def is_changing(self, made: Class, name: str) -> bool:
        held = self.context.held(made, name)
        return held.is_number and held.changes

    def given(self, target: Target) -> dict[str, _Origins]:
        return self._given.setdefault(target, {})

    def returned(self, target: Target) -> _Origins:
        return self._returned.get(target, _NONE)

    def pass_on(self, target: Target, name: str, origins: _Origins) -> bool:
        """Note what is passed to a parameter; whether that is news."""
        given = self.given(target)
        before = given.get(name, _NONE)
        given[name] = before | origins
        return given[name] != before

    def give_back(self, target: Target, origins: _Origins) -> list[Target]:
        """Note what is returned; the callers for whom that is news."""
        before = self.returned(target)
        self._returned[target] = before | origins
        return self._callers.get(target, []) if self._returned[target] != before else []


_READS: dict[Function, frozenset[str]] = {}


def _self_reads(function: Function) -> frozenset[str]:
    if function not in _READS:
        _READS[function] = frozenset(
            node.attr
            for node in walk(function.node)
            if isinstance(node, ast.Attribute)
            and isinstance(node.value, ast.Name)
            and node.value.id == "self"
        )
    return _READS[function]


class _Walk:
    """One function, once, statement by statement."""

    def __init__(self, flow: Flow, target: Target) -> None:
        self.flow = flow
        self.target = target
        self.function, self.made = target
        self.file = self.function.file
        self.names: dict[str, _Origins] = dict(flow.given(target))
        self.news: list[Target] = []
        calls = flow.context.reached.calls.get(target, [])
        self.calls = dict(calls)

    def run(self) -> list[Target]:
        """Functions that now have to be looked at."""
        self._block(self.function.node.body, True)
        return self.news

    def _block(self, body: Iterable[ast.stmt], always: bool) -> None:
        for node in body:
            match node:
                case ast.Assign():
                    origins = self._number(node.value)
                    for target in node.targets:
                        if isinstance(target, ast.Name):
                            before = _NONE if always else self.names.get(target.id, _NONE)
                            self.names[target.id] = origins | before
                case ast.AnnAssign(target=ast.Name(id=name)) if node.value is not None:
                    self.names[name] = self._number(node.value)
                case ast.Return() if node.value is not None:
                    self.news += self.flow.give_back(self.target, self._number(node.value))
            self._expressions(node)
            for name in ("body", "orelse", "finalbody"):
                inner = getattr(node, name, None)
                if isinstance(inner, list) and not isinstance(node, ast.FunctionDef | ast.ClassDef):
                    self._block(inner, False)

    def _expressions(self, node: ast.stmt) -> None:
        """The calls and operations of one statement, without the statements in it."""
        waiting = [child for child in children(node) if not isinstance(child, ast.stmt)]
        while waiting:
            one = waiting.pop()
            if isinstance(one, ast.Call):
                self._call(one)
            elif isinstance(one, ast.BinOp):
                self._binary(one)
            waiting += [child for child in children(one) if not isinstance(child, ast.stmt)]

    def _call(self, node: ast.Call) -> None:
        passed = [
            *((None, one) for one in node.args),
            *((kw.arg, kw.value) for kw in node.keywords),
        ]
        numbers = [(keyword, self._in(value)) for keyword, value in passed]
        if not any(origins for _, origins in numbers):
            return
        operation = operation_of(node, self.file, self.flow.context.classes)
        for position, (keyword, origins) in enumerate(numbers):
            if operation and bakes(operation, keyword):
                self._arrive(origins, operation, node, is_maker(operation))
            for target in self.calls.get(node, ()):
                name = keyword or _parameter(target, position, node)
                if origins and name and self.flow.pass_on(target, name, origins):
                    self.news.append(target)

    def _in(self, node: ast.expr) -> _Origins:
        """Of a number, or of a list of numbers."""
        if isinstance(node, ast.List | ast.Tuple):
            return _NONE.union(*map(self._number, node.elts))
        return self._number(node)

    def _binary(self, node: ast.BinOp) -> None:
        """``tensor ** number`` and ``number - tensor`` are no arithmetic that stays symbolic."""
        left, right = self._number(node.left), self._number(node.right)
        sign = _BAKING.get(type(node.op))
        if sign and right and not left and self._is_tensor(node.left):
            self._arrive(right, sign, node, False)
        if isinstance(node.op, ast.Sub) and left and not right and self._is_tensor(node.right):
            self._arrive(left, "number - tensor", node, False)

    def _is_tensor(self, node: ast.expr) -> bool:
        """Whether it surely is one: a parameter annotated so, or arithmetic or a call with one."""
        if isinstance(node, ast.Name):
            notes = [arg.annotation for arg in self.function.parameters if arg.arg == node.id]
            return any(note is not None and "Tensor" in ast.unparse(note) for note in notes)
        if isinstance(node, ast.BinOp):
            return self._is_tensor(node.left) or self._is_tensor(node.right)
        return False

    def _arrive(
        self, origins: _Origins, operation: str, node: ast.Call | ast.BinOp, makes: bool
    ) -> None:
        for origin in origins:
            if self._same_object(origin):
                arrival = Arrival(origin, operation, node, self.function, makes)
                self.flow.arrivals.setdefault((origin, node), arrival)

    def _same_object(self, origin: Origin) -> bool:
        """A method of one class does not get what a sibling class read: an object is of one."""
        if self.made is None or self.made is origin.made:
            return True
        line = self.flow.context.classes.line
        return not set(line(self.made)) & set(line(origin.made))

    def _number(self, node: ast.expr) -> _Origins:
        """The origins of a number; empty where it is none, or never changes."""
        match node:
            case ast.Name():
                return self.names.get(node.id, _NONE)
            case ast.Attribute():
                return self._attribute(node)
            case ast.UnaryOp():
                return self._number(node.operand)
            case ast.IfExp():
                return self._number(node.body) | self._number(node.orelse)
            case ast.BinOp():
                left, right = self._number(node.left), self._number(node.right)
                plain = (left or self._is_plain(node.left)) and (
                    right or self._is_plain(node.right)
                )
                return left | right if plain else _NONE
            case ast.Call():
                name = dotted(node.func)
                if name in _NUMERIC or name.startswith("math."):
                    return _NONE.union(*map(self._number, node.args))
                return _NONE.union(*(self.flow.returned(one) for one in self.calls.get(node, ())))
        return _NONE

    def _is_plain(self, node: ast.expr) -> bool:
        match node:
            case ast.Constant(value=int() | float()):
                return True
            case ast.UnaryOp():
                return self._is_plain(node.operand)
            case ast.BinOp():
                return self._is_plain(node.left) and self._is_plain(node.right)
            case ast.Call(func=ast.Name(id="len")):
                return True
            case ast.Attribute(value=ast.Name(id="self")) if self.made is not None:
                return self.flow.context.held(self.made, node.attr).is_number
        return False

    def _attribute(self, node: ast.Attribute) -> _Origins:
        found: set[Origin] = set()
        for target in self.calls.get(node, ()):  # a property
            found |= self.flow.returned(target)
        owners = self.flow.context.types.of(node.value, self.function, self.made)
        for made in owners:
            if self.flow.is_changing(made, node.attr):
                found.add(Origin(made, node.attr, node, self.function))
        return frozenset(found)


def _parameter(target: Target, position: int, node: ast.Call) -> str:
    """The parameter that a positional argument goes into; empty where that can't be told."""
    function, made = target
    if any(isinstance(one, ast.Starred) for one in node.args[: position + 1]):
        return ""
    names = [arg.arg for arg in (*function.node.args.posonlyargs, *function.node.args.args)]
    bound = made is not None and "staticmethod" not in function.decorators
    at = position + bound
    return names[at] if at < len(names) else ""
