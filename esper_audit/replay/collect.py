"""Find scenarios: import the files of the given paths and look at their module-level names."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from types import MappingProxyType, ModuleType

from esper_audit.data.expectations import Claim
from esper_audit.data.file_kinds import command_for
from esper_audit.data.files import is_file, is_folder
from esper_audit.data.jobs import Collection, ScenarioInfo
from esper_audit.data.reasons import Reason, Why, said
from esper_audit.errors import UsageError
from esper_audit.replay.home import leave_unless_home
from esper_audit.replay.scenario_api import Scenario, value_text
from esper_audit.replay.time_limit import TimeLimitReached

Around = Callable[[Path], AbstractContextManager[object]]


def scenario_files(paths: Iterable[str]) -> list[Path]:
    """The Python files that the paths name, folders searched to any depth, each once, sorted.

    Raises UsageError for a path that isn't there or holds no Python file.
    """
    found: dict[Path, None] = {}
    for text in paths:
        path = Path(text)
        if is_folder(path):
            inside = [file for file in sorted(path.rglob("*.py")) if not _hidden(file, path)]
            if not inside:
                raise UsageError(f"The folder {path} holds no Python file.", _instead(path))
            found |= dict.fromkeys(file.resolve() for file in inside)
        elif path.suffix == ".py" and is_file(path):
            found[path.resolve()] = None
        else:
            raise UsageError(
                f"There are no scenarios at {path}: no such folder or Python file.",
                _instead(path) or _GIVE,
            )
    return list(found)


def _instead(path: Path) -> str:
    command = command_for(path)
    return f"Type: {command}" if command else ""


_GIVE = "Give a folder or a .py file, or set `paths` in [tool.esper-audit]."


def _hidden(path: Path, folder: Path) -> bool:
    return any(part.startswith((".", "__")) for part in path.relative_to(folder).parts)


def import_file(path: Path) -> ModuleType:
    """Import a scenario file under a name of its own; whatever it raises goes to the caller."""
    digest = hashlib.sha256(os.fsencode(path)).hexdigest()[:8]
    stem = path.stem.encode("utf-8", "replace").decode()  # torch writes the name into code
    name = f"esper_audit_scenarios_{digest}_{stem}"
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        with leave_unless_home(), _streams_kept():
            spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


@contextmanager
def _streams_kept() -> Iterator[None]:
    """A file that replaces stdout or closes it must not take it from the others."""
    kept = sys.stdin, sys.stdout, sys.stderr
    try:
        yield
    finally:
        sys.stdin, sys.stdout, sys.stderr = kept


def scenarios_in(module: ModuleType) -> list[Scenario]:
    """The scenarios that this module defines; imported ones belong to their own file."""
    return [
        thing
        for thing in vars(module).values()
        if isinstance(thing, Scenario) and thing.function.__module__ == module.__name__
    ]


def collect(
    paths: Iterable[str],
    pythonpath: Iterable[str] = (),
    known_broken: Mapping[str, Reason] = MappingProxyType({}),
    around: Around = nullcontext,
) -> Collection:
    """Import every scenario file of the paths, each inside ``around``.

    A file that can't be imported is listed as broken with its cause; the rest is collected. One
    that is ``known_broken`` is not imported. Raises UsageError for two scenarios of one name.
    """
    extend_path(pythonpath)
    scenarios: dict[str, ScenarioInfo] = {}
    claims: dict[str, Claim] = {}
    broken: dict[str, Reason] = {}
    for path in scenario_files(paths):
        if str(path) in known_broken:
            broken[str(path)] = known_broken[str(path)]
            continue
        try:
            with around(path):
                module = import_file(path)
        except BaseException as error:  # a KeyboardInterrupt too: Ctrl-C is not told to us
            broken[str(path)] = not_imported(error)
            continue
        for scenario in scenarios_in(module):
            if scenario.name in scenarios:
                raise UsageError(
                    f"Two scenarios are named {scenario.name}: in {scenarios[scenario.name].file}"
                    f" and in {path}.",
                    "Rename one.",
                )
            scenarios[scenario.name] = _info(scenario, path)
            claims |= {claim.id: claim for claim in scenario.claims}
        claims |= {thing.id: thing for thing in vars(module).values() if isinstance(thing, Claim)}
    return Collection(
        scenarios=tuple(scenarios.values()),
        claims=tuple(sorted(claims.values(), key=lambda claim: claim.source)),
        broken=broken,
    )


def extend_path(pythonpath: Iterable[str]) -> None:
    """Put folders at the front of ``sys.path``, each once."""
    for folder in reversed(list(pythonpath)):
        if folder not in sys.path:
            sys.path.insert(0, folder)


def not_imported(error: BaseException) -> Reason:
    """Why a file can't be imported that raised this."""
    if isinstance(error, TimeLimitReached):
        late = Reason(why=Why.IMPORT_LATE, seconds=error.seconds, location=error.location)
        return Reason(why=Why.NOT_IMPORTED, cause=late)
    where = traceback.extract_tb(error.__traceback__)
    last = f" ({where[-1].filename}:{where[-1].lineno})" if where else ""
    return Reason(why=Why.NOT_IMPORTED, text=f"{said(error).rstrip(': ')}{last}")


def _info(scenario: Scenario, path: Path) -> ScenarioInfo:
    return ScenarioInfo(
        name=scenario.name,
        file=str(path),
        question=scenario.question,
        params={name: tuple(map(value_text, values)) for name, values in scenario.params.items()},
        budget=scenario.budget,
        claims=tuple(claim.id for claim in scenario.claims),
        tolerances=dict(scenario.tolerances),
        time_limit=scenario.time_limit,
        spawn=scenario.spawn,
    )
