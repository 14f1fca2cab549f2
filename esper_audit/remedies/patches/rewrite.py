"""A file's text with some places of it changed; all else stays byte for byte.

Places are nodes of its syntax tree. Changes must not overlap: to change what is around an
expression and what is in it, change the text before it and the text after it.
"""

from __future__ import annotations

import ast
import re
from bisect import insort
from collections.abc import Iterator
from functools import cached_property

from esper_audit.data.remedies import Edit
from esper_audit.remedies.patches.refused import Refused
from esper_audit.source.project import SourceFile

Placed = ast.expr | ast.stmt | ast.keyword | ast.arg


class Rewrite:
    """Changes to one file. Later ones at the same place come after earlier ones."""

    def __init__(self, file: SourceFile) -> None:
        self.file = file
        self._changes: list[tuple[int, int, int, bytes]] = []
        self._data = file.text.encode()
        self._removed: list[ast.stmt] = []

    @cached_property
    def _starts(self) -> list[int]:
        """The place of the first byte of each line, as Python counts lines."""
        starts = [0]
        for line in self._data.splitlines(keepends=True):
            starts.append(starts[-1] + len(line))
        return starts

    @cached_property
    def _newline(self) -> str:
        return "\r\n" if b"\r\n" in self._data else "\n"

    @cached_property
    def parents(self) -> dict[ast.AST, ast.AST]:
        """What each node of the tree stands in."""
        pairs = ((child, node) for node in ast.walk(self.file.tree) for child in _children(node))
        return dict(pairs)

    def start(self, node: Placed) -> int:
        """The place of its first byte; of what is decorated, of its first decorator."""
        line, column = node.lineno, node.col_offset
        for decorator in getattr(node, "decorator_list", ())[:1]:
            line = decorator.lineno
        return self._starts[line - 1] + column

    def end(self, node: Placed) -> int:
        """The place after its last byte."""
        assert node.end_lineno is not None and node.end_col_offset is not None
        return self._starts[node.end_lineno - 1] + node.end_col_offset

    def text(self, node: Placed) -> str:
        """As it stands in the file."""
        return self._data[self.start(node) : self.end(node)].decode()

    def change(self, start: int, end: int, text: str) -> None:
        """Put a text in place of these bytes; raises Refused where they are changed already."""
        for before, after, _, _ in self._changes:
            if start < after and before < end:
                raise Refused("two changes of one expression")
        text = text.replace("\r\n", "\n").replace("\n", self._newline)
        insort(self._changes, (start, end, len(self._changes), text.encode()))

    def replace(self, node: Placed, text: str) -> None:
        """Put a text in place of a node."""
        self.change(self.start(node), self.end(node), text)

    def around(self, outer: Placed, inner: Placed, before: str, after: str) -> None:
        """Put texts in place of what stands before and after a part of a node, brackets too.

        Brackets of a call take the place of those around it, with their lines and comments.
        """
        first, last = self.start(inner), self.end(inner)
        opening = _OPENS.search(self._data[self.start(outer) : first])
        closing = _CLOSES.match(self._data[last : self.end(outer)])
        if opening is not None and before.endswith("("):
            before += opening[1].decode()
        if closing is not None and after.startswith(")"):
            after = closing[1].decode() + after
        self.change(self.start(outer), first, before)
        self.change(last, self.end(outer), after)

    def indent(self, node: ast.stmt) -> str:
        """The blanks that its line begins with."""
        line = self._data[self._starts[node.lineno - 1] :]
        return line[: len(line) - len(line.lstrip(b" \t"))].decode()

    def before(self, node: ast.stmt, *lines: str) -> None:
        """Put statements before one; the lines are indented from there on."""
        indent, at = self.indent(node), self.start(node)
        if self._is_first_of_its_line(node):
            text = _indented("\n".join((*lines, "|")), indent)
            self.change(at, at, text.removesuffix("|"))
        else:
            self.change(at, at, "".join(f"{line}; " for line in lines))

    def after(self, node: ast.stmt, *lines: str) -> None:
        """Put statements after one."""
        indent = self.indent(node)
        if not self._is_first_of_its_line(node) or self._is_followed(node):
            at = self.end(node)
            self.change(at, at, "".join(f"; {line}" for line in lines))
            return
        assert node.end_lineno is not None
        at = self._starts[node.end_lineno]
        text = "".join(f"{indent}{_indented(line, indent)}".rstrip() + "\n" for line in lines)
        if not self._data[:at].endswith((b"\n", b"\r")):  # the file's last line
            text = "\n" + text.removesuffix("\n")
        self.change(at, at, text)

    def remove(self, node: ast.stmt, comments: bool = False) -> None:
        """Take a statement out with its line; ``pass`` takes the place of a block's only one.

        A comment beside its end goes with it only where that is allowed.
        """
        block = block_of(node, self.parents)
        self._removed.append(node)
        if all(one in self._removed for one in block):
            self.replace(node, "pass")
            return
        if not self._is_first_of_its_line(node) or self._is_followed(node):
            raise Refused("two statements on one line")
        assert node.end_lineno is not None
        rest = self._data[self.end(node) : self._starts[node.end_lineno]]
        if b"#" in rest and not comments:
            raise Refused("a comment beside a line that would go")
        self.change(self._starts[node.lineno - 1], self._starts[node.end_lineno], "")

    def _is_first_of_its_line(self, node: ast.stmt) -> bool:
        line = self._starts[node.lineno - 1]
        return not self._data[line : line + node.col_offset].strip()

    def _is_followed(self, node: ast.stmt) -> bool:
        """By another statement on its last line."""
        assert node.end_lineno is not None
        rest = self._data[self.end(node) : self._starts[node.end_lineno]]
        return rest.lstrip().startswith(b";")

    def import_torch(self) -> None:
        """Add ``import torch`` where the name is not bound to it."""
        for node in ast.walk(self.file.tree):
            if isinstance(node, ast.Import):
                for alias in node.names:
                    if alias.asname is None and alias.name.partition(".")[0] == "torch":
                        return
        body = self.file.tree.body
        is_doc = bool(body) and _is_text(body[0])
        places = [node for node in body[is_doc:] if not _is_future(node)]
        if places:
            known = [node for node in places if isinstance(node, ast.Import | ast.ImportFrom)]
            self.before((known or places)[0], "import torch")

    def edit(self) -> Edit:
        """The file before and after; raises Refused where Python can't parse it afterwards."""
        data, at = b"", 0
        for start, end, _, text in self._changes:
            data += self._data[at:start] + text
            at = end
        after = (data + self._data[at:]).decode()
        try:
            ast.parse(after)
        except (SyntaxError, ValueError) as error:
            raise Refused(f"the edit could not be written: {error}") from None
        return Edit(file=self.file.path, before=self.file.text, after=after)


