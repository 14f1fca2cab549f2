"""Where a cached attribute, or what it is made from, is written, and what leads to each such line.

Worked example: ``LazyCache.invalidate`` binds ``_cached`` to None. ``SeedSlot._apply`` calls it, so
``.to()`` leads to it; so does ``SeedSlot.prune``, through ``_enter``. No forward does.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import PurePath

from esper_audit.data.places import Location
from esper_audit.source.attributes import WRITES, Site, SiteKind, writers_of
from esper_audit.source.cached import Cached
from esper_audit.source.callers import Callers, is_setter
from esper_audit.source.classes import classes_of
from esper_audit.source.definitions import Class, Function
from esper_audit.source.project import Project, python_files
from esper_audit.source.reach import Reached, reached_from_all
from esper_audit.source.types import types_of

_IMPORT = re.compile(r"^[ \t]*(?:from|import)\b(?:[^\n(]*\([^)]*\)|[^\n]*)", re.MULTILINE)
_WORD = re.compile(r"\w+")

_CHANGES = (*WRITES, SiteKind.IN_PLACE)


class OnPath(StrEnum):
    """Whether forward reaches a line; unknown where a call that it reaches may lead there."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"


class EntryKind(StrEnum):
    """By what a line is reached from outside.

    ``move``: ``.to()`` and its kin, through ``_apply``. ``load``: ``load_state_dict``. ``mode``:
    ``train()`` or ``eval()``. ``copied``: unpickling or a copy. ``call``: a public function or
    method. ``import``: the line runs as its module is imported. ``uncalled``: a private function,
    and nothing in the project is known to call it.
    """

    FORWARD = "forward"
    CONSTRUCTION = "construction"
    MOVE = "move"
    LOAD = "load"
    MODE = "mode"
    COPIED = "copied"
    SETTER = "setter"
    CALL = "call"
    IMPORT = "import"
    UNCALLED = "uncalled"


TORCHS = {
    "forward": EntryKind.FORWARD,
    "__init__": EntryKind.CONSTRUCTION,
    "__new__": EntryKind.CONSTRUCTION,
    "__post_init__": EntryKind.CONSTRUCTION,
    "_apply": EntryKind.MOVE,
    "to": EntryKind.MOVE,
    "load_state_dict": EntryKind.LOAD,
    "_load_from_state_dict": EntryKind.LOAD,
    "set_extra_state": EntryKind.LOAD,
    "train": EntryKind.MODE,
    "eval": EntryKind.MODE,
    "__setstate__": EntryKind.COPIED,
    "__deepcopy__": EntryKind.COPIED,
}
"""Methods that torch or Python calls."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A function by which a line is reached."""

    kind: EntryKind
    function: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Invalidation:
    """A line that writes the attribute.

    ``way``: the calls that lead there from a forward. Not ``certain``: the object that is written
    may be of another class. ``doubt``: a call that forward reaches, and that may lead here.
    """

    location: Location
    attribute: str
    kind: SiteKind
    certain: bool
    on_path: OnPath
    way: tuple[Location, ...] = ()
    doubt: Location | None = None
    entries: tuple[Entry, ...] = ()

    @property
    def in_construction(self) -> bool:
        """Whether it only makes the attribute there is from the start."""
        return {entry.kind for entry in self.entries} == {EntryKind.CONSTRUCTION}


def project_around(root: str, file: str, besides: Iterable[str] = ()) -> Project:
    """The part of a project that may lead to a file: its folder, and all that imports from there.

    Also what that folder imports. Tests are left out, and the files ``besides``.
    """
    left_out = frozenset(besides)
    found = (path for path in python_files(root) if not _is_test(path, root))
    whole = Project(root, [path for path in found if path not in left_out])
    imports = {one.path: _imported_names(one.text) for one in whole.all()}
    folder = PurePath(file).parent
    inside = {path for path in imports if PurePath(path).is_relative_to(folder)} | {file}
    users = _grown(inside, lambda path, names: bool(imports[path] & names), imports)
    needed = {name for path in inside for name in imports.get(path, ())}
    used = {path for path in imports if _module_name(path) in needed}
    return Project(root, [path for path in whole.files if path in users | used])


def _grown(
    start: set[str], is_next: Callable[[str, set[str]], bool], paths: Iterable[str]
) -> set[str]:
    """The start, with every path that is next to it, again and again."""
    found, size = set(start), -1
    while len(found) != size:
        size, names = len(found), {_module_name(path) for path in found}
        found |= {path for path in paths if is_next(path, names)}
    return found


def _imported_names(text: str) -> frozenset[str]:
    """The words of all import statements: more than what is imported, never less."""
    return frozenset(word for line in _IMPORT.findall(text) for word in _WORD.findall(line))


def _module_name(path: str) -> str:
    plain = PurePath(path)
    return plain.parent.name if plain.stem == "__init__" else plain.stem


def _is_test(file: str, root: str) -> bool:
    path = PurePath(file).relative_to(root)
    return path.name.startswith(("test_", "conftest")) or not {"test", "tests"}.isdisjoint(
        path.parts[:-1]
    )


