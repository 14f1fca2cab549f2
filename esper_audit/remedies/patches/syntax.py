"""One file's LibCST tree with lines and parents, and changes to it that leave the rest alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

import libcst as cst
from libcst.metadata import MetadataWrapper, ParentNodeProvider, PositionProvider

from esper_audit.data.places import Location
from esper_audit.data.remedies import Ground
from esper_audit.remedies.patches.refused import Refused
from esper_audit.source.project import SourceFile

Change = Callable[[Any], Any]
"""From a node, whose children are changed already, to what stands in its place."""

_Node = TypeVar("_Node", bound=cst.CSTNode)
_SCOPES = (cst.FunctionDef, cst.Lambda, cst.ClassDef)


class Syntax:
    """A parsed file. Raises :class:`Refused` for one that can't be read or parsed."""

    def __init__(self, file: SourceFile) -> None:
        if file.unread is not None:
            raise Refused("", Location(file.path, file.unread.line), ground=Ground.NO_SOURCE)
        self.file = file
        wrapper = MetadataWrapper(file.cst)
        self.module = wrapper.module
        self._positions = wrapper.resolve(PositionProvider)
        self._parents = wrapper.resolve(ParentNodeProvider)

    def line(self, node: cst.CSTNode) -> int:
        """The line on which it begins, from 1."""
        return int(self._positions[node].start.line)

    def last_line(self, node: cst.CSTNode) -> int:
        """The line on which it ends."""
        return int(self._positions[node].end.line)

    def covers(self, node: cst.CSTNode, line: int) -> bool:
        """Whether it stands on this line, or around it."""
        return self.line(node) <= line <= self.last_line(node)

    def code(self, node: cst.CSTNode) -> str:
        """Its text."""
        return self.module.code_for_node(node)

    def around(self, node: cst.CSTNode) -> Iterator[cst.CSTNode]:
        """What it stands in, the innermost first."""
        while not isinstance(node, cst.Module):
            node = self._parents[node]
            yield node

    def parent(self, node: cst.CSTNode) -> cst.CSTNode:
        """What it stands in."""
        return self._parents[node]

    def top_of(self, node: cst.CSTNode) -> cst.BaseStatement:
        """The statement of the module that it stands in."""
        *_, top, _module = (node, *self.around(node))
        assert isinstance(top, cst.BaseStatement)
        return top

    def within(self, node: cst.CSTNode, kind: type[_Node]) -> _Node | None:
        """The innermost node of a kind that it stands in."""
        return next((one for one in self.around(node) if isinstance(one, kind)), None)

    def all(self, kind: type[_Node], inside: cst.CSTNode | None = None) -> list[_Node]:
        """All nodes of a kind, in the order of the text."""
        return list(_found(inside or self.module, kind))

    def function_at(self, line: int) -> cst.FunctionDef | None:
        """The innermost function whose lines hold this one."""
        around = [one for one in self.all(cst.FunctionDef) if self.covers(one, line)]
        return max(around, key=self.line, default=None)

    def statement_of(self, node: cst.CSTNode) -> cst.BaseStatement:
        """The whole line or compound statement that it stands in."""
        for one in (node, *self.around(node)):
            if isinstance(one, cst.BaseStatement):
                return one
        raise Refused("a statement around it")

    def block_of(self, statement: cst.CSTNode) -> Sequence[cst.BaseStatement]:
        """The statements that it is one of."""
        parent = self._parents[statement]
        if not isinstance(parent, cst.Module | cst.IndentedBlock):
            raise Refused("a statement on a line of its own")
        return [one for one in parent.body if isinstance(one, cst.BaseStatement)]

    def scope_of(self, node: cst.CSTNode) -> cst.CSTNode:
        """The function, class or module that its names belong to."""
        below = node
        for one in self.around(node):
            if isinstance(one, _SCOPES) and not isinstance(below, cst.Decorator):
                return one
            below = one
        return self.module

    def changed(self, changes: Mapping[cst.CSTNode, Change]) -> str:
        """The text with these nodes changed."""
        result = self.module.visit(_Changes(changes))
        assert isinstance(result, cst.Module)
        return result.code


