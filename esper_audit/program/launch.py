"""A script or module, as ``python SCRIPT`` and ``python -m MODULE`` run it."""

from __future__ import annotations

import builtins
import importlib.util
import pkgutil
import shlex
import sys
from dataclasses import dataclass
from importlib.machinery import ModuleSpec, SourceFileLoader, SourcelessFileLoader
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any, cast
from zipfile import is_zipfile

from esper_audit.data.file_kinds import FileKind, command_for, is_program, kind_of
from esper_audit.data.files import is_file, is_folder, is_there
from esper_audit.data.meant import SHELLS, is_code, program_meant
from esper_audit.errors import UsageError, did_you_mean

_MAIN = "__main__"


class NotFoundError(UsageError):
    """There is no such script or module."""


@dataclass(frozen=True)
class Target:
    """What to run: ``name`` is a script's path, or a module's dotted name; ``label``: of --as."""

    name: str
    arguments: tuple[str, ...] = ()
    is_module: bool = False
    label: str = ""

    @property
    def argv(self) -> tuple[str, ...]:
        """As it was asked for."""
        return (*(("-m",) if self.is_module else ()), self.name, *self.arguments)

    def load(self) -> tuple[CodeType, dict[str, Any]]:
        """Its code and the namespace of a fresh ``__main__``, for ``exec`` by the caller itself.

        Sets ``sys.argv`` and ``sys.path``, as the interpreter does. Raises NotFoundError where
        there is no such script or module, and whatever is the program's own, as a syntax error.
        """
        return self._module() if self.is_module else self._script()

    def check(self) -> None:
        """Raise NotFoundError where there is no such script; of a module, its import tells."""
        path = Path(self.name)
        if not self.is_module and not is_there(path):
            scripts = [str(file) for file in path.parent.glob("*.py")]
            raise NotFoundError(
                f"There is no script {self.name}{did_you_mean(self.name, scripts)}.",
                "Give a file, or a module with -m; options of esper-audit go before it.",
            )

    def _script(self) -> tuple[CodeType, dict[str, Any]]:
        path = Path(self.name)
        sys.argv[:] = [self.name, *self.arguments]
        if is_folder(path) or (is_file(path) and is_zipfile(path)):
            return self._application(path.absolute())
        self.check()
        shown = str(path.absolute())  # as of the interpreter itself, since Python 3.9
        _look_in(str(path.resolve().parent))
        if path.suffix == ".pyc":
            compiled = SourcelessFileLoader(_MAIN, shown)
            module = _main_module(shown, None, compiled)
            return cast("CodeType", compiled.get_code(_MAIN)), module.__dict__
        module = _main_module(shown, None, SourceFileLoader(_MAIN, shown))
        return compile(_read(path), shown, "exec", dont_inherit=True), module.__dict__

    def _application(self, place: Path) -> tuple[CodeType, dict[str, Any]]:
        """The ``__main__`` of a folder or a zip file."""
        _look_in(str(place))
        importer = cast("Any", pkgutil.get_importer(str(place)))
        spec = importer.find_spec(_MAIN)
        if spec is None:
            raise NotFoundError(
                f"There is no __main__.py in {self.name}.", "Give a file, or a module with -m."
            )
        module = _main_module(spec.origin, spec, spec.loader)
        return spec.loader.get_code(_MAIN), module.__dict__

    def _module(self) -> tuple[CodeType, dict[str, Any]]:
        sys.argv[:] = ["-m", *self.arguments]
        _look_in(str(Path.cwd()))
        spec, code = _find(self.name)
        sys.argv[0] = spec.origin or self.name
        return code, _main_module(sys.argv[0], spec, spec.loader).__dict__


def parse_target(module: str, program: tuple[str, ...], options: tuple[str, ...] = ()) -> Target:
    """What to run; raises UsageError where nothing is given, or another command is.

    ``options`` are those of esper-audit that were given, for the command that was meant.
    """
    if module:
        _refuse_file(module, program, options)
        return Target(module, program, is_module=True)
    if not program:
        raise UsageError(
            "There is nothing to run: no script given.",
            "Give a script, or a module with -m; options of esper-audit go before it.",
        )
    meant = program_meant(program, options)
    if meant:
        raise UsageError(
            f"exec runs a Python script or a module, and {program[0]} is neither.",
            f"Type: {meant}",
        )
    if is_code(program):
        raise UsageError("exec takes no code.", "Write it to a file, and give that file.")
    _refuse_kind(Path(program[program[0] in SHELLS and len(program) > 1]))
    return Target(program[0], program[1:])


def _refuse_file(module: str, program: tuple[str, ...], options: tuple[str, ...]) -> None:
    if is_file(module):
        meant = shlex.join(("esper-audit", "exec", *options, module, *program))
        raise UsageError(
            f"-m takes the name of a module, and {module} is a file.", f"Type: {meant}"
        )


_INSTEAD = {
    FileKind.SHELL: "In it, write `esper-audit exec` in place of `python`.",
    FileKind.NOTEBOOK: "Convert it to a script first: jupyter nbconvert --to script FILE",
}


def _refuse_kind(path: Path) -> None:
    if is_program(str(path)) or not is_file(path):
        return
    kind = kind_of(path)
    command = command_for(path)
    instead = f"Type: {command}" if command else "Give a Python script, or a module with -m."
    instead = _INSTEAD.get(kind, instead).replace("FILE", shlex.quote(str(path)))
    raise UsageError(f"{path} is {kind}; exec runs Python programs.", instead)


def _read(path: Path) -> bytes:
    try:
        # Through importlib, so that a text that is laid over the file takes its place.
        return SourceFileLoader(_MAIN, str(path)).get_data(str(path))
    except OSError as error:
        raise NotFoundError(
            f"{path} can't be read: {error.strerror}.", "Give a file that you may read."
        ) from None


def _look_in(folder: str) -> None:
    """The first place of ``sys.path`` is the program's: ours is that of the command."""
    if not sys.flags.safe_path:
        sys.path[0:1] = [folder]


def _find(name: str) -> tuple[ModuleSpec, CodeType]:
    """The spec and code of a module, or of the ``__main__`` of a package."""
    try:
        spec = importlib.util.find_spec(name)
        if spec is not None and spec.submodule_search_locations is not None:
            spec = importlib.util.find_spec(f"{name}.__main__")
    except ModuleNotFoundError as error:
        if not f"{name}.".startswith(f"{error.name}."):
            raise
        spec = None
    loader = cast("Any", spec.loader) if spec is not None else None
    code = loader.get_code(spec.name) if spec is not None and loader is not None else None
    if spec is None or code is None:
        raise NotFoundError(
            f"There is no module {name} that can be run.",
            "Give a module or a package with a __main__.py, as to `python -m`.",
        )
    return spec, code


def _main_module(file: str, spec: ModuleSpec | None, loader: object) -> ModuleType:
    """A fresh ``__main__`` in place of ours, as the interpreter and ``runpy`` make one."""
    module = ModuleType(_MAIN)
    module.__file__ = file
    module.__spec__ = spec
    module.__annotations__ = {}
    vars(module)["__cached__"] = spec.cached if spec is not None else None
    module.__loader__ = cast("Any", loader)
    module.__builtins__ = builtins  # type: ignore[attr-defined]  # as the interpreter's own has
    if spec is not None:
        module.__package__ = spec.parent
    sys.modules[_MAIN] = module
    return module
