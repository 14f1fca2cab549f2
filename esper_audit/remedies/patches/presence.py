"""An attribute that is set late is there from construction on, as a buffer with a neutral value.

The value is that of ``getattr(self, "scale", 1.0)``, or the one that leaves the other branch of
``y * self.scale if hasattr(self, "scale") else y`` as it is: 1 of a product, 0 of a sum.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field

from esper_audit.data.diagnoses import Diagnosis
from esper_audit.data.findings import Finding
from esper_audit.data.places import Location
from esper_audit.data.remedies import Edit
from esper_audit.remedies.patches import construction
from esper_audit.remedies.patches.literals import is_number_literal
from esper_audit.remedies.patches.refused import Refused, Unconcerned
from esper_audit.remedies.patches.rewrite import Rewrite, Rewrites, block_of
from esper_audit.remedies.patches.subject import Subject, concerned
from esper_audit.remedies.patches.writes import in_place
from esper_audit.source.attributes import Site, SiteKind
from esper_audit.source.definitions import dotted
from esper_audit.source.project import Project

_NEUTRAL = {ast.Mult: "1.0", ast.Div: "1.0", ast.Add: "0.0", ast.Sub: "0.0", ast.Pow: "1.0"}


def make(finding: Finding, project: Project) -> Iterator[tuple[Edit, ...]]:
    """The edits of one remedy; raises Refused, or Unconcerned where nothing asks for it."""
    subject = concerned(finding, project, frozenset((Diagnosis.ATTRIBUTE_PRESENCE,)))
    if finding.id is not Diagnosis.ATTRIBUTE_PRESENCE and not asking(subject):
        raise Unconcerned
    subject.refuse_plain()
    yield _Present(subject).edits()


def asking(subject: Subject) -> list[ast.Call]:
    """The calls that ask for the attribute by its name, where the guard is made."""
    return [
        one
        for one in ast.walk(subject.user.node)
        if isinstance(one, ast.Call)
        and dotted(one.func) in ("hasattr", "getattr")
        and len(one.args) > 1
        and dotted(one.args[0]) == "self"
        and isinstance(one.args[1], ast.Constant)
        and one.args[1].value == subject.name
    ]


@dataclass
class _Present:
    """The edits that have it set in ``__init__``."""

    subject: Subject
    rewrites: Rewrites = field(default_factory=Rewrites)

    @property
    def name(self) -> str:
        return self.subject.name

    def edits(self) -> tuple[Edit, ...]:
        subject, home = self.subject, self.subject.home
        rewrite = self.rewrites.of(subject.user.file)
        values = {self._value(node, rewrite) for node in asking(subject)}
        if len(values) != 1:
            raise Refused("no one value that has no effect is known", subject.finding.user_line)
        for site in subject.sites:
            self._check(site)
        where = self.rewrites.of(home.file)
        where.import_torch()
        made = construction.buffer(self.name, f"torch.tensor({values.pop()})")
        construction.at_construction(where, home, made)
        return self.rewrites.edits()

    def _value(self, call: ast.Call, rewrite: Rewrite) -> str:
        """The value that has no effect; the question goes."""
        if dotted(call.func) == "getattr":
            if len(call.args) != 3 or not is_number_literal(call.args[2]):
                raise self._refused("its default is no number", call)
            rewrite.replace(call, f"self.{self.name}")
            return _floating(rewrite.text(call.args[2]))
        parent = rewrite.parents[call]
        if isinstance(parent, ast.IfExp) and parent.test is call:
            rewrite.around(parent, parent.body, "", "")
            return self._neutral(parent.body, rewrite.text(parent.orelse), call, rewrite)
        if isinstance(parent, ast.If) and parent.test is call and len(parent.body) == 1:
            return self._of_block(parent, call, rewrite)
        raise self._refused("what asks for it is of another form", call)

    def _of_block(self, node: ast.If, call: ast.Call, rewrite: Rewrite) -> str:
        """``if hasattr(self, "scale"): y = y * self.scale``, and the same with ``return``."""
        (line,) = node.body
        following = node.orelse or _after(node, rewrite)
        match line:
            case ast.Assign(targets=[ast.Name(id=name)], value=value) if not node.orelse:
                found = self._neutral(value, name, call, rewrite)
            case ast.AugAssign(target=ast.Name(), value=value) if not node.orelse:
                operator = type(line.op)
                if operator not in _NEUTRAL or dotted(value) != f"self.{self.name}":
                    raise self._refused("what it does there is of another form", call)
                found = _NEUTRAL[operator]
            case ast.Return(value=ast.expr() as value) if (
                following and isinstance(following[0], ast.Return) and following[0].value
            ):
                found = self._neutral(value, rewrite.text(following[0].value), call, rewrite)
                if not node.orelse:
                    rewrite.remove(following[0])
            case _:
                raise self._refused("what it does there is of another form", call)
        rewrite.replace(node, rewrite.text(line))
        return found

    def _neutral(self, value: ast.expr, other: str, call: ast.Call, rewrite: Rewrite) -> str:
        """The number with which an operation gives what stands in the other branch."""
        match value:
            case ast.BinOp(left=left, op=operator, right=right) if type(operator) in _NEUTRAL:
                mine, its = dotted(right), rewrite.text(left)
                if dotted(left) == f"self.{self.name}" and isinstance(operator, ast.Mult | ast.Add):
                    mine, its = dotted(left), rewrite.text(right)
                if mine == f"self.{self.name}" and its == other:
                    return _NEUTRAL[type(operator)]
        raise self._refused("the branches differ by more than one operation with it", call)

    def _check(self, site: Site) -> None:
        """Each line that writes it fills the buffer."""
        if site.via or site.kind is SiteKind.READ:
            return
        if site.in_init and site.owner is self.subject.home:
            raise Unconcerned
        if site.kind is SiteKind.DELETE:
            raise Refused("a line deletes it", site.location)
        if not self.subject.is_sure(site):
            raise Refused("it is not known of whose object a line writes it", site.location)
        if site.kind in (SiteKind.WRITE, SiteKind.AUGMENTED):
            in_place(self.rewrites.of(site.file), site, self.name)

    def _refused(self, text: str, call: ast.Call) -> Refused:
        return Refused(text, Location(self.subject.user.file.path, call.lineno))


def _floating(text: str) -> str:
    return text if any(mark in text for mark in ".e") else f"{text}.0"


def _after(node: ast.If, rewrite: Rewrite) -> list[ast.stmt]:
    block = block_of(node, rewrite.parents)
    return block[block.index(node) + 1 :]
