"""The commands by name. Each lies in a file of its own, which is imported when it is called."""

from __future__ import annotations

import os
import sys
from importlib import import_module
from keyword import iskeyword
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from esper_audit import __version__
from esper_audit.cli.command import helping, write_options, write_rows
from esper_audit.cli.given import taken_as_given
from esper_audit.cli.stdout import write_text
from esper_audit.errors import UsageError, did_you_mean

COMMANDS = {
    "run": "Replay scenarios under torch.compile and report what every step did.",
    "gate": "Replay scenarios, or load saved audits, and compare them with the committed baseline.",
    "fix": "Try remedies for what fails, and show those that were proven as diffs.",
    "compare": "Show two saved audits side by side.",
    "exec": "Run a program as python would, and report what torch.compile did in it.",
    "watch": "Show what a program compiles while it runs, without touching it.",
    "import": "Read trace logs that torch wrote (TORCH_TRACE), and report as of a recording.",
    "scan": "Find lines that may recompile or run eagerly, without running or importing any code.",
    "list": "List the scenarios, their questions and their parameters.",
    "show": "Print the last audit, or a saved file, again, in any format.",
    "ticket": "Write a finding ticket of a saved audit, with each claim answered.",
    "explain": "Print what a diagnosis means, why it happens and how to fix it.",
    "completion": "Print a script that completes commands, options and names in a shell.",
    "doctor": "Show the environment, and test every hook by compiling something small.",
    "schema": "Print the JSON Schema of a saved file, or of the configuration.",
}
"""What each does, in the first sentence of its own help."""


ASKED_BY_A_SHELL = "_ESPER_AUDIT_COMPLETE"
"""The variable that tells typer to complete: its name comes from that of the program."""


class Commands(TyperGroup):
    """The commands, loaded one at a time: `--help` needs their sentences alone."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        for parameter in self.get_params(ctx):
            taken_as_given(parameter)
        found: list[str] = super().parse_args(ctx, args)
        return found

    def list_commands(self, _ctx: Any) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: Any, name: str) -> Any:
        if name not in COMMANDS and ctx.resilient_parsing:  # a shell completes what it can
            return None
        if name not in COMMANDS:
            close = did_you_mean(name, COMMANDS)
            raise UsageError(f"No such command {name!r}{close}.", "" if close else _meant(name))
        module = f"{name}_" if iskeyword(name) else name
        return import_module(f"esper_audit.cli.{module}").COMMAND

    def get_help_option(self, ctx: Any) -> Any:
        return helping(super().get_help_option(ctx))

    def format_options(self, ctx: Any, formatter: Any) -> None:
        write_options(formatter, self.get_params(ctx))
        with formatter.section("Commands"):
            write_rows(formatter, COMMANDS.items(), max(map(len, COMMANDS)) + 2)


app = typer.Typer(
    cls=Commands,
    # Only for a shell that asks: typer's own options write into the user's home.
    add_completion=bool(os.environ.get(ASKED_BY_A_SHELL)),
    no_args_is_help=True,
    rich_markup_mode=None,  # rich help costs as much again as all the rest of --help
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Runs torch.compile code and proves, step by step, whether compiled code was reused,"
    " recompiled, run eagerly or gone stale.",
    epilog="Exit codes: 0 clean, 1 findings, 2 wrong usage or configuration, 3 the audit could"
    " not be completed.",
)


def _meant(name: str) -> str:
    """What to type where a file or a program is given in place of a command."""
    from pathlib import Path

    from esper_audit.data.file_kinds import command_for
    from esper_audit.data.meant import is_launcher, program_meant

    command = command_for(Path(name)) or (is_launcher(name) and program_meant(sys.argv[1:]))
    return f"Type: {command}" if command else "See `esper-audit --help`."


def _version(wanted: bool) -> None:
    if wanted:
        write_text(f"esper-audit {__version__}", "The version")
        raise typer.Exit


@app.callback()
def _common(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Print the version."),
    ] = False,
) -> None:
    del version
