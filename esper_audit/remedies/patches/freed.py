"""An expression of forward, written so that it can be computed where there are no arguments.

Worked example: ``torch.ones(4, device=like.device)`` becomes ``torch.ones(4)``, and what reads the
result is to take ``.to(device=like.device)`` of it.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass, field

from esper_audit.data.places import Location
from esper_audit.remedies.patches.refused import Refused
from esper_audit.remedies.patches.rewrite import Rewrite
from esper_audit.source.definitions import Function, dotted

_FLOATING = frozenset(("zeros", "ones", "eye", "empty", "linspace", "rand", "randn", "logspace"))
"""Makers of tensors whose dtype is a floating one unless they are told another."""


@dataclass
class Freed:
    """``text`` needs no argument of the function; ``cast`` is what its readers append."""

    text: str
    cast: str


@dataclass
class _Freeing:
    rewrite: Rewrite
    function: Function
    sizes: dict[str, str]
    changes: list[tuple[int, int, str]] = field(default_factory=list)
    casts: dict[str, str] = field(default_factory=dict)
    whole: str = ""
    """A cast as a whole, such as ``.to(like)``."""

    @property
    def arguments(self) -> set[str]:
        args = self.function.node.args
        more = [one for one in (args.vararg, args.kwarg) if one is not None]
        return {one.arg for one in (*self.function.parameters, *more)} - {"self"}

    def local(self, name: str) -> ast.expr | None:
        """What a name of the function is bound to, where that is one expression."""
        found = [
            one.value
            for one in ast.walk(self.function.node)
            if isinstance(one, ast.Assign)
            and any(isinstance(target, ast.Name) and target.id == name for target in one.targets)
        ]
        return found[0] if len(found) == 1 else None

    def needs(self, node: ast.AST, depth: int = 0) -> set[str]:
        """The arguments that an expression is computed from."""
        found: set[str] = set()
        for one in ast.walk(node):
            if isinstance(one, ast.Name) and one.id in self.arguments:
                found.add(one.id)
            elif isinstance(one, ast.Name) and depth < 5:
                value = self.local(one.id)
                if value is not None and value is not node:
                    found |= self.needs(value, depth + 1)
        return found

    def free(self, node: ast.expr) -> None:
        for one in ast.walk(node):
            if isinstance(one, ast.Call):
                self._call(one)
        for one in ast.walk(node):
            if isinstance(one, ast.Name) and not self._is_changed(one):
                self._name(one)

    def _call(self, call: ast.Call) -> None:
        match call.func:
            case ast.Attribute(value=ast.Name(id=name), attr=attr) if (
                attr.startswith("new_") and name in self.arguments
            ):
                start, end = self.rewrite.start(call), self.rewrite.end(call.func)
                self.changes.append((start, end, f"torch.{attr.removeprefix('new_')}"))
                self.whole = f".to({name})"
            case ast.Attribute(attr="to" | "type_as", value=held) if any(
                self.needs(one) for one in (*call.args, *(kw.value for kw in call.keywords))
            ):
                self._moved(call, held)
        self._keywords(call)

    def _moved(self, call: ast.Call, held: ast.expr) -> None:
        """``.to(like)`` is for the reader of the result."""
        try:
            freed(held, self.rewrite, self.function, self.sizes)
        except Refused:
            return
        end = self.rewrite.end
        given: list[ast.expr | ast.keyword] = [*call.args, *call.keywords]
        inside = ", ".join(map(self.rewrite.text, given))
        is_cast = isinstance(call.func, ast.Attribute) and call.func.attr == "type_as"
        self.whole = f".to({inside}.dtype)" if is_cast else f".to({inside})"
        self.changes.append((end(held), end(call), ""))

    def _keywords(self, call: ast.Call) -> None:
        arguments: list[ast.expr | ast.keyword] = [*call.args, *call.keywords]
        for place, keyword in enumerate(arguments):
            if not isinstance(keyword, ast.keyword) or keyword.arg not in ("device", "dtype"):
                continue
            if not self.needs(keyword.value) or self._is_changed(keyword.value):
                continue
            self.casts[keyword.arg] = self.rewrite.text(keyword.value)
            before = arguments[place - 1] if place else call.func
            start = self.rewrite.end(before) + (not place)
            text = self._floating(call) if keyword.arg == "dtype" and place else ""
            self.changes.append((start, self.rewrite.end(keyword), text))

    def _floating(self, call: ast.Call) -> str:
        """A dtype in place of one that is known in forward alone."""
        name = dotted(call.func).rpartition(".")[2]
        given = call.args[0] if call.args else None
        if name in _FLOATING or (
            isinstance(given, ast.Constant) and isinstance(given.value, float)
        ):
            return ""
        if name == "tensor" and isinstance(given, ast.Attribute):
            start, end = self.rewrite.start(given), self.rewrite.end(given)
            self.changes += [(start, start, "float("), (end, end, ")")]
            return ""
        return ", dtype=torch.get_default_dtype()"

    def _is_changed(self, node: ast.expr) -> bool:
        start = self.rewrite.start(node)
        return any(first <= start < last for first, last, _ in self.changes)

    def _name(self, node: ast.Name) -> None:
        if node.id in self.sizes:
            start, end = self.rewrite.start(node), self.rewrite.end(node)
            self.changes.append((start, end, self.sizes[node.id]))
            return
        if node.id in self.arguments:
            at = Location(self.rewrite.file.path, node.lineno, self.function.qualname)
            raise Refused(f"it depends on {node.id}, an argument", at)
        value = self.local(node.id)
        if value is not None:
            inner = freed(value, self.rewrite, self.function, self.sizes)
            self.whole = self.whole or inner.cast
            start, end = self.rewrite.start(node), self.rewrite.end(node)
            is_plain = isinstance(value, ast.Call | ast.Attribute | ast.Constant)
            self.changes.append((start, end, inner.text if is_plain else f"({inner.text})"))


def freed(
    node: ast.expr, rewrite: Rewrite, function: Function, sizes: dict[str, str] | None = None
) -> Freed:
    """The expression without arguments; raises Refused where it needs one for more than a dtype.

    ``sizes`` are expressions in place of local names.
    """
    freeing = _Freeing(rewrite, function, sizes or {})
    freeing.free(node)
    start = rewrite.start(node)
    text = rewrite.text(node).encode()
    for first, last, put in sorted(dict.fromkeys(freeing.changes), reverse=True):
        text = text[: first - start] + put.encode() + text[last - start :]
    cast = ", ".join(f"{name}={value}" for name, value in freeing.casts.items())
    return Freed(text.decode(), freeing.whole or (f".to({cast})" if cast else ""))
