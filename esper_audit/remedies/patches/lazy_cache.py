"""A tensor that forward makes when there is none becomes a buffer that construction makes.

Whatever dropped it computes it again, in place. What reads it takes the dtype and the device that
forward asked for.

Worked example::

    if self.mask is None:                      self.register_buffer(     # in __init__
        self.mask = torch.ones(4, 4).tril()        "mask", torch.ones(4, 4).tril(), ...)
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from esper_audit.data.findings import Finding
from esper_audit.data.places import Location
from esper_audit.data.remedies import Edit
from esper_audit.remedies.patches import construction
from esper_audit.remedies.patches.caches import CACHES, Cache, cache_of, refuse_changing
from esper_audit.remedies.patches.freed import Freed, freed
from esper_audit.remedies.patches.refused import Refused, Unconcerned
from esper_audit.remedies.patches.rewrite import Rewrite, Rewrites, block_of, statement_of
from esper_audit.remedies.patches.subject import Subject, concerned
from esper_audit.source.attributes import Site, SiteKind
from esper_audit.source.project import Project


def make(finding: Finding, project: Project) -> Iterator[tuple[Edit, ...]]:
    """The edits of one remedy; raises Refused, or Unconcerned where it is no cache."""
    subject = concerned(finding, project, CACHES)
    cache = cache_of(subject)
    if cache is None:
        if finding.id in CACHES:
            raise Refused("no `if … is None` that fills it", finding.user_line)
        raise Unconcerned
    subject.refuse_plain()
    if cache.name != subject.name:
        subject = subject.named(cache.name)
    yield _Moved(subject, cache).edits()


@dataclass
class _Moved:
    """The edits that make the cache a buffer."""

    subject: Subject
    cache: Cache
    rewrites: Rewrites = field(default_factory=Rewrites)

    def edits(self) -> tuple[Edit, ...]:
        cache, subject = self.cache, self.subject
        rewrite = self.rewrites.of(cache.function.file)
        results = {
            name: freed(value, rewrite, cache.function) for name, value in cache.made.items()
        }
        deps = self._needs([_parsed(result.text) for result in results.values()])
        refuse_changing(subject, cache, deps)
        for name, result in results.items():
            self._drops(subject.named(name), result, deps)
        self._reads(rewrite, results)
        cache.take_out(rewrite)
        self._construct(results, deps)
        return self.rewrites.edits()

    def _needs(self, nodes: list[ast.expr]) -> frozenset[str]:
        """The attributes that the cache is computed from, through methods of the class too."""
        found: set[str] = set()
        waiting: list[ast.AST] = list(nodes)
        while waiting:
            for one in ast.walk(waiting.pop()):
                if not (isinstance(one, ast.Attribute) and isinstance(one.value, ast.Name)):
                    continue
                if one.value.id != "self" or one.attr in found:
                    continue
                found.add(one.attr)
                method = self.subject.classes.method(self.subject.owner, one.attr)
                if method is not None:
                    waiting.append(method.node)
        return frozenset(found)

    # --- where it is dropped ---

    def _drops(self, subject: Subject, result: Freed, deps: frozenset[str]) -> None:
        """``self.cache = None`` computes it again."""
        for site in subject.sites:
            if site.kind not in (SiteKind.WRITE, SiteKind.DELETE, SiteKind.AUGMENTED):
                continue
            if site.in_init or self.cache.holds(site.node):
                continue
            at = site.location
            if not subject.is_sure(site):
                raise Refused("it is not known of whose object a line drops it", at)
            self._drop(site, result, deps)

    def _drop(self, site: Site, result: Freed, deps: frozenset[str]) -> None:
        rewrite = self.rewrites.of(site.file)
        line = statement_of(site.node, rewrite.parents)
        is_drop = isinstance(line, ast.Delete) or (
            isinstance(line, ast.Assign)
            and line.targets == [site.node]
            and isinstance(line.value, ast.Constant)
            and line.value.value is None
        )
        if not is_drop or not isinstance(site.node, ast.Attribute):
            raise Refused("another line writes it, and not None", site.location)
        owner = rewrite.text(site.node.value)
        text = f"{owner}.{site.attribute}.{_refresh(result.text)}"
        text = re.sub(r"\bself\b", lambda _: owner, text)
        last = self._last_write(site, line, rewrite, deps)
        if last is line:
            rewrite.replace(line, text)
        else:
            rewrite.remove(line)
            rewrite.after(last, text)
        if "torch." in text:
            rewrite.import_torch()

    def _last_write(
        self, site: Site, line: ast.stmt, rewrite: Rewrite, deps: frozenset[str]
    ) -> ast.stmt:
        """The drop, or what is written after it that the cache is computed from."""
        last = line
        block = block_of(line, rewrite.parents)
        assert site.function is not None
        for one in ast.walk(site.function.node):
            if not isinstance(one, ast.Attribute) or not isinstance(one.ctx, ast.Store):
                continue
            written = statement_of(one, rewrite.parents)
            if one.attr in deps and written.lineno > last.lineno:
                if written not in block:
                    at = Location(site.file.path, written.lineno)
                    raise Refused(f"{one.attr} is written in another block after the drop", at)
                last = written
        return last

    # --- where it is read ---

    def _reads(self, rewrite: Rewrite, results: dict[str, Freed]) -> None:
        for one in ast.walk(self.cache.function.node):
            if not (isinstance(one, ast.Attribute) and isinstance(one.ctx, ast.Load)):
                continue
            is_own = isinstance(one.value, ast.Name) and one.value.id == "self"
            if is_own and one.attr in results and not self.cache.holds(one):
                rewrite.change(rewrite.end(one), rewrite.end(one), results[one.attr].cast)

    # --- construction ---

    def _construct(self, results: dict[str, Freed], deps: frozenset[str]) -> None:
        home = self.subject.home
        rewrite = self.rewrites.of(home.file)
        rewrite.import_torch()
        lines = [construction.buffer(name, result.text) for name, result in results.items()]
        construction.in_init(rewrite, self.subject, tuple(results), lines, deps)


def _parsed(text: str) -> ast.expr:
    return ast.parse(f"({text})", mode="eval").body


def _refresh(text: str) -> str:
    """How to compute it again in place; a single number is filled in."""
    match _parsed(text):
        case ast.Call(func=ast.Attribute(attr="tensor"), args=[number], keywords=[]):
            match number:
                case ast.Call(func=ast.Name(id="float"), args=[held]):
                    return f"fill_({ast.unparse(held)})"
                case ast.Attribute():
                    return f"fill_({ast.unparse(number)})"
    return f"copy_({text})"
