"""The attribute that a finding is about: whose it is, where it is set first, where it is traced."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

from esper_audit.data.diagnoses import Diagnosis
from esper_audit.data.findings import Finding
from esper_audit.data.places import Location
from esper_audit.data.remedies import Ground
from esper_audit.remedies.patches.receivers import classes_told
from esper_audit.remedies.patches.refused import Refused, Unconcerned
from esper_audit.source.attributes import Site, SiteKind, sites_in, sites_of
from esper_audit.source.classes import Classes, classes_of
from esper_audit.source.definitions import Class, Function, dotted
from esper_audit.source.project import Project
from esper_audit.source.reach import reached_from_all
from esper_audit.source.types import types_of


@dataclass(frozen=True, eq=False)
class Subject:
    """``name`` is the attribute of an ``owner``; ``home`` the class that sets it first.

    ``user`` is the function in which the guard is made. ``direct`` says that the attribute is read
    there; else the number has come there from elsewhere.
    """

    project: Project
    name: str
    owner: Class
    home: Class
    user: Function
    direct: bool
    finding: Finding

    @property
    def classes(self) -> Classes:
        return classes_of(self.project)

    def refuse_plain(self) -> None:
        """Raise Refused where home is known to be no nn.Module: it has no buffers."""
        if not self.is_module:
            raise Refused(f"{self.home.name} is no nn.Module", self.home.location)

    @property
    def is_module(self) -> bool:
        """Whether home may be an nn.Module."""
        return self.classes.is_module(self.home) is not False

    @cached_property
    def related(self) -> frozenset[Class]:
        """The classes whose ``self`` may have the attribute: home, what it inherits, subclasses."""
        return frozenset((*self.classes.line(self.home), *self.classes.subclasses(self.home)))

    @cached_property
    def reading(self) -> frozenset[Class]:
        """The classes whose methods an owner has: its own, those it inherits, of subclasses."""
        return frozenset((*self.classes.line(self.owner), *self.classes.subclasses(self.owner)))

    @cached_property
    def sites(self) -> tuple[Site, ...]:
        """All sites of the attribute, of objects that may be home's."""
        return tuple(site for site in self._named if self._is_ours(site))

    @cached_property
    def _named(self) -> tuple[Site, ...]:
        """All sites of attributes of this name. Files that can't hold one are not parsed."""
        words = (f".{self.name}", f'"{self.name}"', f"'{self.name}'")
        files = {file.path: file for file in self.project.all(words)}
        files |= {one.file.path: one.file for one in self.related}
        found = (site for file in files.values() for site in sites_in(file, self.classes))
        return tuple(site for site in found if site.attribute == self.name)

    def _is_ours(self, site: Site) -> bool:
        if site.receiver == "self" or site.kind is SiteKind.DECLARED:
            return site.owner in self.related
        found = self._types_of_receiver(site)
        return not found or not self.related.isdisjoint(found)

    def is_sure(self, site: Site) -> bool:
        """Whether its object is known to be home's: by its class or by the recording.

        What compiled code reads is also known by its name, where no other class has such a one.
        """
        if site.receiver == "self" or site.kind is SiteKind.DECLARED:
            return True
        if self._types_of_receiver(site):
            return True
        at = (site.file.path, site.line)
        if any((one.location.file, one.location.line) == at for one in self.finding.writers):
            return True
        is_read = site.kind is SiteKind.READ and self.is_traced(site)
        return is_read and not self._is_elsewhere

    @cached_property
    def _is_elsewhere(self) -> bool:
        """Whether an unrelated class of the project has an attribute of this name, too."""
        return any(
            site.owner is not None and site.owner not in self.related
            for site in self._named
            if site.receiver == "self" or site.kind is SiteKind.DECLARED
        )

    def _types_of_receiver(self, site: Site) -> frozenset[Class]:
        if not isinstance(site.node, ast.Attribute):
            return frozenset()
        found: frozenset[Class] = frozenset()
        if site.function is not None:
            types = types_of(self.classes)
            found = types.of(site.node.value, site.function, site.owner or site.function.owner)
        return found or frozenset(classes_told(site, self.classes))

    @cached_property
    def traced(self) -> frozenset[Function]:
        """The functions that compiled code may run, as far as source tells."""
        starts: list[tuple[Function, Class | None]] = []
        entry = self._entry
        for function in (entry, self.user):
            if function is not None:
                owners = [function.owner] if function.owner is not None else [None]
                for owner in owners:
                    below = self.classes.subclasses(owner) if owner is not None else ()
                    starts += [(function, one) for one in (owner, *below)]
        for one in self.related:
            forward = one.methods.get("forward")
            if forward is not None:
                starts.append((forward, one))
        return frozenset(reached_from_all(self.project, starts).functions)

    @cached_property
    def _traceable(self) -> frozenset[Function]:
        """What the forward of any module reaches, or a function that is decorated to be compiled.

        It computes with tensors, whether it is compiled in the replay at hand or not.
        """
        starts: list[tuple[Function, Class | None]] = [
            (made.methods["forward"], made)
            for made in self.classes.all()
            if "forward" in made.methods and self.classes.is_module(made) is not False
        ]
        for file in self.project.all("torch.compile"):
            functions = self.classes.functions_in(file)
            starts += [(one, one.owner) for one in functions if "torch.compile" in one.decorators]
        return frozenset(reached_from_all(self.project, starts).functions)

    def may_be_traced(self, site: Site) -> bool:
        """Whether compiled code runs it in this replay, or may in another."""
        return self.is_traced(site) or site.function in self._traceable

    def named(self, name: str) -> Subject:
        """The same of another attribute of the owner."""
        return replace(self, name=name, home=_home(name, self.owner, self.classes))

    def is_traced(self, site: Site) -> bool:
        """Whether compiled code may run it: also in a function inside of one that it runs."""
        function = site.function
        return function is not None and any(
            function is one
            or (
                function.file is one.file
                and function.qualname.startswith(f"{one.qualname}.<locals>.")
            )
            for one in self.traced
        )

    @property
    def _entry(self) -> Function | None:
        return entry_of(self.finding, self.project)


