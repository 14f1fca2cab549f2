"""``[tool.esper-audit]`` of the nearest ``pyproject.toml``, checked."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Annotated, Any

import msgspec

from esper_audit.data.expectations import Budget
from esper_audit.data.verdicts import StepVerdict
from esper_audit.errors import UsageError

TABLE = "tool.esper-audit"


class QuestionConfig(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """``[tool.esper-audit.question]``: what the report's first sentence answers."""

    text: str = ""
    about: dict[str, str] = {}


class ControlConfig(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """``[tool.esper-audit.control]``: audits that are wrong on purpose, and how."""

    params: dict[str, str]
    verdict: StepVerdict = StepVerdict.STALE


class BudgetConfig(msgspec.Struct, forbid_unknown_fields=True, frozen=True, rename="kebab"):
    """``[tool.esper-audit.budget]``: what a scenario may cost that does not say it itself."""

    recompiles: Annotated[int, msgspec.Meta(ge=0)] | None = None
    compiles_after_warm_up: Annotated[int, msgspec.Meta(ge=0)] | None = None
    eager_steps: Annotated[int, msgspec.Meta(ge=0)] | None = None
    compiles: Annotated[int, msgspec.Meta(ge=0)] | None = None
    graph_breaks: Annotated[int, msgspec.Meta(ge=0)] | None = None
    compile_share: Annotated[float, msgspec.Meta(ge=0, le=1)] | None = None

    @property
    def bounds(self) -> Budget:
        return Budget(**msgspec.structs.asdict(self))


class Config(msgspec.Struct, forbid_unknown_fields=True, frozen=True, rename="kebab"):
    """The settings of a project. ``root`` is the folder of its pyproject.toml."""

    paths: list[str] = []
    pythonpath: list[str] = []
    columns: str = ""
    backends: tuple[str, ...] = ("aot_eager",)
    params: dict[str, list[str]] = {}
    tolerances: dict[str, tuple[float, float]] = {}
    time_limit: float = 120.0
    question: QuestionConfig = QuestionConfig()
    control: ControlConfig | None = None
    budget: BudgetConfig = BudgetConfig()
    baseline: str = "esper-audit-baseline.json"
    root: str = ""


def find_pyproject(start: Path) -> Path | None:
    """The nearest pyproject.toml with our table, from ``start`` upwards."""
    for folder in (start, *start.parents):
        path = folder / "pyproject.toml"
        if path.is_file() and _table(path) is not None:
            return path
    return None


def load_config(start: Path) -> Config:
    """The configuration in force in a folder; the defaults where there is none.

    Raises UsageError, with file and key, for anything that isn't understood.
    """
    path = find_pyproject(start)
    if path is None:
        return Config(root=str(start), baseline=str(start / Config().baseline))
    try:
        config = msgspec.convert(_table(path), Config)
    except msgspec.ValidationError as error:
        raise UsageError(
            f"{path}, [{TABLE}]: {error}.", "See docs/reference/configuration.md for every key."
        ) from None
    root = path.parent
    return msgspec.structs.replace(
        config,
        root=str(root),
        baseline=str(root / config.baseline),
        paths=[str(root / relative) for relative in config.paths],
        pythonpath=[str(root / relative) for relative in config.pythonpath],
    )


def _table(path: Path) -> dict[str, Any] | None:
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UsageError(f"{path} can't be read: {error}.") from None
    tool = data.get("tool", {})
    table = tool.get("esper-audit") if isinstance(tool, dict) else None
    if table is not None and not isinstance(table, dict):
        raise UsageError(f"{path}: [{TABLE}] must be a table.")
    return table
