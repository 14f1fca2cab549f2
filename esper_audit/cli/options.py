"""The options that several commands take, each written once."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from dataclasses import dataclass, fields
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, get_type_hints

import typer

from esper_audit.data.expectations import Budget
from esper_audit.report.formats import Format


class Kind(StrEnum):
    """What a saved file holds."""

    REPORT = "report"
    PROGRAM = "program"
    RECORDING = "recording"
    GATE = "gate"
    COMPARISON = "comparison"


class Plain(StrEnum):
    """What goes to stdout, of a command that makes no report."""

    RICH = "rich"
    JSON = "json"


class Dynamic(StrEnum):
    """``torch.compile(dynamic=…)``."""

    AUTO = "auto"
    TRUE = "true"
    FALSE = "false"

    @property
    def value_for_torch(self) -> bool | None:
        return {"auto": None, "true": True, "false": False}[self.value]


class Start(StrEnum):
    """How the process of a replay comes to be."""

    AUTO = "auto"
    FORK = "fork"
    SPAWN = "spawn"


Paths = Annotated[
    list[str] | None,
    typer.Argument(
        help="Scenario files or folders; without any, `paths` of [tool.esper-audit].",
        show_default=False,
    ),
]
PlainOption = Annotated[Plain, typer.Option("--format", help="What to print on stdout.")]
_OUTPUT_HELP = "Also write it here; may be repeated. Without FORMAT= as JSON."


@dataclass(frozen=True, kw_only=True)
class Words:
    """What is said, in which format, and where else it goes."""

    format: Annotated[Format, typer.Option("--format", help="What to print on stdout.")] = (
        Format.RICH
    )
    output: Annotated[
        list[str] | None,
        typer.Option("--output", "-o", metavar="[FORMAT=]FILE", help=_OUTPUT_HELP),
    ] = None
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="Print the answer alone.")] = False
    verbose: Annotated[
        bool,
        typer.Option("-v", "--verbose", help="Show every audit, and the evidence of each step."),
    ] = False

    @property
    def verbosity(self) -> int:
        return self.verbose - self.quiet


@dataclass(frozen=True, kw_only=True)
class Replaying:
    """Which scenarios are replayed, and how."""

    keyword: Annotated[
        str,
        typer.Option("-k", help="Only audits whose title matches: name parts with and, or, not."),
    ] = ""
    param: Annotated[
        list[str] | None,
        typer.Option("--param", help="NAME=VALUE[,VALUE] or NAME=all; may be repeated."),
    ] = None
    jobs: Annotated[
        int, typer.Option("-j", "--jobs", min=0, help="Replays side by side; 0: one a core.")
    ] = 0
    backend: Annotated[
        list[str] | None,
        typer.Option("--backend", help="A backend of torch.compile; may be repeated."),
    ] = None
    dynamic: Annotated[Dynamic, typer.Option(help="torch.compile(dynamic=…).")] = Dynamic.AUTO
    fullgraph: Annotated[bool, typer.Option(help="torch.compile(fullgraph=True).")] = False
    mode: Annotated[str | None, typer.Option(help="torch.compile(mode=…).")] = None
    recompile_limit: Annotated[
        int | None, typer.Option(min=1, help="Recompiles of a frame before it runs eagerly.")
    ] = None
    time_limit: Annotated[
        float | None, typer.Option(min=0.1, help="Seconds that one replay may take.")
    ] = None
    compare: Annotated[
        bool, typer.Option("--compare/--no-compare", help="Compare each step with eager.")
    ] = True
    provenance: Annotated[
        bool,
        typer.Option(
            "--provenance/--no-provenance",
            help="Replay again what recompiled, to find who wrote the guarded state.",
        ),
    ] = True
    start: Annotated[Start, typer.Option(help="How replays get a process.")] = Start.AUTO
    max_recompiles_after_warm_up: Annotated[
        int | None, typer.Option(min=0, help="Fail above this many recompiles after warm-up.")
    ] = None
    max_compiles_after_warm_up: Annotated[
        int | None,
        typer.Option(min=0, help="Fail above this many compiles of any kind after warm-up."),
    ] = None
    max_eager_steps: Annotated[
        int | None, typer.Option(min=0, help="Allow so many eager steps after warm-up.")
    ] = None
    max_compiles: Annotated[
        int | None, typer.Option(min=0, help="Allow so many compiles in all.")
    ] = None
    max_graph_breaks: Annotated[
        int | None, typer.Option(min=0, help="Allow so many graph breaks.")
    ] = None
    max_compile_share: Annotated[
        float | None,
        typer.Option(min=0.0, max=1.0, help="Advise against more of the seconds compiling."),
    ] = None

    @property
    def budget(self) -> Budget:
        return Budget(
            recompiles=self.max_recompiles_after_warm_up,
            compiles_after_warm_up=self.max_compiles_after_warm_up,
            eager_steps=self.max_eager_steps,
            compiles=self.max_compiles,
            graph_breaks=self.max_graph_breaks,
            compile_share=self.max_compile_share,
        )


@dataclass(frozen=True, kw_only=True)
class Gating:
    """What is compared with, and what is done with a difference."""

    baseline: Annotated[
        Path | None,
        typer.Option(help="The baseline; without, `baseline` of [tool.esper-audit]."),
    ] = None
    update_baseline: Annotated[
        bool, typer.Option("--update-baseline", help="Accept the state that is found.")
    ] = False
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Update without asking on a terminal.")
    ] = False
    reason: Annotated[str, typer.Option(help="Why it is accepted: kept with the new entries.")] = ""
    allow_improvement: Annotated[
        bool, typer.Option("--allow-improvement", help="Pass what is better than accepted.")
    ] = False
    fail_on: Annotated[
        str,
        typer.Option(metavar="KIND[,KIND]", help="Fail on these changes or diagnoses alone."),
    ] = ""
    repeat: Annotated[
        int, typer.Option(min=1, help="Replay so often, and fail where counts differ.")
    ] = 1
    save: Annotated[
        Path | None, typer.Option(help="Save the audit here, for `show` and `compare`.")
    ] = None


def with_options(*groups: type[Any]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """A command whose parameters of these types become the options that their fields are."""

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        hints = get_type_hints(command, include_extras=True)
        names = {name: hint for name, hint in hints.items() if hint in groups}
        own = inspect.signature(command).parameters.values()
        parameters = [
            each.replace(annotation=hints[each.name]) for each in own if each.name not in names
        ]
        for group in names.values():
            parameters += _parameters(group)

        @functools.wraps(command)
        def run(**given: Any) -> Any:
            for name, group in names.items():
                given[name] = group(**{each.name: given.pop(each.name) for each in fields(group)})
            return command(**given)

        run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]  # typer reads it
        run.__annotations__ = {each.name: each.annotation for each in parameters}
        return run

    return decorate


def _parameters(group: type[Any]) -> list[inspect.Parameter]:
    hints = get_type_hints(group, include_extras=True)
    kind = inspect.Parameter.KEYWORD_ONLY
    return [
        inspect.Parameter(each.name, kind, default=each.default, annotation=hints[each.name])
        for each in fields(group)
    ]
