"""Whether torch can be used here, and what is wrong with it where not: told apart from our faults.

Torch is imported by its name alone, so that whatever asks here loads without it.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import warnings
from collections.abc import Iterator, Sequence
from importlib import import_module
from importlib.machinery import PathFinder
from pathlib import Path
from traceback import walk_tb
from types import ModuleType

from esper_audit.errors import TorchError

OLDEST = (2, 8)
"""As in the dependencies of pyproject.toml."""

_NEWER = f"{OLDEST[0]}.{OLDEST[1]} or newer"
_IMPORT = "import torch"
_VERSION = "import torch; print(torch.__version__)"
_FILE = "import torch; print(torch.__file__)"
_COMPILE = "import torch; torch.compile(torch.sin{how})(torch.ones(1))"
_SECONDS = 300.0

_trouble: list[TorchError] = []
"""What was wrong at the first import: a second one of the same process fails in other words."""


def import_torch() -> None:
    """Import torch; raises TorchError where it is missing, broken, hidden or too old."""
    if _trouble:
        raise TorchError(str(_trouble[0]), _trouble[0].hint)
    try:
        _import()
    except TorchError as error:
        _trouble.append(error)
        raise


def import_torch_quietly() -> None:
    """As import_torch, in a process of ours: torch without NumPy warns of it, and works."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Failed to initialize NumPy")
        import_torch()


def _import() -> None:
    try:
        torch = import_module("torch")
    except (Exception, SystemExit) as error:
        raise _hidden() or _unimportable(error, _IMPORT) from None
    version = getattr(torch, "__version__", None)
    if version is None:
        raise _hidden() or _unimportable(AttributeError("it has no __version__"), _VERSION)
    if _is_too_old(str(version)):
        raise TorchError(
            f"torch {version} is too old: esper-audit needs {_NEWER}.", _shown_by(_VERSION)
        )
    try:
        import_module("torch._dynamo")
    except (Exception, SystemExit) as error:
        raise _unimportable(error, "import torch._dynamo") from None


def _is_too_old(version: str) -> bool:
    numbers = re.match(r"(\d+)\.(\d+)", version)
    return numbers is not None and tuple(map(int, numbers.groups())) < OLDEST


def _unimportable(error: BaseException, line: str) -> TorchError:
    if isinstance(error, ModuleNotFoundError) and error.name == "torch":
        return TorchError(
            f"torch is not installed for {sys.executable}.",
            f"Install torch {_NEWER}. {_shown_by(line)}",
        )
    first = next(iter(str(error).strip().splitlines()), "")
    said = f"{type(error).__name__}: {first}".rstrip(": .")
    return TorchError(f"torch can't be imported: {said}.", f"Install it again. {_shown_by(line)}")


def _hidden() -> TorchError | None:
    """Where what is found by the name of torch is a file of somebody else."""
    spec = PathFinder.find_spec("torch")
    if spec is None:
        return None
    if spec.origin is None:  # a folder without __init__.py
        places = list(spec.submodule_search_locations or ())
        file = places[0] if places else "torch"
    else:
        file = spec.origin
    if Path(file).parent.joinpath("version.py").exists() and Path(file).name == "__init__.py":
        return None
    return TorchError(
        f"{file} hides torch: Python imports it in place of the package.",
        f"Rename it. {_shown_by(_FILE)}",
    )


def _shown_by(line: str) -> str:
    return f"Plain Python shows it: {_plain(line)}"


def _plain(line: str) -> str:
    """The command that runs this line in the interpreter that we run in."""
    found = shutil.which("python")
    is_ours = found is not None and os.path.abspath(found) == os.path.abspath(sys.executable)  # noqa: PTH100  # links are not followed: an environment is one
    return f'{"python" if is_ours else shlex.quote(sys.executable)} -c "{line}"'


def compile_trouble(backend: str = "inductor") -> TorchError | None:
    """What is wrong where torch.compile fails without us, on this backend; None where it works.

    Compiles something small in a process of its own, which takes seconds.
    """
    how = "" if backend == "inductor" else f", backend={backend!r}"
    line = _COMPILE.format(how=how)
    failed = _failure(line)
    if failed is None:
        return None
    return TorchError(
        f"torch.compile fails by itself on the backend {backend}: {failed}.", _shown_by(line)
    )


def import_trouble() -> TorchError | None:
    """What is wrong where torch can't be imported in a process of its own; None where it can."""
    code = "from esper_audit.recording.usable_torch import import_torch; import_torch()"
    if _failure(code) is None:
        return None
    try:
        _trouble.clear()
        import_torch()
    except TorchError as error:
        return error
    return None


def trouble_behind(error: BaseException) -> TorchError | None:
    """What is wrong with torch, of an error that its own code raised; None where it works alone."""
    if not _is_of_torch(error):
        return None
    return import_trouble() or compile_trouble("aot_eager")


def _is_of_torch(error: BaseException) -> bool:
    """Whether code of torch raised it, or what it came from, or a part of torch is missing."""
    seen: BaseException | None = error
    while seen is not None:
        if any(str(name).partition(".")[0] == "torch" for name in _modules(seen)):
            return True
        seen = seen.__cause__ or seen.__context__
    return False


def _modules(error: BaseException) -> Iterator[object]:
    """The names of the modules that raised an error or called what did, and of what one lacks."""
    for frame, _ in walk_tb(error.__traceback__):
        yield frame.f_globals.get("__name__")
    if isinstance(error, ImportError):
        yield error.name
    if isinstance(error, AttributeError) and isinstance(error.obj, ModuleType):
        yield error.obj.__name__


def _failure(code: str) -> str | None:
    """The last line of the traceback of these lines; None where they run."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    try:
        ended = subprocess.run(
            [sys.executable, "-c", code],
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return type(error).__name__
    return None if ended.returncode == 0 else _gist(ended.stderr, ended.returncode)


def _gist(stderr: bytes, code: int) -> str:
    lines = stderr.decode(errors="replace").splitlines()
    raised = [line for line in lines if re.match(r"[\w.]+(Error|Exception|Failed|Exit)\w*\b", line)]
    return (raised[-1] if raised else f"it ended with exit code {code}").rstrip(".: ")


def blamed(backends: Sequence[str]) -> TorchError | None:
    """The first of these backends on which torch can't compile by itself."""
    found = (compile_trouble(backend) for backend in dict.fromkeys(backends))
    return next(filter(None, found), None)
