"""A cache whose size depends on an argument is computed in each call: compiled code fuses that.

Worked example: ``if self.mask is None: self.mask = ones(n)`` becomes ``mask = ones(n)``, and what
follows reads ``mask``. To keep the cache for eager code alone would leave a state that differs
between the two.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from esper_audit.data.findings import Finding
from esper_audit.data.places import Location
from esper_audit.data.remedies import Edit
from esper_audit.remedies.patches.caches import CACHES, Cache, cache_of, refuse_changing
from esper_audit.remedies.patches.refused import Refused, Unconcerned
from esper_audit.remedies.patches.rewrite import Rewrite, Rewrites
from esper_audit.remedies.patches.subject import Subject, concerned
from esper_audit.source.attributes import SiteKind
from esper_audit.source.definitions import dotted
from esper_audit.source.project import Project


def make(finding: Finding, project: Project) -> Iterator[tuple[Edit, ...]]:
    """The edits of one remedy; raises Refused, or Unconcerned where it is no cache."""
    subject = concerned(finding, project, CACHES)
    cache = cache_of(subject, sized=True)
    if cache is None:
        raise Unconcerned
    (line, *more) = cache.lines
    if more or not isinstance(line, ast.If):
        raise Refused("it returns before it is filled", finding.user_line)
    refuse_changing(subject, cache, frozenset(_attributes(line)))
    _refuse_values(cache)
    for name in cache.made:
        _refuse_other_readers(subject.named(name), cache)
    rewrites = Rewrites()
    rewrite = rewrites.of(cache.function.file)
    local = {name: _local(name, cache) for name in cache.made}
    rewrite.replace(line, _computed(line, local, rewrite))
    for node in _reads(cache):
        rewrite.replace(node, local[node.attr])
    yield rewrites.edits()


_OF_SIZE = frozenset(("shape", "size", "device", "dtype", "ndim", "dim", "numel", "type"))


def _attributes(line: ast.AST) -> Iterator[str]:
    """The attributes of self in it."""
    for one in ast.walk(line):
        if isinstance(one, ast.Attribute) and dotted(one.value) == "self":
            yield one.attr


def _refuse_values(cache: Cache) -> None:
    """Raise Refused where it keeps what a tensor held in the call that filled it."""
    arguments = {one.arg for one in cache.function.parameters[1:]}
    for made in (cache.lines[0], *cache.made.values()):
        for one in ast.walk(made):
            if not (isinstance(one, ast.Attribute) and isinstance(one.value, ast.Name)):
                continue
            is_size = one.attr in _OF_SIZE or one.attr.startswith("new_")
            if one.value.id in arguments and not is_size:
                at = Location(cache.function.file.path, one.lineno, cache.function.qualname)
                raise Refused(f"it keeps {ast.unparse(one)} of the call that filled it", at)


def _refuse_other_readers(subject: Subject, cache: Cache) -> None:
    """Another function would find an attribute that is never filled."""
    for site in subject.sites:
        if site.function is not cache.function and site.kind is SiteKind.READ:
            raise Refused("another function reads it", site.location)


def _local(name: str, cache: Cache) -> str:
    """A name for what is computed, which the function does not use yet."""
    taken = {one.id for one in ast.walk(cache.function.node) if isinstance(one, ast.Name)}
    taken |= {one.arg for one in ast.walk(cache.function.node) if isinstance(one, ast.arg)}
    bare = name.strip("_")
    return next(one for one in (bare, f"{bare}_now", f"{bare}_computed") if one not in taken)


def _reads(cache: Cache) -> list[ast.Attribute]:
    """What reads the cache in its function, but for the lines that fill it."""
    line = cache.lines[0]
    found = [
        one
        for one in ast.walk(cache.function.node)
        if isinstance(one, ast.Attribute)
        and isinstance(one.value, ast.Name)
        and one.value.id == "self"
        and one.attr in cache.made
        and not cache.holds(one)
    ]
    for one in found:
        if one.lineno < line.lineno or not isinstance(one.ctx, ast.Load):
            at = Location(cache.function.file.path, one.lineno, cache.function.qualname)
            raise Refused("it is used before the line that fills it", at)
    return found


def _computed(line: ast.If, local: dict[str, str], rewrite: Rewrite) -> str:
    """What the line did to fill it, in its place."""
    indent = rewrite.indent(line)
    lines = (_renamed(_inner(one, indent, rewrite), local) for one in line.body)
    return f"\n{indent}".join(lines)


def _inner(node: ast.stmt, indent: str, rewrite: Rewrite) -> str:
    """A line of the body; its further lines stand where they stood."""
    own = rewrite.indent(node)
    text = rewrite.text(node).replace("\r\n", "\n")
    return text.replace(f"\n{own}", f"\n{indent}")


def _renamed(text: str, local: dict[str, str]) -> str:
    for attribute, name in local.items():
        text = re.sub(rf"\bself\.{attribute}\b", name, text)
    return text
