"""What the rules of a scan share: the code that forwards reach, and what attributes hold."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cached_property

from esper_audit.data.diagnoses import Diagnosis
from esper_audit.data.places import Location
from esper_audit.data.scans import Pattern, ScanFinding, ScanWriter
from esper_audit.source.attributes import Site, SiteKind, sites_in, sites_of_class
from esper_audit.source.classes import classes_of
from esper_audit.source.definitions import Class, External, Function, dotted, walk
from esper_audit.source.project import Project, SourceFile
from esper_audit.source.reach import Reached, Step, Target, reached_from_all
from esper_audit.source.scan.eager_only import eager_lines
from esper_audit.source.scan.held import Held
from esper_audit.source.scan.loops import Loops
from esper_audit.source.types import types_of
from esper_audit.source.values import kinds_of_sites

_TORCH_WORDS = ("torch", "nn.Module")
_COMPILING = re.compile(
    r"\btorch\.compile\b|_dynamo\.optimize|import.*\bcompile\b|import torch as|\.compile\("
)
_COMPILES = ("torch.compile", "torch._dynamo.optimize")
_MOST_REACHED = 400_000
_NOT_LATER = frozenset(
    ("__setstate__", "__getstate__", "__deepcopy__", "__copy__", "_load_from_state_dict")
)
"""Methods that make or restore an object: what they write is not a change between calls."""

_OF_MODULES = ("_", "register_", "load_", "set_", "add_")
"""How methods begin that are called beside forward, not by it."""

_SETTING_UP = ("reset_parameters", "init_weights", "post_init", "__init_subclass__")
_OTHER_OBJECTS = frozenset(
    ("config", "cfg", "args", "cls", "parser", "hparams", "conf", "opt", "ctx")
)
"""Receivers of which an attribute is hardly one of a module."""

_MOST_BELOW = 50
"""Subclasses of which attributes are read; of more, the base is no one thing."""

_MOST_OWNERS = 3
"""Classes that may have an attribute of one name, for a write on an unknown object to be its."""


def _may_be_module(receiver: str) -> bool:
    last = receiver.rpartition(".")[2]
    is_other = last in _OTHER_OBJECTS or last.endswith(("config", "args", "output", "outputs"))
    return last not in ("", "self") and not is_other


class Context:
    """One scan. ``wanted`` are the files whose findings are asked for, others are read for them."""

    def __init__(self, project: Project, wanted: frozenset[str]) -> None:
        self.project = project
        self.wanted = wanted
        self.classes = classes_of(project)
        self.types = types_of(self.classes)
        self._held: dict[tuple[Class, str], Held] = {}
        self._eager: dict[Function, set[int]] = {}
        self._built: dict[Class, frozenset[Function]] = {}

    # --- code that may be compiled ---

    @cached_property
    def files(self) -> list[SourceFile]:
        """The files of the project that have to do with torch."""
        return list(self.project.all(_TORCH_WORDS))

    @cached_property
    def compiling(self) -> list[SourceFile]:
        """The files that may call torch.compile."""
        return [file for file in self.project.all("compile") if _COMPILING.search(file.text)]

    @cached_property
    def modules(self) -> list[Class]:
        """The classes that are nn.Modules."""
        made = (one for file in self.files for one in self.classes.in_file(file))
        return [one for one in made if self.classes.is_module(one)]

    @cached_property
    def reached(self) -> Reached:
        """What forwards and compiled functions reach."""
        starts = list(self._starts())
        reached = reached_from_all(self.project, starts, _MOST_REACHED)
        more = [(one, made) for one, made in self._called_by_others() if one not in reached]
        return reached_from_all(self.project, [*starts, *more]) if more else reached

    @cached_property
    def functions(self) -> dict[Function, Step]:
        """Each function that is reached, with the shortest way to it."""
        return self.reached.functions

    def _starts(self) -> Iterator[Target]:
        for made in self.modules:
            forward = self.classes.method(made, "forward")
            if forward is not None:
                yield forward, made
        for function in self._compiled():
            yield function, function.owner

    def _compiled(self) -> Iterator[Function]:
        """Functions that are decorated with torch.compile, or passed to it by name."""
        for file in self.compiling:
            for function in self.classes.functions_in(file):
                if any(self.is_compile(one, file) for one in function.node.decorator_list):
                    yield function
            for node in walk(file.tree):
                if isinstance(node, ast.Call) and self.is_compile(node.func, file) and node.args:
                    yield from self._passed(node.args[0], file)

    def _passed(self, node: ast.expr, file: SourceFile) -> Iterator[Function]:
        meant = self.classes.meaning(node, file)
        if isinstance(meant, Function):
            yield meant
        elif isinstance(node, ast.Attribute) and dotted(node.value) == "self":
            for made in self.classes.in_file(file):
                inside = made.node.lineno <= node.lineno <= (made.node.end_lineno or 0)
                method = self.classes.method(made, node.attr)
                if inside and method is not None:
                    yield method

    def is_compile(self, node: ast.expr, file: SourceFile) -> bool:
        """Whether an expression is ``torch.compile``, or a partial or call of it."""
        if isinstance(node, ast.Call):
            if dotted(node.func).rpartition(".")[2] == "partial" and node.args:
                return self.is_compile(node.args[0], file)
            return self.is_compile(node.func, file)
        meant = self.classes.meaning(node, file)
        return isinstance(meant, External) and meant.name in (
            "torch.compile",
            "torch._dynamo.optimize",
        )

    def _called_by_others(self) -> Iterator[Target]:
        for made in self.modules:
            yield from ((method, made) for method in self._tensor_methods(made))

    def _tensor_methods(self, made: Class) -> Iterator[Function]:
        """Of a module without forward: methods that take tensors, for another's forward to call."""
        line = self.classes.line(made)
        if self.classes.method(made, "forward") is None and made.file.path in self.wanted:
            for method in (method for one in line for method in one.methods.values()):
                if not method.name.startswith(_OF_MODULES) and _takes_tensor(method):
                    yield method

    @cached_property
    def loops(self) -> Loops:
        """What loops of the project assign and pass."""
        return Loops(self.files)

    # --- attributes ---

    def held(self, made: Class, name: str) -> Held:
        """What is known of an attribute of objects of a class."""
        key = (made, name)
        if key not in self._held:
            self._held[key] = self._of_attribute(made, name)
        return self._held[key]

    def _of_attribute(self, made: Class, name: str) -> Held:
        line = self.classes.line(made)
        own = [
            site
            for one in self._related(made)
            for site in self.written(one).get(name, ())
            if site.kind is not SiteKind.READ
        ]
        kinds = kinds_of_sites(own, made)
        for one in line[1:]:
            kinds |= kinds_of_sites([site for site in own if site.owner is one], one)
        return Held(self, made, name, tuple(own), kinds)

    def _related(self, made: Class) -> list[Class]:
        """The classes whose methods an object of the class, or of a subclass, may run."""
        below = self.classes.subclasses(made)
        return [*self.classes.line(made), *(below if len(below) < _MOST_BELOW else ())]

    def written(self, made: Class) -> dict[str, list[Site]]:
        """The sites on ``self`` in the body of a class, reads too, by attribute."""
        return sites_of_class(made, self.classes)

    def is_eager(self, site: Site) -> bool:
        """Whether compiled code never runs its line."""
        function = site.function
        if function is not None and function not in self._eager:
            self._eager[function] = eager_lines(function)
        return function is not None and site.line in self._eager[function]

    def reads(self, made: Class, name: str) -> list[Site]:
        """Where code that forward reaches reads ``self.name``, as a class or its bases write it."""
        found = [
            site for one in self.classes.line(made) for site in self.written(one).get(name, ())
        ]
        kinds = (SiteKind.READ, SiteKind.AUGMENTED)
        return [
            site
            for site in found
            if site.kind in kinds and site.function in self.functions and not self.is_eager(site)
        ]

    def may_change(self, name: str, sites: list[Site]) -> bool:
        """Whether any line but those of ``__init__`` writes it: asked first, as it is cheap."""
        return name in self._elsewhere or any(
            not site.in_init and site.kind is not SiteKind.READ for site in sites
        )

    def foreign(self, made: Class, name: str) -> Iterator[Site]:
        """Writes on other receivers that may be objects of the class."""
        related = set(self._related(made))
        for site in self._elsewhere.get(name, ()):
            owners = self._types_of_receiver(site)
            if owners & related or (not owners and self._owners.get(name, 0) <= _MOST_OWNERS):
                yield site

    @cached_property
    def _elsewhere(self) -> dict[str, list[Site]]:
        """Writes on receivers other than ``self``, by attribute."""
        found: dict[str, list[Site]] = {}
        for file in self.files:
            for site in sites_in(file, self.classes):
                if site.kind is not SiteKind.READ and _may_be_module(site.receiver):
                    found.setdefault(site.attribute, []).append(site)
        return found

    @cached_property
    def _owners(self) -> dict[str, int]:
        """How many classes write an attribute of this name on ``self``."""
        found: dict[str, int] = {}
        for file in self.files:
            for made in self.classes.in_file(file):
                for name, sites in self.written(made).items():
                    found[name] = found.get(name, 0) + any(s.kind != "read" for s in sites)
        return found

    def _types_of_receiver(self, site: Site) -> frozenset[Class]:
        node = site.node
        if site.function is None or not isinstance(node, ast.Attribute):
            return frozenset()
        return self.types.of(node.value, site.function, site.owner)

    def is_construction(self, site: Site) -> bool:
        function = site.function
        if site.in_init or site.kind is SiteKind.DECLARED or function is None:
            return site.receiver in ("self", "")
        if site.receiver != "self" or site.owner is None:
            return False
        if function.name in _NOT_LATER or function.name in _SETTING_UP:
            return True
        return function in self._builders(site.owner)

    def _builders(self, made: Class) -> frozenset[Function]:
        """Private methods that ``__init__`` calls and no code beside it."""
        if made not in self._built:
            init = self.classes.method(made, "__init__")
            self._built[made] = frozenset()
            if init is not None:
                inside = reached_from_all(self.project, [(init, made)], 50).functions
                self._built[made] = frozenset(
                    function
                    for function in inside
                    if function.name.startswith("_") and function not in self.functions
                )
        return self._built[made]

    # --- findings ---

    def finding(
        self,
        id: Diagnosis,  # noqa: A002  # as in every finding
        pattern: Pattern,
        file: SourceFile,
        node: ast.expr | ast.stmt,
        function: Function | None = None,
        *,
        made: Class | None = None,
        subject: str = "",
        operation: str = "",
        later: tuple[Site, ...] = (),
    ) -> ScanFinding:
        """A finding at a node."""
        column = node.col_offset
        line = file.lines[node.lineno - 1] if node.lineno <= len(file.lines) else ""
        if not line.isascii():
            column = len(line.encode()[:column].decode(errors="replace"))
        step = self.functions.get(function) if function is not None else None
        return ScanFinding(
            id=id,
            pattern=pattern,
            location=Location(file.path, node.lineno, function.qualname if function else ""),
            column=column,
            subject=subject,
            owner=made.name if made is not None else "",
            operation=operation,
            way=step.way if step is not None else (),
            writers=tuple(self.writers(later)),
        )

    def writers(self, sites: tuple[Site, ...]) -> Iterator[ScanWriter]:
        """The lines of sites, each once."""
        seen = set()
        for site in sites:
            place = site.location
            if (place.file, place.line) not in seen:
                seen.add((place.file, place.line))
                yield ScanWriter(location=place, in_forward=site.function in self.functions)


def _takes_tensor(method: Function) -> bool:
    notes = (ast.dump(arg.annotation) for arg in method.parameters if arg.annotation is not None)
    return any("'Tensor'" in note for note in notes)
