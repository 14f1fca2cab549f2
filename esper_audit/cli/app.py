"""The commands and their options. Nothing heavy is imported before a command runs."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from esper_audit import __version__
from esper_audit.cli.options import (
    Gating,
    Kind,
    Paths,
    Plain,
    PlainOption,
    Replaying,
    Words,
    with_options,
)
from esper_audit.report.formats import Format

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
@with_options(Replaying, Words)
def run(*, paths: Paths = None, replaying: Replaying, words: Words) -> None:
    """Replay scenarios under torch.compile and report what every step did."""
    from esper_audit.cli.run import run_command

    run_command(tuple(paths or ()), replaying, words)


@app.command()
@with_options(Gating, Replaying, Words)
def gate(
    *,
    paths: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[PATHS or RECORDINGS]...",
            help="Scenario files or folders, or what run and exec saved (.json).",
            show_default=False,
        ),
    ] = None,
    gating: Gating,
    replaying: Replaying,
    words: Words,
) -> None:
    """Replay scenarios, or load audits, and compare them with the committed baseline."""
    from esper_audit.cli.gate import gate_command

    gate_command(tuple(paths or ()), gating, replaying, words)


@app.command()
@with_options(Words)
def compare(
    *,
    first: Annotated[Path, typer.Argument(metavar="A", help="A saved audit or recording.")],
    second: Annotated[Path, typer.Argument(metavar="B", help="Another one.")],
    words: Words,
) -> None:
    """Show two saved audits side by side; needs no torch. Ends with 1 where they differ."""
    from esper_audit.cli.gate import compare_command

    compare_command(first, second, words)


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
        int | None, typer.Option(min=0, help="Fail above this many recompiles after warm-up.")
    ] = None,
    max_compiles_after_warm_up: Annotated[
        int | None, typer.Option(min=0, help="Fail above this many compiles of any kind then.")
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
        list[str] | None,
        typer.Option(
            "--output",
            "-o",
            metavar="[FORMAT=]FILE",
            help="Write the report here instead; may be repeated.",
        ),
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
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="Print the answer alone.")] = False,
    verbose: Annotated[bool, typer.Option("-v", "--verbose", help="Show all of it.")] = False,
) -> Callable[[], None]:
    """Run a program as python would, and report what torch.compile did in it.

    The report goes to stderr: stdout is the program's.
    """
    from esper_audit.cli.exec import ExecOptions, exec_command, parse_target
    from esper_audit.data.expectations import ProgramBudget
    from esper_audit.diagnosis import Door, parse_kinds

    # Run by our caller: torch takes a traceback for every traced operation, and typer's frames
    # below the program make each compile a tenth slower.
    return partial(
        exec_command,
        parse_target(module, tuple(program or ())),
        ExecOptions(
            budget=ProgramBudget(
                recompiles=max_recompiles,
                recompiles_after_warm_up=max_recompiles_after_warm_up,
                compiles_after_warm_up=max_compiles_after_warm_up,
                warm_up_calls=warm_up_calls,
                fail_on=parse_kinds(fail_on, Door.EXEC),
            ),
            format=output_format,
            outputs=tuple(output or ()),
            save=save,
            heartbeat=heartbeat,
            provenance=provenance,
            watch=watch,
            verbosity=verbose - quiet,
        ),
    )


@app.command("list")
def list_(paths: Paths = None, output_format: PlainOption = Plain.RICH) -> None:
    """List the scenarios, their questions and their parameters."""
    from esper_audit.cli.list import list_command

    list_command(tuple(paths or ()), as_json=output_format is Plain.JSON)


@app.command()
@with_options(Words)
def show(
    *,
    file: Annotated[
        Path,
        typer.Argument(
            help="What --output, --save or `exec --save` saved; a folder: one for each rank.",
        ),
    ],
    export: Annotated[
        Path | None,
        typer.Option(help="Write the report to this .svg, .html or .txt file instead."),
    ] = None,
    width: Annotated[int, typer.Option(min=40, help="Columns of an exported report.")] = 100,
    words: Words,
) -> None:
    """Print what was saved again, in any format; needs no torch."""
    from esper_audit.cli.show import show_command

    show_command(file, words, export=export, width=width)


@app.command()
def doctor(output_format: PlainOption = Plain.RICH) -> None:
    """Show the environment, and test every hook by compiling something small."""
    from esper_audit.cli.doctor import doctor_command

    doctor_command(as_json=output_format is Plain.JSON)


@app.command()
def schema(
    kind: Annotated[Kind, typer.Argument(help="Of which kind of file.")] = Kind.REPORT,
) -> None:
    """Print the JSON Schema of a saved file."""
    from esper_audit.cli.show import schema_command

    schema_command(kind.value)