def entry_of(finding: Finding, project: Project) -> Function | None:
    """The function that is compiled; None where it is none of the project's."""
    frame = finding.frame
    if frame.file not in project:
        return None
    return _around(classes_of(project).functions_in(project.file(frame.file)), frame.line)


def subject_of(finding: Finding, project: Project) -> Subject:
    """The attribute of a finding; raises Refused where it is none, or none of the project's."""
    name = finding.source.rpartition(".")[2]
    if "." not in finding.source or not name.isidentifier():
        raise Refused(f"{finding.source or 'what changed'} is no attribute")
    classes = classes_of(project)
    user, found = _used(name, finding, project)
    if user is None:
        user = entry_of(finding, project)
        found = _owners(name, user, None, classes) if user is not None else set()
    line = finding.user_line
    if user is None:
        raise Refused("it is read outside of the project", line, Ground.NO_SOURCE)
    direct = bool(found)
    found = found or _by_path(finding, project) or _by_name(name, classes)
    homes = {_home(name, one, classes) for one in found}
    if not homes:
        raise Refused(f"it is not known which class has the attribute {name}", line)
    if len(homes) > 1:
        raise Refused(f"several classes have an attribute {name}", line)
    owner, home = next(iter(found)) if len(found) == 1 else next(iter(homes)), next(iter(homes))
    return Subject(project, name, owner, home, user, direct, finding)


def concerned(finding: Finding, project: Project, own: frozenset[Diagnosis]) -> Subject:
    """As :func:`subject_of`; where it is none, Unconcerned of a diagnosis not its ``own``."""
    try:
        return subject_of(finding, project)
    except Refused:
        if finding.id in own:
            raise
        raise Unconcerned from None


def _used(name: str, finding: Finding, project: Project) -> tuple[Function | None, set[Class]]:
    """The function that makes the guard, and the classes whose attribute is read there."""
    line = finding.user_line
    if line is None or line.file not in project:  # some guards are made by torch itself
        return None, set()
    classes = classes_of(project)
    user = _around(classes.functions_in(project.file(line.file)), line.line)
    return user, _owners(name, user, line, classes) if user is not None else set()


def _by_path(finding: Finding, project: Project) -> set[Class]:
    """The class of what ``self.strategy`` is, seen from the compiled function."""
    entry = entry_of(finding, project)
    try:
        node = ast.parse(finding.source, mode="eval").body
    except SyntaxError:
        return set()
    if entry is None or not isinstance(node, ast.Attribute):
        return set()
    return set(types_of(classes_of(project)).of(node.value, entry, entry.owner))


def _by_name(name: str, classes: Classes) -> set[Class]:
    """The one class of modules that sets an attribute of this name; none where several do."""
    setting = {
        site.owner
        for site in sites_of(classes.project, name)
        if site.owner is not None and site.in_init
    }
    homes = {_home(name, one, classes) for one in setting if classes.is_module(one) is not False}
    return homes if len(homes) == 1 else set()


def _around(functions: list[Function], line: int) -> Function | None:
    """The innermost function of a line."""
    around = [one for one in functions if _first(one) <= line <= (one.node.end_lineno or 0)]
    return max(around, key=lambda one: one.node.lineno, default=None)


def _first(function: Function) -> int:
    return min((function.node.lineno, *(one.lineno for one in function.node.decorator_list)))


def _owners(name: str, user: Function, line: Location | None, classes: Classes) -> set[Class]:
    """The classes whose object has the attribute that is read there."""
    sites = [
        site
        for site in sites_in(user.file, classes)
        if site.attribute == name and site.function is user
    ]
    near = [site for site in sites if line is not None and _holds(site.node, line.line)] or sites
    found: set[Class] = set()
    for site in near:
        if site.receiver == "self" and site.owner is not None:
            found.add(site.owner)
        elif isinstance(site.node, ast.Attribute):
            found |= types_of(classes).of(site.node.value, user, site.owner)
    if not near and user.owner is not None and _asks(user, name):
        found.add(user.owner)  # by hasattr or getattr
    return found


def _holds(node: ast.AST, line: int) -> bool:
    first, last = getattr(node, "lineno", 0), getattr(node, "end_lineno", 0) or 0
    return first <= line <= last


def _asks(user: Function, name: str) -> bool:
    """Whether it asks ``self`` for an attribute by its name."""
    return any(
        isinstance(node, ast.Call)
        and dotted(node.func) in ("hasattr", "getattr")
        and len(node.args) > 1
        and dotted(node.args[0]) == "self"
        and isinstance(node.args[1], ast.Constant)
        and node.args[1].value == name
        for node in ast.walk(user.node)
    )


def _home(name: str, owner: Class, classes: Classes) -> Class:
    """The class in which the attribute is set first: the highest one that sets it."""
    line = classes.line(owner)
    setting = [one for one in line if _sets(one, name, classes)]
    if setting:
        return setting[-1]
    below = [one for one in classes.subclasses(owner) if _sets(one, name, classes)]
    if len(below) == 1:
        return below[0]
    return owner


def _sets(owner: Class, name: str, classes: Classes) -> bool:
    return any(True for _ in first_writes(owner, name, classes))


def first_writes(owner: Class, name: str, classes: Classes) -> Iterator[Site]:
    """Where the construction of a class sets it, in its own body."""
    for site in sites_in(owner.file, classes):
        if site.attribute == name and site.owner is owner and site.in_init:
            yield site