_LINES = rb"((?:[ \t\r]*(?:#[^\n]*)?\n)+[ \t]*)"
_OPENS, _CLOSES = re.compile(rb"\(" + _LINES + rb"\Z"), re.compile(_LINES + rb"\)")
"""Line ends and comments between a bracket and what stands in it."""


def _children(node: ast.AST) -> Iterator[ast.AST]:
    return ast.iter_child_nodes(node)


def _indented(text: str, indent: str) -> str:
    """Its second line and those after it, but for empty ones."""
    first, *rest = text.split("\n")
    return "\n".join([first, *(f"{indent}{line}" if line else "" for line in rest)])


def _is_text(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _is_future(node: ast.stmt) -> bool:
    return isinstance(node, ast.ImportFrom) and node.module == "__future__"


def block_of(node: ast.stmt, parents: dict[ast.AST, ast.AST]) -> list[ast.stmt]:
    """The statements among which it stands."""
    parent = parents[node]
    for name in ("body", "orelse", "finalbody"):
        block = getattr(parent, name, None)
        if isinstance(block, list) and node in block:
            return block
    return [node]


def statement_of(node: ast.AST, parents: dict[ast.AST, ast.AST]) -> ast.stmt:
    """The innermost statement that holds a node."""
    while not isinstance(node, ast.stmt):
        node = parents[node]
    return node


class Rewrites:
    """Changes to several files."""

    def __init__(self) -> None:
        self._files: dict[str, Rewrite] = {}

    def of(self, file: SourceFile) -> Rewrite:
        """The changes to one file."""
        return self._files.setdefault(file.path, Rewrite(file))

    def edits(self) -> tuple[Edit, ...]:
        """One for each file that changes."""
        made = (rewrite.edit() for rewrite in self._files.values())
        return tuple(edit for edit in made if edit.before != edit.after)
