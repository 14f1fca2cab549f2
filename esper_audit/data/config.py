"""``[tool.esper-audit]`` of the nearest ``pyproject.toml``, checked."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any

import msgspec

from esper_audit.data.clean import clean
from esper_audit.data.diagnoses import Diagnosis
from esper_audit.data.expectations import Budget
from esper_audit.data.files import is_file, is_folder, whole
from esper_audit.data.tables import Wrong, type_of, wrong_in
from esper_audit.data.verdicts import StepVerdict
from esper_audit.errors import UsageError, did_you_mean

TABLE = "tool.esper-audit"

MOST_SECONDS = 1_000_000
"""Eleven days: no timer of the system takes any number of seconds."""

DTYPES = (
    *("float64", "float32", "float16", "bfloat16", "complex128", "complex64", "complex32"),
    *("int64", "int32", "int16", "int8", "uint64", "uint32", "uint16", "uint8", "bool"),
)
"""Those of torch but the narrow floats, of which each version brings new ones."""

NARROW_DTYPES = r"float[4-8]_\w+"
"""The names of the others."""

Text = Annotated[str, msgspec.Meta(min_length=1)]
Count = Annotated[int, msgspec.Meta(ge=0)]
Share = Annotated[float, msgspec.Meta(ge=0, le=1)]
Seconds = Annotated[float, msgspec.Meta(ge=0.1, le=MOST_SECONDS)]
Tolerance = Annotated[float, msgspec.Meta(ge=0)]


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

    recompiles: Count | None = None
    compiles_after_warm_up: Count | None = None
    eager_steps: Count | None = None
    compiles: Count | None = None
    graph_breaks: Count | None = None
    compile_share: Share | None = None

    @property
    def bounds(self) -> Budget:
        return Budget(**msgspec.structs.asdict(self))


class ScanConfig(msgspec.Struct, forbid_unknown_fields=True, frozen=True, rename="kebab"):
    """``[tool.esper-audit.scan]``: what `scan` leaves out. Paths are patterns from the root on."""

    exclude: list[str] = []
    ignore: list[Diagnosis] = []
    per_file_ignores: dict[str, list[Diagnosis]] = {}

    @property
    def rules(self) -> dict[str, list[Diagnosis]]:
        """Ignored diagnoses by the pattern of files; the empty pattern means all files."""
        return {**self.per_file_ignores, "": self.ignore}


class TicketConfig(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """``[tool.esper-audit.ticket]``: what `esper-audit ticket` fills in by itself."""

    id: str = ""
    points: str = ""
    batch: str = ""
    agent: str = ""
    domain: str = ""
    assignee: str = ""


class Settings(msgspec.Struct, forbid_unknown_fields=True, frozen=True, rename="kebab"):
    """What ``[tool.esper-audit]`` may hold."""

    paths: list[str] = []
    pythonpath: list[str] = []
    columns: str = ""
    backends: Annotated[tuple[Text, ...], msgspec.Meta(min_length=1)] = ("aot_eager",)
    params: dict[str, list[str]] = {}
    tolerances: dict[str, tuple[Tolerance, Tolerance]] = {}
    time_limit: Seconds = 120.0
    import_time_limit: Seconds = 30.0
    question: QuestionConfig = QuestionConfig()
    control: ControlConfig | None = None
    budget: BudgetConfig = BudgetConfig()
    scan: ScanConfig = ScanConfig()
    baseline: Text = "esper-audit-baseline.json"
    ticket: TicketConfig = TicketConfig()


class Config(Settings, frozen=True, rename="kebab"):
    """The settings of a project. ``root`` is the folder of its pyproject.toml."""

    root: str = ""


def config_for(paths: Iterable[str | Path]) -> Config:
    """The configuration of the project that the paths lie in, else of the current folder's.

    Looked for from the folder that all paths have in common, upwards. Raises UsageError as
    :func:`load_config` does.
    """
    here = Path.cwd()
    found = find_pyproject(_common_folder([here / path for path in paths]) or here)
    return load_config(found.parent if found is not None else here)


def _common_folder(paths: Sequence[Path]) -> Path | None:
    if not paths:
        return None
    common = Path(os.path.commonpath([os.path.abspath(path) for path in paths]))  # noqa: PTH100
    return common if is_folder(common) else common.parent


def find_pyproject(start: Path) -> Path | None:
    """The nearest pyproject.toml with our table, from ``start`` upwards."""
    for folder in (start, *start.parents):
        path = folder / "pyproject.toml"
        if is_file(path) and _table(path) is not None:
            return path
    return None


def load_config(start: Path) -> Config:
    """The configuration in force in a folder; the defaults where there is none.

    Raises UsageError, with file, table and key, for anything that isn't understood.
    """
    path = find_pyproject(start)
    if path is None:
        return Config(root=str(start), baseline=str(start / Settings().baseline))
    table = _table(path) or {}
    wrong = wrong_settings(table)
    if wrong:
        raise UsageError("\n".join(_in_words(path, one) for one in wrong))
    config = msgspec.convert(table, Config)
    root = path.parent
    return msgspec.structs.replace(
        config,
        root=str(root),
        baseline=str(root / config.baseline),
        paths=[str(root / relative) for relative in config.paths],
        pythonpath=[str(root / relative) for relative in config.pythonpath],
    )


def wrong_settings(table: dict[str, Any]) -> list[Wrong]:
    """What can't be taken of a table with the keys of ``[tool.esper-audit]``."""
    wrong_dtypes = _wrong_dtypes(table.get("tolerances"))
    return [*wrong_in(table, type_of(Settings)), *wrong_dtypes, *_wrong_paths(table)]


