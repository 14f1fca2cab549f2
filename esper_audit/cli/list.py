"""``esper-audit list``."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING

from esper_audit.cli.command import command
from esper_audit.cli.options import Paths, Plain, PlainOption

if TYPE_CHECKING:
    from rich.table import Table

    from esper_audit.data.jobs import Collection
    from esper_audit.data.reasons import Reason


def list_(*, paths: Paths = None, output_format: PlainOption = Plain.RICH) -> None:
    """List the scenarios, their questions and their parameters.

    Files that can't be imported are named last, with exit code 2.
    """
    from esper_audit.auditing import chosen_paths, refuse_broken
    from esper_audit.data.config import config_for
    from esper_audit.replay.pool import open_pool

    config = config_for(paths or ())
    chosen = chosen_paths(tuple(paths or ()), config)
    with open_pool(1) as pool:
        collection, _ = pool.collect(chosen, config.pythonpath, config.import_time_limit)
    _print(collection, output_format)
    refuse_broken(collection.broken)


def _print(collection: Collection, output_format: Plain) -> None:
    import msgspec

    from esper_audit.cli.output import stdout
    from esper_audit.cli.stdout import stdout_that_may_end
    from esper_audit.data.json_text import json_text

    with stdout_that_may_end("The list", "Print it to a place with free space."):
        if output_format is Plain.JSON:
            plain = msgspec.to_builtins(collection) | {"broken": _in_words(collection.broken)}
            sys.stdout.write(f"{json_text(plain)}\n")
        else:
            stdout().print(_table(collection))


def _in_words(broken: Mapping[str, Reason]) -> dict[str, str]:
    from esper_audit.report.words.reasons import in_words

    return {file: in_words(why) for file, why in broken.items()}


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
