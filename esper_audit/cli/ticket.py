"""``esper-audit ticket``: a saved audit as a finding ticket, without torch."""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from esper_audit.cli.command import command
from esper_audit.errors import UsageError

if TYPE_CHECKING:
    from esper_audit.data.audits import Report
    from esper_audit.data.config import Config
    from esper_audit.data.remedies import FixReport
    from esper_audit.data.tickets import Points

_DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)


def ticket(
    *,
    audit: Annotated[
        Path, typer.Argument(metavar="AUDIT", help="An audit that `run --save` has saved.")
    ],
    points: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Answer the claims and reviews of this TOML file. Without it: `points` of"
            " [tool.esper-audit.ticket], or the claims of the scenarios.",
        ),
    ] = None,
    fix: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Recommend what this file of `fix --save` has proven."),
    ] = None,
    id_: Annotated[
        str, typer.Option("--id", metavar="ID", help="Give the ticket this identifier.")
    ] = "",
    date: Annotated[
        str,
        typer.Option(metavar="YYYY-MM-DD", help="Say that the ticket was updated on this day."),
    ] = "",
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="Write the ticket to FILE, and print nothing.",
        ),
    ] = None,
) -> None:
    """Write a finding ticket of a saved audit, with each claim answered.

    It reads the project's source and needs no torch. It ends with exit code 0.
    """
    from esper_audit.cli.places import check_places
    from esper_audit.cli.stdout import write_text
    from esper_audit.data.storage import write_atomically
    from esper_audit.report.formats import Format, Output
    from esper_audit.report.text.ticket import ticket_text
    from esper_audit.report.ticket import ticket_of

    if date and not _is_day(date):
        raise UsageError(f"--date {date!r} is no day.", "Write it as YYYY-MM-DD.")
    report = _audit(audit)
    config = _config(report)
    chosen = points or (Path(config.root, config.ticket.points) if config.ticket.points else None)
    read = [path for path in (audit, chosen, fix) if path is not None]
    outputs = [Output(Format.MARKDOWN, output)] if output is not None else []
    check_places(outputs, read)
    answered = _points(chosen, config, id_)
    root = config.root
    text = ticket_text(ticket_of(report, answered, root, _fixes(fix), date))
    if output is None:
        write_text(text.removesuffix("\n"), "The ticket")
    else:
        write_atomically(output, text.encode())


def _is_day(said: str) -> bool:
    try:
        return bool(_DATE.fullmatch(said) and datetime.fromisoformat(said))
    except ValueError:  # the 45th, or month 13
        return False


def _audit(path: Path) -> Report:
    from esper_audit.data.audits import Report
    from esper_audit.program.saved import load_report

    report = load_report(path)
    if not isinstance(report, Report):
        raise UsageError(
            f"{path} is no audit of scenarios.", "Save one with `esper-audit run --save FILE`."
        )
    return report


def _config(report: Report) -> Config:
    """That of the audit's project where it is on this machine, else of the current folder's."""
    from esper_audit.data.config import load_config
    from esper_audit.data.files import is_folder

    is_here = bool(report.root) and is_folder(Path(report.root))
    return load_config(Path(report.root) if is_here else Path.cwd())


def _points(path: Path | None, config: Config, id_: str) -> Points:
    """The points of the file, with what the command line and the configuration say over it."""
    import msgspec

    from esper_audit.data.tickets import Points, load_points

    points = load_points(path) if path is not None else Points()
    _check_severities(path, points)
    given = msgspec.structs.asdict(config.ticket) | {"id": id_ or points.id or config.ticket.id}
    del given["points"]
    return msgspec.structs.replace(points, **{name: said for name, said in given.items() if said})


def _check_severities(path: Path | None, points: Points) -> None:
    """Raise UsageError for a point about a severity that can't be measured: it can't be decided."""
    from esper_audit.data.clean import clean
    from esper_audit.diagnosis.severity import Severity

    known = [one.value for one in Severity if one is not Severity.UNKNOWN]
    reviewed = (point for review in points.reviews for point in review.points)
    for point in (*points.claims, *points.boxes, *reviewed):
        if point.severity and point.severity not in known:
            raise UsageError(
                f"{path}: the point {clean(point.said)!r} names an unknown severity,"
                f" {clean(point.severity)!r}.",
                f"Give one of {', '.join(known)}.",
            )


def _fixes(path: Path | None) -> FixReport | None:
    from esper_audit.data.remedies import FixReport
    from esper_audit.data.storage import load

    return load(path, FixReport) if path is not None else None


COMMAND = command(ticket)
