"""A project's Python files, each read and parsed at most once. Runs and imports none of them.

Facts are read with ``ast``, which is ten times as fast as LibCST (measured on torch/nn: 130,000
lines a second); edits are made with LibCST, whose tree :attr:`SourceFile.cst` makes when asked.
"""

from __future__ import annotations

import ast
import os
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from esper_audit.data.files import is_file, is_there, whole

if TYPE_CHECKING:
    import libcst

_LEFT_OUT = frozenset(("node_modules", "build", "dist", "site-packages", "venv", "env"))
_DEEPEST = 300
"""Levels of a syntax tree: Python itself walks no more than 1,000 by default."""

_VENV_MARK = "pyvenv.cfg"


def python_files(root: str | Path, given: bool = True) -> Iterator[str]:
    """Absolute paths of the Python files in and below a folder, sorted; or the file itself.

    Hidden folders, virtual environments and build outputs below it are left out; where a file is
    ``given`` itself, it is taken whatever its suffix.
    """
    root = os.path.abspath(root)  # noqa: PTH100
    if not os.path.isdir(root):  # noqa: PTH112
        if given and is_file(root):
            yield root
        return
    for folder, folders, files in os.walk(root):
        if folder != root and _VENV_MARK in files:
            folders.clear()
            continue
        folders[:] = sorted(name for name in folders if not _is_left_out(name))
        yield from (os.path.join(folder, name) for name in sorted(files) if name.endswith(".py"))  # noqa: PTH118


def _is_left_out(name: str) -> bool:
    return name.startswith((".", "__")) or name in _LEFT_OUT or name.endswith(".egg-info")


@dataclass(frozen=True, slots=True)
class Unread:
    """A file that can't be parsed: what Python says, and the line where it knows one."""

    file: str
    said: str
    line: int = 0


class SourceFile:
    """One Python file. It never raises for what the file holds: see ``unread``."""

    def __init__(self, path: str, text: str | None = None) -> None:
        self.path = path
        self._given = text

    @cached_property
    def _read(self) -> tuple[str, Unread | None]:
        if self._given is not None:
            return self._given, None
        if is_there(self.path) and not is_file(self.path):
            return "", Unread(self.path, "this is no regular file")  # a pipe may never end
        try:
            return _decoded(whole(Path(self.path))), None
        except (OSError, SyntaxError, ValueError, LookupError) as error:
            said = getattr(error, "strerror", None) or str(error)
            return "", Unread(self.path, said)

    @property
    def text(self) -> str:
        """The whole text, line ends as in the file; empty where it can't be read."""
        return self._read[0]

    @cached_property
    def lines(self) -> list[str]:
        """Lines as Python counts them: ``lines[location.line - 1]``."""
        return self.text.replace("\r\n", "\n").replace("\r", "\n").split("\n")

    @cached_property
    def _parsed(self) -> tuple[ast.Module, Unread | None]:
        text, unread = self._read
        empty = ast.Module(body=[], type_ignores=[])
        if unread is not None:
            return empty, unread
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of wrong escapes in the user's texts
                tree = ast.parse(text, self.path)
        except SyntaxError as error:
            return empty, Unread(self.path, error.msg, error.lineno or 0)
        except (ValueError, RecursionError, MemoryError) as error:
            return empty, Unread(self.path, str(error) or type(error).__name__)
        if _is_too_deep(tree):  # whoever walks it calls itself at each level
            return empty, Unread(self.path, f"nested more than {_DEEPEST} levels deep")
        return tree, None

    @property
    def tree(self) -> ast.Module:
        """The syntax tree; empty where the file can't be parsed."""
        return self._parsed[0]

    @property
    def unread(self) -> Unread | None:
        """Why there is no tree."""
        return self._parsed[1]

    @cached_property
    def cst(self) -> libcst.Module:
        """LibCST's tree, for edits; raises ``libcst.ParserSyntaxError``. Slow to make."""
        import libcst

        return libcst.parse_module(self.text)


def _is_too_deep(tree: ast.AST) -> bool:
    level: list[ast.AST] = [tree]
    for _ in range(_DEEPEST):
        level = [child for node in level for child in ast.iter_child_nodes(node)]
        if not level:
            return False
    return True


