"""``esper-audit list``."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec
from rich.table import Table

from esper_audit.cli.output import stdout, stdout_that_may_end
from esper_audit.cli.run import chosen_paths
from esper_audit.data.config import load_config
from esper_audit.data.jobs import Collection
from esper_audit.errors import UsageError
from esper_audit.replay.pool import open_pool


def list_command(paths: Sequence[str], as_json: bool) -> None:
    """Print what the paths hold; files that can't be imported are a usage error, named last."""
    config = load_config(Path.cwd())
    with open_pool(1) as pool:
        collection, _ = pool.collect(chosen_paths(paths, config), config.pythonpath)
    with stdout_that_may_end():
        if as_json:
            sys.stdout.write(msgspec.json.format(msgspec.json.encode(collection)).decode() + "\n")
        else:
            stdout().print(_table(collection))
    if collection.broken:
        raise UsageError(
            "\n".join(f"{file} can't be imported: {why}" for file, why in collection.broken.items())
        )


def _table(collection: Collection) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("scenario", overflow="fold")
    table.add_column("question and parameters", overflow="fold")
    for each in collection.scenarios:
        table.add_row(each.name, each.question)
        for name, values in each.params.items():
            table.add_row("", f"  {name} = {', '.join(values)}", style="dim")
    return table
