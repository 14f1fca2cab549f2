"""Classes and functions of a project, and what names in its files mean.

A name is followed through imports, also re-exports, within the project. What lies outside has a
dotted name and no more. Whatever can't be told is None.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from esper_audit.source.definitions import (
    Class,
    External,
    Function,
    Meant,
    Names,
    Value,
    dotted,
    read_names,
)
from esper_audit.source.project import Project, SourceFile

_DEEPEST = 12
"""Imports that are followed for one name."""

_MODULE_NAMES = frozenset(("LightningModule", "PreTrainedModel", "ModelMixin"))
"""Classes outside of the project that are known to be nn.Modules, by their last name."""

_TORCHS = "torch.nn.modules.module"

_NO_MODULES = frozenset(
    (
        *("object", "ABC", "Generic", "Protocol", "Enum", "IntEnum", "StrEnum", "type"),
        *("NamedTuple", "TypedDict", "dict", "list", "tuple", "set", "str", "int", "float"),
        *("Exception", "ValueError", "RuntimeError", "OrderedDict", "UserDict"),
        *("Tensor", "Function", "Dataset", "Optimizer"),
    )
)


class Classes:
    """The classes of a project: :func:`classes_of` keeps one of each project."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self._names: dict[str, Names] = {}
        self._meant: dict[tuple[str, str], Meant | None] = {}
        self._below: dict[Class, list[Class]] | None = None
        self._lines: dict[Class, tuple[Class | External | None, ...]] = {}
        self._modules: dict[Class, bool | None] = {}

    # --- what files define ---

    def in_file(self, file: SourceFile) -> list[Class]:
        """All classes of a file, nested ones too, in the order of their lines."""
        return self._of(file).classes

    def functions_in(self, file: SourceFile) -> list[Function]:
        """All functions and methods of a file, nested ones too."""
        return self._of(file).functions

    def all(self) -> Iterator[Class]:
        """All classes of the project. Parses every file that holds one."""
        for file in self.project.all("class "):
            yield from self.in_file(file)

    def named(self, name: str) -> list[Class]:
        """The classes of the project with this name or qualified name."""
        last = name.rpartition(".")[2]
        found = [made for file in self.project.all(last) for made in self.in_file(file)]
        return [made for made in found if name in (made.name, made.qualname)]

    def _of(self, file: SourceFile) -> Names:
        known = self._names.get(file.path)
        if known is None:
            known = self._names[file.path] = Names()
            read_names(file.tree.body, file, known, "", None, top=True)
        return known

    # --- what names mean ---

    def meaning(self, node: ast.expr, file: SourceFile) -> Meant | None:
        """What a name or a dotted name in a file means; None where that can't be told."""
        key = (file.path, dotted(node))
        if key not in self._meant:
            self._meant[key] = self.meaning_of(key[1], file) if key[1] else None
        return self._meant[key]

    def meaning_of(self, name: str, file: SourceFile, depth: int = 0) -> Meant | None:
        """As :meth:`meaning`, of ``a.b.c``."""
        first, *rest = name.split(".")
        meant = self._first(first, file, depth)
        for index, part in enumerate(rest):
            match meant:
                case SourceFile():
                    meant = self._first(part, meant, depth + 1) or self.project.beside(meant, part)
                case External():
                    return External(".".join([meant.name, *rest[index:]]))
                case Class():
                    inner = self._of(meant.file).nested.get(f"{meant.qualname}.{part}")
                    meant = inner or self.method(meant, part)
                case _:
                    return None
        return meant

    def _first(self, name: str, file: SourceFile, depth: int) -> Meant | None:
        names = self._of(file)
        found = names.top.get(name)
        if found is not None and not (isinstance(found, Value) and name in names.imports):
            return found
        if depth > _DEEPEST:
            return None
        if name in names.imports:
            return self._imported(names.imports[name], file, depth)
        for module, level in names.stars:
            other = self.project.imported(module, file, level)
            meant = self._first(name, other, depth + 1) if other is not None else None
            if meant is not None:
                return meant
        nested = [one for path, one in names.nested.items() if path.rpartition(".")[2] == name]
        return nested[0] if len(nested) == 1 else None

    def _imported(self, place: tuple[str, int, str], file: SourceFile, depth: int) -> Meant | None:
        module, level, name = place
        if not name:
            return self.project.imported(module, file) or External(module)
        inner = self.project.imported(f"{module}.{name}" if module else name, file, level)
        other = self.project.imported(module, file, level) if module or level else None
        if other is not None and other is not file:
            meant = self._first(name, other, depth + 1)
            if meant is not None:
                return meant
        if inner is not None:
            return inner
        if level:
            package = self.project.name_of(file.path).split(".")
            drop = level - (file.path.endswith("__init__.py"))
            package = package[: len(package) - drop] if drop else package
            return External(".".join([*package, *([module] if module else []), name]))
        return External(f"{module}.{name}")

    # --- bases ---

    def bases(self, made: Class) -> tuple[Class | External | None, ...]:
        """What stands in the brackets of a class; None where that can't be told."""
        if made not in self._lines:
            self._lines[made] = ()  # of a class that is its own base
            self._lines[made] = tuple(self._base(node, made) for node in made.node.bases)
        return self._lines[made]

    def _base(self, node: ast.expr, made: Class) -> Class | External | None:
        node = node.value if isinstance(node, ast.Subscript) else node
        name = dotted(node)
        meant = self.meaning(node, made.file)
        if isinstance(meant, Class | External):
            return meant if meant is not made else None
        return External(name) if name in _NO_MODULES or name == "Exception" else None

    def line(self, made: Class) -> list[Class]:
        """The class, then those it inherits from within the project, the nearest first."""
        found: dict[Class, None] = {}
        waiting = [made]
        while waiting:
            one = waiting.pop(0)
            found.pop(one, None)  # a base of two is asked after both
            found[one] = None
            if len(found) > 200:
                break
            waiting += [base for base in self.bases(one) if isinstance(base, Class)][:20]
        return list(found)

    def subclasses(self, made: Class) -> list[Class]:
        """Those of the project that inherit from it, at any depth. Parses every file once."""
        if self._below is None:
            self._below = {}
            for one in self.all():
                for base in self.bases(one):
                    if isinstance(base, Class):
                        self._below.setdefault(base, []).append(one)
        found: dict[Class, None] = {}
        waiting = list(self._below.get(made, ()))
        while waiting:
            one = waiting.pop()
            if one not in found:
                found[one] = None
                waiting += self._below.get(one, ())
        return list(found)

    def is_module(self, made: Class) -> bool | None:
        """Whether it is an ``nn.Module``; None where a base lies in the unknown."""
        if made not in self._modules:
            self._modules[made] = None  # of a class that is its own base
            self._modules[made] = self._is_module(made)
        return self._modules[made]

    def _is_module(self, made: Class) -> bool | None:
        if (
            self.project.name_of(made.file.path) == "torch.nn.modules.module"
            and made.name == "Module"
        ):
            return True
        answers = [
            self.is_module(base) if isinstance(base, Class) else is_module_name(base)
            for base in self.bases(made)
        ]
        return True if True in answers else None if None in answers else False

    def method(self, made: Class, name: str) -> Function | None:
        """A method, own or inherited within the project."""
        return next((one.methods[name] for one in self.line(made) if name in one.methods), None)

    def method_above(self, made: Class, owner: Class, name: str) -> Function | None:
        """What ``super().name`` in the body of ``owner`` means for an object of ``made``."""
        line = self.line(made)
        rest = line[line.index(owner) + 1 :] if owner in line else self.line(owner)[1:]
        return next((one.methods[name] for one in rest if name in one.methods), None)


def is_module_name(base: External | None) -> bool | None:
    """Whether a class outside of the project is an nn.Module, as far as its name tells."""
    if base is None:
        return None
    last = base.name.rpartition(".")[2]
    if last in _MODULE_NAMES:
        return True
    if base.name.startswith("torch.nn.") and not base.name.endswith("Parameter"):
        return True
    return False if last in _NO_MODULES or last.endswith(("Error", "Mixin")) else None


def classes_of(project: Project) -> Classes:
    """The classes of a project, worked out once."""
    found = project.memory.get(Classes)
    if found is None:
        found = project.memory[Classes] = Classes(project)
    assert isinstance(found, Classes)
    return found
