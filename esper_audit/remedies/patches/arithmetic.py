"""Operations that bake a guarded float in, found where it flows, in forms that keep it symbolic."""

from __future__ import annotations

import ast
from collections.abc import Iterator

import libcst as cst

from esper_audit.data.findings import Finding
from esper_audit.data.remedies import Edit
from esper_audit.remedies.patches.flows import Uses, is_number, uses_of
from esper_audit.remedies.patches.making import edits_of, is_float, syntax_at
from esper_audit.remedies.patches.refused import Refused, Unconcerned
from esper_audit.remedies.patches.symbolic_forms import RULES, Operation, zero_of
from esper_audit.remedies.patches.syntax import Change, Syntax, arguments, dotted, wrapped
from esper_audit.source.classes import classes_of
from esper_audit.source.definitions import External
from esper_audit.source.project import Project


def make(finding: Finding, project: Project) -> Iterator[tuple[Edit, ...]]:
    """The operations that bake the float in, in forms that keep it symbolic."""
    if not is_float(finding):
        raise Unconcerned
    syntax_at(project, finding.user_line, "the line that reads the float")
    assert finding.user_line is not None
    changed: dict[str, dict[cst.CSTNode, Change]] = {}
    parsed: dict[str, Syntax] = {}
    for number, uses in enumerate(uses_of(project, finding.source, finding.user_line)):
        path = uses.function.file.path
        syntax = parsed.get(path) or parsed.setdefault(path, Syntax(uses.function.file))
        found = _Operations(project, syntax, uses).changes()
        changed.setdefault(path, {}).update(found)
        if number == 0 and found:
            break
    edits = edits_of({parsed[path]: changes for path, changes in changed.items() if changes})
    if not edits:
        raise Refused("an operation on the float that has a symbolic form", finding.user_line)
    yield edits


class _Operations:
    """The operations of one function on one float."""

    def __init__(self, project: Project, syntax: Syntax, uses: Uses) -> None:
        self.syntax, self.uses, self.project = syntax, uses, project
        self.torch = self._torch_name()

    def changes(self) -> dict[cst.CSTNode, Change]:
        """Of each operation, what makes its symbolic form from its operands."""
        line = self.uses.function.node.lineno
        functions = self.syntax.all(cst.FunctionDef)
        node = next((one for one in functions if self._def_line(one) == line), None)
        if node is None:
            return {}
        calls: dict[cst.CSTNode, Change] = {
            one: self._change_of(one) for one in self.syntax.all(cst.Call, node) if self._fits(one)
        }
        binary = self.syntax.all(cst.BinaryOperation, node)
        return calls | {one: self._binary(one) for one in binary if self._bakes(one)}

    def _def_line(self, function: cst.FunctionDef) -> int:
        return self.syntax.line(function.name)

    def _torch_name(self) -> str:
        file = self.syntax.file
        for name in ("torch", "th", "pt"):
            meant = classes_of(self.project).meaning_of(name, file)
            if isinstance(meant, External) and meant.name == "torch":
                return name
        return ""

    def holds(self, node: cst.CSTNode) -> bool:
        """Whether it is the float, or arithmetic on it."""
        parsed = _ast(self.syntax.code(node))
        return parsed is not None and self.uses.holds(parsed)

    def _fits(self, call: cst.Call) -> bool:
        try:
            return self._rewritten(call, call) is not None
        except Refused:
            return False

    def _change_of(self, call: cst.Call) -> Change:
        def change(updated: cst.Call) -> cst.BaseExpression:
            text = self._rewritten(call, updated)
            assert text is not None
            made = cst.parse_expression(text)
            parent = next(self.syntax.around(call))
            return wrapped(made) if isinstance(parent, _TIGHT) else made

        return change

    def _rewritten(self, call: cst.Call, updated: cst.Call) -> str | None:
        """Its symbolic form; None for an operation that isn't in the list."""
        read = self._read(call, updated)
        rule = RULES.get(read.name) if read is not None else None
        if read is None or rule is None:
            return None
        original = self._read(call, call)
        assert original is not None
        held = [self._text_holds(text) for text in original.operands]
        options = {key for key, text in original.options.items() if self._text_holds(text)}
        return rule(read, held, options)

    def _text_holds(self, text: str) -> bool:
        parsed = _ast(text)
        return parsed is not None and self.uses.holds(parsed)

    def _read(self, call: cst.Call, updated: cst.Call) -> Operation | None:
        try:
            positional, keywords = arguments(updated)
        except Refused:
            return None
        operands = [one.value for one in positional]
        name = dotted(call.func)
        meant = classes_of(self.project).meaning_of(name, self.syntax.file) if name else None
        prefix = ""
        if isinstance(meant, External) and meant.name.startswith("torch."):
            short, prefix = meant.name.rpartition(".")[2], f"{self.torch}."
            if not self.torch:
                return None
        elif isinstance(updated.func, cst.Attribute):
            short, operands = updated.func.attr.value, [updated.func.value, *operands]
        else:
            return None
        options = {key: self.syntax.code(arg.value) for key, arg in keywords.items()}
        if prefix and not operands and "input" in options:
            operands, options = [keywords["input"].value], options
            options.pop("input")
        texts = [self.syntax.code(one) for one in operands]
        return Operation(short, texts, options, [*map(_is_plain, operands)], prefix, self.torch)

    def _bakes(self, node: cst.BinaryOperation) -> bool:
        """``a - tensor`` and ``tensor ** a``."""
        other = node.right if isinstance(node.operator, cst.Subtract) else node.left
        parsed = _ast(self.syntax.code(other))
        if parsed is None or is_number(parsed) or self.uses.holds(parsed):
            return False
        if isinstance(node.operator, cst.Subtract):
            return self.holds(node.left)
        return isinstance(node.operator, cst.Power) and self.holds(node.right) and _is_plain(other)

    def _binary(self, node: cst.BinaryOperation) -> Change:
        def change(updated: cst.BinaryOperation) -> cst.BaseExpression:
            left, right = self.syntax.code(updated.left), self.syntax.code(updated.right)
            if isinstance(node.operator, cst.Subtract):
                term = self.syntax.code(wrapped(updated.right, tight=False))
                made = cst.parse_expression(f"-({term} - {left})")
                parent = next(self.syntax.around(node))
                return wrapped(made) if isinstance(parent, _TIGHT) and not node.lpar else made
            return cst.parse_expression(f"{left} ** ({zero_of(left)} + {right})")

        return change


_TIGHT = (cst.BinaryOperation, cst.UnaryOperation, cst.Attribute, cst.Subscript, cst.Call)


def _ast(text: str) -> ast.expr | None:
    try:
        return ast.parse(f"({text}\n)", mode="eval").body
    except SyntaxError:
        return None


def _is_plain(node: cst.CSTNode) -> bool:
    """Names, attributes and items with constant places: what reading twice changes nothing of."""
    if isinstance(node, cst.Subscript):
        inside = [part.slice for part in node.slice]
        constant = all(
            isinstance(one, cst.Index) and isinstance(one.value, cst.Integer | cst.Name)
            for one in inside
        )
        return constant and _is_plain(node.value)
    if isinstance(node, cst.Attribute):
        return _is_plain(node.value)
    return isinstance(node, cst.Name)
