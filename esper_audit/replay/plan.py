"""Which jobs a run consists of: scenarios, parameters and backends, selected. Pure."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from esper_audit.data.expectations import NO_BUDGET, Budget
from esper_audit.data.jobs import CompileOptions, Job, ScenarioInfo
from esper_audit.data.text import encodable
from esper_audit.errors import UsageError, did_you_mean

ALL = "all"
_TOKEN = re.compile(r"[^\s()]+")
_WORDS = {"and", "or", "not"}


@dataclass(frozen=True)
class Options:
    """What the command line and the configuration say about a run.

    ``params`` are those of the command line, ``default_params`` the configuration's; the first
    win. A value ``all`` selects every declared one. Of a budget each bound is that of ``budget``,
    the command line's, else of the scenario, else of ``default_budget``, the configuration's.
    ``compile`` is for each of ``backends``. ``fail_on`` are kinds of findings that fail an audit,
    in place of the default budget.
    """

    keyword: str = ""
    params: Mapping[str, Sequence[str]] = field(default_factory=dict)
    default_params: Mapping[str, Sequence[str]] = field(default_factory=dict)
    backends: Sequence[str] = ("aot_eager",)
    compile: CompileOptions = CompileOptions()
    compare: bool = True
    tolerances: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    time_limit: float = 120.0
    pythonpath: Sequence[str] = ()
    spawn: bool = False
    budget: Budget = NO_BUDGET
    default_budget: Budget = NO_BUDGET
    fail_on: tuple[str, ...] = ()
    root: str = ""


class NothingSelectedError(UsageError):
    """No scenario has a title and parameters as asked for."""


def plan(scenarios: Sequence[ScenarioInfo], options: Options) -> tuple[Job, ...]:
    """The jobs to replay, in the order of the report.

    Raises UsageError for an unknown parameter or value, a broken expression, or an empty
    selection.
    """
    _check_params(scenarios, options.params)
    selected = KeywordMatcher(options.keyword)
    jobs = (
        job
        for scenario in scenarios
        for backend in options.backends
        for job in _jobs(scenario, backend, options)
    )
    chosen = tuple(job for job in jobs if selected(job.title))
    if not chosen:
        names = ", ".join(scenario.name for scenario in scenarios) or "none"
        raise NothingSelectedError(
            "Nothing is selected: no scenario matches.", f"Scenarios: {names}."
        )
    return chosen


def _jobs(scenario: ScenarioInfo, backend: str, options: Options) -> Iterable[Job]:
    values: dict[str, Sequence[str]] = {
        name: _selected_values(name, declared, options)
        for name, declared in scenario.params.items()
    }
    for combination in itertools.product(*values.values()):
        parameters: dict[str, str] = dict(zip(values, combination, strict=True))
        yield Job(
            scenario=scenario.name,
            file=scenario.file,
            question=scenario.question,
            parameters=parameters,
            choices={
                name: scenario.params[name].index(value) for name, value in parameters.items()
            },
            options=replace(options.compile, backend=backend),
            compare=options.compare,
            budget=options.budget.over(scenario.budget).over(options.default_budget),
            fail_on=options.fail_on,
            claims=scenario.claims,
            tolerances=dict(options.tolerances) | scenario.tolerances,
            time_limit=scenario.time_limit or options.time_limit,
            spawn=scenario.spawn or options.spawn,
            pythonpath=tuple(options.pythonpath),
            root=options.root,
        )


def _selected_values(name: str, declared: Sequence[str], options: Options) -> Sequence[str]:
    asked = options.params.get(name)
    if asked is not None:
        return declared if ALL in asked else [value for value in declared if value in asked]
    default = [value for value in options.default_params.get(name, ()) if value in declared]
    return default or declared


def check_backends(known: Sequence[str], asked: Sequence[str]) -> None:
    """Raise UsageError for a backend that torch.compile doesn't know."""
    for backend in asked:
        if backend not in known:
            raise UsageError(
                f"Unknown torch.compile backend {backend!r}{did_you_mean(backend, known)}.",
                f"Known backends: {', '.join(known)}.",
            )


def _check_params(scenarios: Sequence[ScenarioInfo], asked: Mapping[str, Sequence[str]]) -> None:
    known: dict[str, dict[str, None]] = {}
    for scenario in scenarios:
        for name, declared in scenario.params.items():
            known.setdefault(name, {}).update(dict.fromkeys(declared))
    for name, values in asked.items():
        if name not in known:
            raise UsageError(
                f"No scenario has a parameter {name!r}.",
                f"Parameters: {', '.join(known) or 'none'}.",
            )
        for value in values:
            if value != ALL and value not in known[name]:
                raise UsageError(
                    f"The parameter {name!r} has no value {value!r}.",
                    f"Values: {', '.join(known[name])}, or {ALL}.",
                )


def parse_params(texts: Iterable[str]) -> dict[str, list[str]]:
    """``NAME=VALUE`` texts of the command line; a value may be a list with commas."""
    params: dict[str, list[str]] = {}
    for text in texts:
        name, equals, values = encodable(text).partition("=")
        if not (name and equals and values):
            raise UsageError(
                f"--param takes NAME=VALUE, not {text!r}.", "For example: --param alpha=all."
            )
        params.setdefault(name.strip(), []).extend(value.strip() for value in values.split(","))
    return params


class KeywordMatcher:
    """Whether a title matches an expression of name parts with ``and``, ``or``, ``not``, ``()``."""

    def __init__(self, expression: str) -> None:
        self._expression = encodable(expression).strip()
        if self._expression:
            self("")  # an expression that can't be evaluated fails here, before anything runs

    def __call__(self, title: str) -> bool:
        if not self._expression:
            return True
        lowered = title.lower()

        def known(match: re.Match[str]) -> str:
            word = match[0]
            return word if word in _WORDS else str(word.lower() in lowered)

        try:
            # Only True, False, and, or, not and parentheses are left to evaluate.
            return bool(eval(_TOKEN.sub(known, self._expression), {"__builtins__": {}}))
        except (SyntaxError, TypeError):
            raise UsageError(
                f"-k has an invalid expression: {self._expression!r}.",
                "Write name parts with and, or, not: -k 'rollout and not slot'.",
            ) from None
