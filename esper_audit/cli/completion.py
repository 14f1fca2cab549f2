"""``esper-audit completion``: prints a script, and leaves the user's home alone."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from esper_audit.cli.command import command
from esper_audit.cli.stdout import write_text


class Shell(StrEnum):
    """Those that typer knows, but for PowerShell."""

    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"


def completion(
    shell: Annotated[
        Shell,
        typer.Argument(metavar="SHELL", show_default=False, help="The shell: bash, zsh or fish."),
    ],
) -> None:
    """Print a script that completes commands, options and names in a shell.

    For bash, put `eval "$(esper-audit completion bash)"` into ~/.bashrc; zsh alike. For fish:
    `esper-audit completion fish > ~/.config/fish/completions/esper-audit.fish`.
    """
    from typer._completion_shared import get_completion_script

    from esper_audit.cli.app import ASKED_BY_A_SHELL

    script = get_completion_script(
        prog_name="esper-audit", complete_var=ASKED_BY_A_SHELL, shell=shell.value
    )
    write_text(script, "The script")


COMMAND = command(completion)
