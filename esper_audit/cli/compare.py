"""``esper-audit compare``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from esper_audit.cli.command import command
from esper_audit.cli.options import Words, save_option


def compare(
    *,
    first: Annotated[
        Path, typer.Argument(metavar="A", help="A saved audit or recording, or a folder of them.")
    ],
    second: Annotated[Path, typer.Argument(metavar="B", help="What it is compared with.")],
    save: Annotated[Path | None, save_option("the comparison", "show")] = None,
    words: Words,
) -> None:
    """Show two saved audits side by side.

    It needs no torch, and ends with exit code 1 where they differ.
    """
    from esper_audit.cli.output import finish
    from esper_audit.cli.places import check_places, with_recordings
    from esper_audit.gating import compare_saved
    from esper_audit.report.formats import parse_outputs, saved

    outputs = (*saved(save), *parse_outputs(words.output or ()))
    check_places(outputs, with_recordings([first, second]))
    finish(compare_saved(first, second), words, outputs)


COMMAND = command(compare, Words)