def _wrong_paths(table: dict[str, Any]) -> Iterator[Wrong]:
    for key in ("paths", "pythonpath", "baseline"):
        if "\0" in "".join(_texts(table.get(key))):
            yield Wrong((key,), "holds a NUL character, which no path can")


def _wrong_dtypes(tolerances: object) -> Iterator[Wrong]:
    for name in tolerances if isinstance(tolerances, dict) else ():
        if not is_dtype(name):
            yield Wrong(("tolerances", name), f"is no dtype of torch{did_you_mean(name, DTYPES)}")


def _texts(value: object) -> Iterator[str]:
    values = value if isinstance(value, list) else [value]
    return (held for held in values if isinstance(held, str))


def is_dtype(name: str) -> bool:
    """Whether torch may have a dtype of this name."""
    return name in DTYPES or re.fullmatch(NARROW_DTYPES, name) is not None


def _in_words(path: Path, wrong: Wrong) -> str:
    *tables, key = wrong.place
    return f"{path}, [{clean('.'.join((TABLE, *tables)))}]: {clean(key)} {wrong.said}."


def _table(path: Path) -> dict[str, Any] | None:
    tool = _read(path).get("tool", {})
    if not isinstance(tool, dict):
        return None
    misspelt = next((name for name in tool if _is_meant(name) and "esper-audit" not in tool), None)
    if misspelt is not None:
        raise UsageError(f"{path} has a table [tool.{misspelt}]; write [{TABLE}].")
    table = tool.get("esper-audit")
    if table is not None and not isinstance(table, dict):
        raise UsageError(f"{path}: [{TABLE}] must be a table.")
    return table


def _is_meant(name: str) -> bool:
    return re.sub(r"[-_. ]", "", name).lower() == "esperaudit"


def _read(path: Path) -> dict[str, Any]:
    try:
        data = whole(path)
    except OSError as error:
        raise UsageError(f"{path} can't be read: {error.strerror}.") from None
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise UsageError(f"{path}, line {line}: this is not UTF-8 text.") from None
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise UsageError(f"{path} is nested too deeply.") from None
    except ValueError as error:  # tomllib's own, or of a number that Python refuses to read
        raise UsageError(f"{path}{_line(error, text)}: this is not TOML: {_gist(error)}.") from None


_PLACE = re.compile(r" \(at (?:line (\d+), column \d+|end of document)\)$")


def _line(error: ValueError, text: str) -> str:
    found = _PLACE.search(str(error))
    if found is None:
        return ""
    return f", line {found[1] or text.count(chr(10)) + 1}"


def _gist(error: ValueError) -> str:
    if not isinstance(error, tomllib.TOMLDecodeError):
        return "it holds a number that is too long"
    words = _PLACE.sub("", str(error))
    return f"{words[:1].lower()}{words[1:]}"