class _Changes(cst.CSTTransformer):
    def __init__(self, changes: Mapping[cst.CSTNode, Change]) -> None:
        super().__init__()
        self.changes = changes

    def on_leave(self, original_node: cst.CSTNode, updated_node: Any) -> Any:
        updated_node = super().on_leave(original_node, updated_node)
        change = self.changes.get(original_node)
        return updated_node if change is None else change(updated_node)


def _found(node: cst.CSTNode, kind: type[_Node]) -> Iterator[_Node]:
    if isinstance(node, kind):
        yield node
    for child in node.children:
        yield from _found(child, kind)


def expression(text: str) -> cst.BaseExpression:
    """Parsed; for texts that this tool makes."""
    return cst.parse_expression(text)


def instead(text: str) -> Change:
    """Puts an expression in the place of another."""
    return lambda _: expression(text)


def before(*lines: str) -> Change:
    """Puts statements before one; comments right above it stay with it."""
    made = [cst.parse_statement(line) for line in lines]

    def change(statement: Any) -> Any:
        above, own = _parted(statement.leading_lines)
        defines = isinstance(statement, cst.FunctionDef | cst.ClassDef)
        gap = [cst.EmptyLine(indent=False)] * (2 if defines and above else 0)
        first, *rest = made
        first = first.with_changes(leading_lines=above)
        return cst.FlattenSentinel(
            [first, *rest, statement.with_changes(leading_lines=[*gap, *own])]
        )

    return change


def _parted(
    lines: Sequence[cst.EmptyLine],
) -> tuple[Sequence[cst.EmptyLine], Sequence[cst.EmptyLine]]:
    """Lines above a statement, and the comments that stand right above it."""
    at = len(lines)
    while at and lines[at - 1].comment is not None:
        at -= 1
    return lines[:at], lines[at:]


def after(*lines: str) -> Change:
    """Puts statements after one."""
    made = [cst.parse_statement(line) for line in lines]

    def change(statement: Any) -> Any:
        defines = isinstance(statement, cst.FunctionDef | cst.ClassDef)
        first, *rest = made
        first = first.with_changes(leading_lines=[cst.EmptyLine(indent=False)] * 2 * defines)
        return cst.FlattenSentinel([statement, first, *rest])

    return change


def dotted(node: cst.CSTNode) -> str:
    """``a.b.c`` of an expression that is only that; else empty."""
    if isinstance(node, cst.Name):
        return node.value
    if isinstance(node, cst.Attribute):
        left = dotted(node.value)
        return f"{left}.{node.attr.value}" if left else ""
    return ""


def arguments(call: cst.Call) -> tuple[list[cst.Arg], dict[str, cst.Arg]]:
    """Those by position and those by keyword; raises Refused for ``*args`` and ``**kwargs``."""
    if any(arg.star for arg in call.args):
        raise Refused("arguments written out, without * and **")
    by_position = [arg for arg in call.args if arg.keyword is None]
    return by_position, {arg.keyword.value: arg for arg in call.args if arg.keyword is not None}


def names_in(node: cst.CSTNode) -> set[str]:
    """Names that are read or bound in it, attributes and keywords left out."""
    return set(_names(node))


def _names(node: cst.CSTNode) -> Iterator[str]:
    match node:
        case cst.Name(value=name):
            yield name
        case cst.Attribute(value=value):
            yield from _names(value)
        case cst.Arg(value=value):
            yield from _names(value)
        case _:
            for child in node.children:
                yield from _names(child)


_LOOSE = (cst.Comparison, cst.BooleanOperation, cst.IfExp, cst.Lambda, cst.NamedExpr, cst.Yield)


def wrapped(node: cst.BaseExpression, tight: bool = True) -> cst.BaseExpression:
    """In brackets, where it would bind looser than a factor of a product (``tight``) or a term."""
    loose = isinstance(node, (*_LOOSE, cst.Await, cst.GeneratorExp, cst.Tuple))
    if isinstance(node, cst.BinaryOperation):
        power = isinstance(node.operator, cst.Power)
        product = isinstance(node.operator, cst.Multiply)
        loose = not power and not (product and not tight)
    if isinstance(node, cst.UnaryOperation):
        loose = True
    if not loose or node.lpar:
        return node
    return node.with_changes(lpar=[cst.LeftParen()], rpar=[cst.RightParen()])
