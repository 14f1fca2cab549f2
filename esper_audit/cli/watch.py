"""``esper-audit watch``: what a program that still runs compiles, as it does."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import Annotated

import typer

from esper_audit.cli.command import command


def watch(
    *,
    what: Annotated[
        str,
        typer.Argument(
            metavar="PID|FOLDER|FILE",
            show_default=False,
            help="The number of a process that runs under `exec`, or the file or the folder that"
            " --save names there; or a trace log, or the folder of TORCH_TRACE. It may come later.",
        ),
    ],
    interval: Annotated[
        float,
        typer.Option(min=0.1, max=3600, metavar="SECONDS", help="Look every SECONDS seconds."),
    ] = 1.0,
    once: Annotated[bool, typer.Option("--once", help="Print what is known now, and end.")] = False,
) -> None:
    """Show what a program compiles while it runs, without touching it.

    A terminal shows a view; a file or a pipe gets a line for each event. The command ends with the
    program, or with Ctrl-C. Its exit code is 0; it is 3 where the program died, or where --once
    finds nothing.
    """
    from esper_audit.cli.output import stdout
    from esper_audit.cli.watching import Lines, Screen, print_once
    from esper_audit.program.watching import Watch, places_of

    with Watch(places_of(what)) as followed:
        if once:
            print_once(followed)
            return
        shown = Screen() if stdout().is_interactive else Lines()
        with suppress(KeyboardInterrupt), shown:  # Ctrl-C is how one ends it
            while True:
                followed.poll()
                if not shown.show(followed) or followed.is_over:
                    break
                if not followed.more:
                    time.sleep(interval)
        shown.close(followed)


COMMAND = command(watch)
