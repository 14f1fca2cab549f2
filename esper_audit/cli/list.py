"""``esper-audit list``."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from esper_audit.cli.command import command
from esper_audit.cli.options import Paths, Plain, PlainOption

if TYPE_CHECKING:
    from rich.table import Table

    from esper_audit.data.jobs import Collection


def list_(*, paths: Paths = None, output_format: PlainOption = Plain.RICH) -> None:
    """List the scenarios, their questions and their parameters.

    Files that can't be imported are named last, with exit code 2.
    """
    from esper_audit.auditing import chosen_paths
    from esper_audit.data.config import config_for
    from esper_audit.errors import UsageError
    from esper_audit.replay.pool import open_pool

    config = config_for(paths or ())
    with open_pool(1) as pool:
        collection, _ = pool.collect(chosen_paths(tuple(paths or ()), config), config.pythonpath)
    _print(collection, output_format)
    if collection.broken:
        broken = collection.broken.items()
        raise UsageError(
            "\n".join(f"{file} can't be imported: {why}" for file, why in broken),
            "Fix them, or give the paths of the other files.",
        )


def _print(collection: Collection, output_format: Plain) -> None:
    from esper_audit.cli.output import stdout, stdout_that_may_end
    from esper_audit.data.clean import json_text

    with stdout_that_may_end():
        if output_format is Plain.JSON:
            sys.stdout.write(f"{json_text(collection)}\n")
        else:
            stdout().print(_table(collection))


def _table(collection: Collection) -> Table:
    from rich.table import Table

    from esper_audit.cli.output import shown

    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("scenario", overflow="fold")
    table.add_column("question and parameters", overflow="fold")
    for scenario in collection.scenarios:
        table.add_row(shown(scenario.name), shown(scenario.question))
        for name, values in scenario.params.items():
            table.add_row("", shown(f"  {name} = {', '.join(values)}"), style="dim")
    return table


COMMAND = command(list_, name="list")
