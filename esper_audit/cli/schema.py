"""``esper-audit schema``."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from esper_audit.cli.command import command
from esper_audit.cli.stdout import write_text


class Kind(StrEnum):
    """What a saved file holds."""

    REPORT = "report"
    PROGRAM = "program"
    RECORDING = "recording"
    GATE = "gate"
    COMPARISON = "comparison"


def schema(
    kind: Annotated[
        Kind,
        typer.Argument(
            metavar="KIND",
            help="What the file holds: report (the default), program, recording, gate or"
            " comparison.",
        ),
    ] = Kind.REPORT,
) -> None:
    """Print the JSON Schema of a saved file."""
    import msgspec

    from esper_audit.data.storage import KINDS, json_schema

    text = msgspec.json.format(msgspec.json.encode(json_schema(KINDS[kind.value]))).decode()
    write_text(text, "The schema")


COMMAND = command(schema)