def _decoded(data: bytes) -> str:
    """As Python reads a file: UTF-8, or what its coding line says; line ends are kept."""
    import io
    import tokenize

    encoding, _ = tokenize.detect_encoding(io.BytesIO(data).readline)
    return data.decode(encoding)


class Project:
    """Python files below ``root``, found by path or by the name that an import gives.

    ``files`` are absolute paths, by default all that :func:`python_files` finds. ``texts`` stand
    in place of what files hold, or for files that are nowhere: path -> text.
    """

    def __init__(
        self,
        root: str | Path,
        files: Iterable[str | Path] | None = None,
        texts: dict[str, str] | None = None,
    ) -> None:
        self.root = os.path.abspath(root)  # noqa: PTH100
        texts = {os.path.join(self.root, path): text for path, text in (texts or {}).items()}  # noqa: PTH118
        found = python_files(self.root) if files is None else map(os.path.abspath, files)
        self.files = tuple(dict.fromkeys([*found, *texts]))
        self._files = {path: SourceFile(path, texts.get(path)) for path in self.files}
        self.memory: dict[Any, Any] = {}
        """What other modules of this room worked out about this project, by their keys."""

    def __contains__(self, path: str) -> bool:
        return path in self._files

    def file(self, path: str | Path) -> SourceFile:
        """A file of the project, parsed once; any other file is read, too, but isn't part."""
        path = os.path.join(self.root, path)  # noqa: PTH118
        known = self._files.get(path)
        return known if known is not None else SourceFile(path)

    def all(self, mentioning: str | Iterable[str] = ()) -> Iterator[SourceFile]:
        """The files whose text holds one of the words: nothing else need be parsed."""
        words = (mentioning,) if isinstance(mentioning, str) else tuple(mentioning)
        for file in self._files.values():
            if not words or any(word in file.text for word in words):
                yield file

    @property
    def unread(self) -> tuple[Unread, ...]:
        """The files that can't be parsed. Parses all."""
        return tuple(file.unread for file in self._files.values() if file.unread is not None)

    def imported(self, name: str, by: SourceFile, level: int = 0) -> SourceFile | None:
        """The file that ``import name`` means in ``by``; None where it is not of this project."""
        if level:
            folder = (
                Path(by.path).parents[level - 1] if level <= len(Path(by.path).parents) else None
            )
            return self._in_folder(folder, name) if folder is not None else None
        beside = self._in_folder(Path(by.path).parent, name)
        if name in self._names:
            return self._files[self._names[name]]
        return beside

    def beside(self, package: SourceFile, name: str) -> SourceFile | None:
        """The module of a package with this name."""
        return self._in_folder(Path(package.path).parent, name)

    def _in_folder(self, folder: Path, name: str) -> SourceFile | None:
        place = str(folder.joinpath(*name.split("."))) if name else str(folder)
        known = self._files
        return known.get(f"{place}.py") or known.get(os.path.join(place, "__init__.py"))  # noqa: PTH118

    def name_of(self, path: str) -> str:
        """The dotted name under which a file is imported: from the top of its package."""
        parts = [Path(path).stem] if Path(path).stem != "__init__" else []
        folder = Path(path).parent
        while self._is_package(folder) and folder != folder.parent:
            parts.insert(0, folder.name)
            folder = folder.parent
        return ".".join(parts)

    def _is_package(self, folder: Path) -> bool:
        known: dict[Path, bool] = self.memory.setdefault("packages", {})
        if folder not in known:
            mark = folder / "__init__.py"
            known[folder] = str(mark) in self._files or is_file(mark)
        return known[folder]

    @cached_property
    def _names(self) -> dict[str, str]:
        """Dotted names, from the top of the package and from the project's folder."""
        names: dict[str, str] = {}
        for path in self._files:
            if path.startswith(self.root + os.sep):
                inside = Path(path).relative_to(self.root).with_suffix("")
                parts = inside.parts[:-1] if inside.name == "__init__" else inside.parts
                parts = parts[1:] if parts[:1] == ("src",) else parts
                names.setdefault(".".join(parts), path)
        return names | {self.name_of(path): path for path in self._files}
