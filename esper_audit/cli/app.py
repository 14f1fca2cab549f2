"""The commands and their options. Nothing heavy is imported before a command runs."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from esper_audit._version import __version__

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,  # rich help costs as much again as all the rest of --help
    pretty_exceptions_enable=False,
    help="Runs torch.compile code and proves, step by step, whether compiled code was reused,"
    " recompiled, run eagerly or gone stale.",
    epilog="Exit codes: 0 clean, 1 findings, 2 wrong usage or configuration, 3 the audit could"
    " not be completed.",
)


class ExecCommand(TyperCommand):
    """As of ``python``: what follows ``-m MODULE`` belongs to the module."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        takes_value = {
            option
            for parameter in self.params
            if not getattr(parameter, "is_flag", False)
            for option in parameter.opts
        }
        place = 0
        while place < len(args) and args[place].startswith("-") and args[place] != "--":
            if args[place] == "-m":
                args = [*args[: place + 2], "--", *args[place + 2 :]]
                break
            place += 2 if args[place] in takes_value else 1
        return super().parse_args(ctx, args)


class Format(StrEnum):
    """What goes to stdout."""

    RICH = "rich"
    JSON = "json"


class Kind(StrEnum):
    """What a saved file holds."""

    REPORT = "report"
    PROGRAM = "program"
    RECORDING = "recording"


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
FormatOption = Annotated[Format, typer.Option("--format", help="What to print on stdout.")]
Quiet = Annotated[bool, typer.Option("-q", "--quiet", help="Print the answer alone.")]
Verbose = Annotated[
    bool, typer.Option("-v", "--verbose", help="Show every audit, and the evidence of each step.")
]


def _version(wanted: bool) -> None:
    if wanted:
        print(f"esper-audit {__version__}")
        raise typer.Exit


@app.callback()
def _common(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Print the version."),
    ] = False,
) -> None:
    del version