def invalidations(project: Project, state: Cached) -> tuple[Invalidation, ...]:
    """Every line that writes the attribute or what it is made from, by file and line."""
    analysis = _Analysis(project, state.made)
    names = (state.attribute, *state.sources)
    sites = [site for name in names for site in writers_of(project, state.made, name)]
    found = [analysis.of(site) for site in sites if analysis.is_meant(site)]
    return tuple(sorted(found, key=lambda one: (one.location.file, one.location.line)))


def beside(project: Project, state: Cached, names: Iterable[str]) -> tuple[Invalidation, ...]:
    """The lines that invalidate the attribute by other ways than through functions so named.

    Neither its construction counts, nor the function that makes it where it is missing. A function
    that others of the project call is no way of its own, nor is one that nothing is known to call.
    """
    besides = tuple(names)
    analysis = _Analysis(project, state.made, besides)
    found = []
    for site in writers_of(project, state.made, state.attribute):
        function = site.function
        if not analysis.is_meant(site) or site.in_init or function is state.function:
            continue
        if function is not None and function.name in besides:
            continue
        made = analysis.of(site)
        ways = tuple(entry for entry in made.entries if not analysis.is_called(entry, function))
        if ways:
            found.append(replace(made, entries=ways))
    return tuple(found)


class _Analysis:
    def __init__(self, project: Project, made: Class, besides: tuple[str, ...] = ()) -> None:
        self.classes, self.made, self.besides = classes_of(project), made, besides
        forwards = ((self.classes.method(one, "forward"), one) for one in self.classes.all())
        starts = [(method, one) for method, one in forwards if method is not None]
        self.reached: Reached = reached_from_all(project, starts)
        self.callers, self.types = Callers(self.classes), types_of(self.classes)
        self.related = {*self.classes.line(made), *self.classes.subclasses(made)}
        self.folder = str(PurePath(made.file.path).parent)

    def is_meant(self, site: Site) -> bool:
        """Whether the site writes, and may do so to an object of the class."""
        if site.kind not in _CHANGES:
            return False
        if site.receiver == "self":
            return site.owner in self.related and not self._is_overridden(site)
        known = self._receivers(site)
        return not known or not known.isdisjoint(self.related)

    def _receivers(self, site: Site) -> frozenset[Class]:
        if site.function is None or not isinstance(site.node, ast.Attribute):
            return frozenset()
        return self.types.of(site.node.value, site.function, site.owner)

    def _is_overridden(self, site: Site) -> bool:
        """Whether the method of a base never runs: the class has its own, which calls no super."""
        function = site.function
        line = self.classes.line(self.made)
        if function is None or site.owner not in line or site.owner is self.made:
            return False
        used = self.classes.method(self.made, function.name)
        if used is None or used is function:
            return False
        above = line[: line.index(site.owner)]
        calls = f"super().{function.name}("
        return not any(calls in ast.unparse(one.node) for one in above)

    def of(self, site: Site) -> Invalidation:
        function, besides = site.function, self.besides
        closure = self.callers.closure(function, besides) if function is not None else ()
        on_path, way, doubt = self._on_path(closure)
        return Invalidation(
            location=site.location,
            attribute=site.attribute,
            kind=site.kind,
            certain=site.receiver == "self" or bool(self._receivers(site)),
            on_path=on_path,
            way=way,
            doubt=doubt,
            entries=_entries(closure, self.folder),
        )

    def is_called(self, entry: Entry, function: Function | None) -> bool:
        """Whether an entry is no way of its own: others lead there, or nothing is known to."""
        if function is None or entry.function != function.qualname:
            return False
        return entry.kind is EntryKind.UNCALLED or len(self.callers.closure(function)) > 1

    def _on_path(
        self, closure: Sequence[Function]
    ) -> tuple[OnPath, tuple[Location, ...], Location | None]:
        functions = self.reached.functions
        step = next((functions[one] for one in closure if one in functions), None)
        if step is not None:
            return OnPath.YES, step.way, None
        names = {function.name for function in closure} - TORCHS.keys()
        doubt = next(self.callers.doubtful(names, functions), None)
        return OnPath.UNKNOWN if doubt is not None else OnPath.NO, (), doubt


def _entries(closure: Sequence[Function], folder: str) -> tuple[Entry, ...]:
    """The doors to the first function: what torch calls, setters, and the folder's own API."""
    if not closure:
        return (Entry(EntryKind.IMPORT, ""),)
    found = [
        Entry(kind, function.qualname)
        for function in closure
        if (kind := _kind(function)) is not None and _is_in(function, folder)
    ]
    order = list(EntryKind)
    own = Entry(EntryKind.CALL, closure[0].qualname)
    found = [entry for entry in found if entry != own] or found[:1]
    found = found or [Entry(EntryKind.UNCALLED, closure[0].qualname)]
    return tuple(sorted(dict.fromkeys(found), key=lambda e: (order.index(e.kind), e.function)))


def _is_in(function: Function, folder: str) -> bool:
    return PurePath(function.file.path).is_relative_to(folder)


def _kind(function: Function) -> EntryKind | None:
    """What kind of door a function is; None for one that only others of the project call."""
    if function.owner is not None and function.name in TORCHS:
        return TORCHS[function.name]
    if is_setter(function):
        return EntryKind.SETTER
    return None if function.name.startswith("_") else EntryKind.CALL
