"""A cache whose size depends on an argument is used by eager code alone; compiled code computes it.

Worked example: ``if self.mask is None: self.mask = ones(n)`` becomes the ``else`` of
``if torch.compiler.is_compiling(): mask = ones(n)``, and what follows reads ``mask``.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from esper_audit.data.findings import Finding
from esper_audit.data.places import Location
from esper_audit.data.remedies import Edit
from esper_audit.remedies.patches.caches import CACHES, Cache, cache_of
from esper_audit.remedies.patches.refused import Refused, Unconcerned
from esper_audit.remedies.patches.rewrite import Rewrite, Rewrites
from esper_audit.remedies.patches.subject import Subject, concerned
from esper_audit.source.attributes import SiteKind
from esper_audit.source.project import Project

_STEP = "    "


def make(finding: Finding, project: Project) -> Iterator[tuple[Edit, ...]]:
    """The edits of one remedy; raises Refused, or Unconcerned where it is no cache."""
    subject = concerned(finding, project, CACHES)
    cache = cache_of(subject, sized=True)
    if cache is None:
        raise Unconcerned
    (line, *more) = cache.lines
    if more or not isinstance(line, ast.If):
        raise Refused("it returns before it is filled", finding.user_line)
    for name in cache.made:
        _refuse_other_readers(subject.named(name), cache)
    rewrites = Rewrites()
    rewrite = rewrites.of(cache.function.file)
    local = {name: _local(name, cache) for name in cache.made}
    rewrite.replace(line, _branches(line, local, rewrite))
    for node in _reads(cache):
        rewrite.replace(node, local[node.attr])
    rewrite.import_torch()
    yield rewrites.edits()


def _refuse_other_readers(subject: Subject, cache: Cache) -> None:
    """Another function of compiled code would still read what eager code holds."""
    for site in subject.sites:
        is_other = site.function is not cache.function and site.kind is SiteKind.READ
        if is_other and subject.is_traced(site):
            raise Refused("another function of compiled code reads it", site.location)


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


def _branches(line: ast.If, local: dict[str, str], rewrite: Rewrite) -> str:
    """The line in two: of compiled code, and of eager code, which keeps its cache."""
    indent = rewrite.indent(line)
    computed = [_renamed(_inner(one, indent, rewrite), local) for one in line.body]
    kept = [f"{name} = self.{attribute}" for attribute, name in local.items()]
    eager = [_shifted(rewrite.text(line), _STEP), *(f"{indent}{_STEP}{one}" for one in kept)]
    return "\n".join(
        (
            "if torch.compiler.is_compiling():",
            *(f"{indent}{_STEP}{one}" for one in computed),
            f"{indent}else:",
            f"{indent}{_STEP}{eager[0]}",
            *eager[1:],
        )
    )


def _inner(node: ast.stmt, indent: str, rewrite: Rewrite) -> str:
    """A line of the body; its further lines stand where they stood."""
    own = rewrite.indent(node)
    text = rewrite.text(node).replace("\r\n", "\n")
    return text.replace(f"\n{own}", f"\n{indent}{_STEP}")


def _shifted(text: str, by: str) -> str:
    first, *rest = text.replace("\r\n", "\n").split("\n")
    return "\n".join([first, *(f"{by}{one}" if one.strip() else one for one in rest)])


def _renamed(text: str, local: dict[str, str]) -> str:
    for attribute, name in local.items():
        text = re.sub(rf"\bself\.{attribute}\b", name, text)
    return text
