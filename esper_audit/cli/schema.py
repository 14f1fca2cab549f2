"""``esper-audit schema``."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

import typer

from esper_audit.cli.command import command
from esper_audit.cli.stdout import write_text


class Kind(StrEnum):
    """What a saved file holds; or the configuration."""

    REPORT = "report"
    PROGRAM = "program"
    RECORDING = "recording"
    GATE = "gate"
    COMPARISON = "comparison"
    FIX = "fix"
    SCAN = "scan"
    CONFIG = "config"


def schema(
    kind: Annotated[
        Kind,
        typer.Argument(
            metavar="KIND",
            help="What the file holds: report (the default), program, recording, gate,"
            " comparison, fix or scan; or config, the table [tool.esper-audit] of pyproject.toml.",
        ),
    ] = Kind.REPORT,
) -> None:
    """Print the JSON Schema of a saved file, or of the configuration."""
    import msgspec

    text = msgspec.json.format(msgspec.json.encode(_schema(kind))).decode()
    write_text(text, "The schema")


def _schema(kind: Kind) -> dict[str, Any]:
    if kind is Kind.CONFIG:
        from esper_audit.data.config_schema import config_schema

        return config_schema()
    from esper_audit.data.storage import KINDS, json_schema

    return json_schema(KINDS[kind.value])


COMMAND = command(schema)