@app.command()
def run(
    paths: Paths = None,
    keyword: Annotated[
        str,
        typer.Option("-k", help="Only audits whose title matches: name parts with and, or, not."),
    ] = "",
    param: Annotated[
        list[str] | None,
        typer.Option("--param", help="NAME=VALUE[,VALUE] or NAME=all; may be repeated."),
    ] = None,
    jobs: Annotated[
        int, typer.Option("-j", "--jobs", min=0, help="Replays side by side; 0: one a core.")
    ] = 0,
    backend: Annotated[
        list[str] | None,
        typer.Option("--backend", help="A backend of torch.compile; may be repeated."),
    ] = None,
    dynamic: Annotated[Dynamic, typer.Option(help="torch.compile(dynamic=…).")] = Dynamic.AUTO,
    fullgraph: Annotated[bool, typer.Option(help="torch.compile(fullgraph=True).")] = False,
    mode: Annotated[str | None, typer.Option(help="torch.compile(mode=…).")] = None,
    recompile_limit: Annotated[
        int | None, typer.Option(min=1, help="Recompiles of a frame before it runs eagerly.")
    ] = None,
    time_limit: Annotated[
        float | None, typer.Option(min=0.1, help="Seconds that one replay may take.")
    ] = None,
    compare: Annotated[
        bool, typer.Option("--compare/--no-compare", help="Compare each step with eager.")
    ] = True,
    provenance: Annotated[
        bool,
        typer.Option(
            "--provenance/--no-provenance",
            help="Replay again what recompiled, to find who wrote the guarded state.",
        ),
    ] = True,
    start: Annotated[Start, typer.Option(help="How replays get a process.")] = Start.AUTO,
    output_format: FormatOption = Format.RICH,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Save the audit here, as JSON.")
    ] = None,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Replay scenarios under torch.compile and report what every step did."""
    from esper_audit.cli.run import run_command

    run_command(
        paths=tuple(paths or ()),
        keyword=keyword,
        params=tuple(param or ()),
        jobs=jobs,
        backends=tuple(backend or ()),
        dynamic=dynamic.value_for_torch,
        fullgraph=fullgraph,
        mode=mode,
        recompile_limit=recompile_limit,
        time_limit=time_limit,
        compare=compare,
        start=start.value,
        provenance=provenance,
        as_json=output_format is Format.JSON,
        output=output,
        verbosity=verbose - quiet,
    )


@app.command(
    "exec",
    cls=ExecCommand,
    context_settings={"allow_interspersed_args": False},
    options_metavar="[OPTIONS] [-m MODULE | SCRIPT]",
)
def exec_(
    program: Annotated[
        list[str] | None,
        typer.Argument(metavar="[ARGS]...", help="The script and its arguments."),
    ] = None,
    module: Annotated[
        str, typer.Option("-m", metavar="MODULE", help="Run a module, as `python -m` does.")
    ] = "",
    max_recompiles: Annotated[
        int | None, typer.Option(min=0, help="Fail above this many recompiles.")
    ] = None,
    max_recompiles_after_warm_up: Annotated[
        int | None, typer.Option(min=0, help="Fail above this many after warm-up.")
    ] = None,
    warm_up_calls: Annotated[
        int | None,
        typer.Option(min=0, help="Calls of a frame that are warm-up, instead of steady_state()."),
    ] = None,
    fail_on: Annotated[
        str,
        typer.Option(metavar="KIND[,KIND]", help="Fail on eager, limit, or any diagnosis."),
    ] = "",
    output_format: Annotated[
        Format, typer.Option("--format", help="Of the report: on stderr, or in --output.")
    ] = Format.RICH,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write the report here.")
    ] = None,
    save: Annotated[
        Path | None,
        typer.Option(help="Save the recording here; a folder: a file for each rank."),
    ] = None,
    heartbeat: Annotated[
        float | None, typer.Option(min=0.1, help="Say every so many seconds how it goes.")
    ] = None,
    provenance: Annotated[
        bool, typer.Option("--provenance", help="Run it again to find who wrote guarded state.")
    ] = False,
    watch: Annotated[Path | None, typer.Option(hidden=True)] = None,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> Callable[[], None]:
    """Run a program as python would, and report what torch.compile did in it.

    The report goes to stderr: stdout is the program's.
    """
    from esper_audit.cli.exec import ExecOptions, exec_command, parse_fail_on, parse_target
    from esper_audit.findings import ProgramBudget

    # Run by our caller: torch takes a traceback for every traced operation, and typer's frames
    # below the program make each compile a tenth slower.
    return partial(
        exec_command,
        parse_target(module, tuple(program or ())),
        ExecOptions(
            budget=ProgramBudget(
                recompiles=max_recompiles,
                recompiles_after_warm_up=max_recompiles_after_warm_up,
                warm_up_calls=warm_up_calls,
                fail_on=parse_fail_on(fail_on),
            ),
            as_json=output_format is Format.JSON,
            output=output,
            save=save,
            heartbeat=heartbeat,
            provenance=provenance,
            watch=watch,
            verbosity=verbose - quiet,
        ),
    )


@app.command("list")
def list_(paths: Paths = None, output_format: FormatOption = Format.RICH) -> None:
    """List the scenarios, their questions and their parameters."""
    from esper_audit.cli.list import list_command

    list_command(tuple(paths or ()), as_json=output_format is Format.JSON)


@app.command()
def show(
    file: Annotated[
        Path,
        typer.Argument(
            help="What `run --output` or `exec --save` saved; a folder: one for each rank.",
        ),
    ],
    output_format: FormatOption = Format.RICH,
    export: Annotated[
        Path | None,
        typer.Option(help="Write the report to this .svg, .html or .txt file instead."),
    ] = None,
    width: Annotated[int, typer.Option(min=40, help="Columns of an exported report.")] = 100,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Print a saved audit again; needs no torch."""
    from esper_audit.cli.show import show_command

    show_command(
        file,
        as_json=output_format is Format.JSON,
        export=export,
        width=width,
        verbosity=verbose - quiet,
    )


@app.command()
def doctor(output_format: FormatOption = Format.RICH) -> None:
    """Show the environment, and test every hook by compiling something small."""
    from esper_audit.cli.doctor import doctor_command

    doctor_command(as_json=output_format is Format.JSON)


@app.command()
def schema(
    kind: Annotated[Kind, typer.Argument(help="Of which kind of file.")] = Kind.REPORT,
) -> None:
    """Print the JSON Schema of a saved file."""
    from esper_audit.cli.show import schema_command

    schema_command(kind.value)
