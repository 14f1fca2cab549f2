"""The options that several commands take, each written once."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from typing import Annotated, Any

import typer

from esper_audit.cli import completing
from esper_audit.report.formats import Format

_OTHERS = [form.value for form in Format if form is not Format.RICH]
FORMATS = f"rich (the default), {', '.join(_OTHERS[:-1])} or {_OTHERS[-1]}"
_report = partial(typer.Option, rich_help_panel="Report")


class Plain(StrEnum):
    """What goes to stdout, of a command that makes no report."""

    RICH = "rich"
    JSON = "json"


Paths = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="PATH",
        help="Scenario files or folders. Without any: `paths` of [tool.esper-audit].",
        show_default=False,
    ),
]
PlainOption = Annotated[
    Plain, typer.Option("--format", metavar="FORMAT", help="Print rich (the default) or json.")
]
OutputOption = Annotated[
    list[str] | None,
    _report(
        "--output",
        "-o",
        metavar="[FORMAT=]FILE",
        help="Also write the report to FILE. Without FORMAT=, the suffix decides: .json, .md,"
        " .html, .trace.json (chrome-trace), .xml (junit), .sarif or .txt (plain). May be"
        " repeated.",
    ),
]
QuietOption = Annotated[bool, _report("-q", "--quiet", help="Print only the answer.")]
VerboseOption = Annotated[
    bool, _report("-v", "--verbose", help="Print every audit, with the evidence of each step.")
]


def save_option(what: str, readers: str = "show, compare and gate") -> Any:
    """``--save``: JSON always, for what reads saved files."""
    return _report("--save", metavar="FILE", help=f"Save {what} to FILE as JSON, for {readers}.")


def fail_on_option(
    default: str,
    kinds: str = "recompile, eager, limit and every diagnosis",
    bounds: str = "Bounds always count.",
) -> Any:
    """``--fail-on``: one meaning everywhere, over the default of each command."""
    return typer.Option(
        "--fail-on",
        metavar="KIND[,KIND]",
        autocompletion=completing.kinds,
        rich_help_panel="What fails",
        help=f"Fail on these kinds instead of the default, which is {default}. Kinds are"
        f" {kinds}. {bounds}",
    )


@dataclass(frozen=True, kw_only=True)
class Words:
    """What is said, in which format, and where else it goes."""

    format: Annotated[
        Format, _report("--format", metavar="FORMAT", help=f"Print the report as {FORMATS}.")
    ] = Format.RICH
    output: OutputOption = None
    quiet: QuietOption = False
    verbose: VerboseOption = False

    @property
    def verbosity(self) -> int:
        return self.verbose - self.quiet
