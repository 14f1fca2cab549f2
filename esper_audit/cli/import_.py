"""``esper-audit import``: trace logs of others, answered like a recording."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from esper_audit.cli.command import command
from esper_audit.cli.options import Words, fail_on_option, save_option

if TYPE_CHECKING:
    from esper_audit.data.audits import ProgramReport
    from esper_audit.data.expectations import ProgramBudget
    from esper_audit.traces.places import Places

_bound = partial(typer.Option, min=0, metavar="N", rich_help_panel="What fails")
_reading = partial(typer.Option, rich_help_panel="How logs are read")


@dataclass(frozen=True, kw_only=True)
class Allowed:
    """What fails an import. No bound passes: a log does not say what ran."""

    max_recompiles: Annotated[
        int | None, _bound(help="Fail above N recompiles of any process.")
    ] = None
    fail_on: Annotated[str | None, fail_on_option("nothing")] = None

    @property
    def budget(self) -> ProgramBudget:
        from esper_audit.data.expectations import ProgramBudget
        from esper_audit.diagnosis import Door, parse_kinds

        return ProgramBudget(
            recompiles=self.max_recompiles, fail_on=parse_kinds(self.fail_on, Door.IMPORT)
        )


@dataclass(frozen=True, kw_only=True)
class Reading:
    """How the logs are read, and what the program is called."""

    jobs: Annotated[
        int,
        _reading(
            "-j",
            "--jobs",
            min=0,
            metavar="N",
            help="Read N logs side by side. The default, 0, is one for each core.",
        ),
    ] = 0
    on: Annotated[
        str,
        _reading(
            metavar="ADDRESS",
            help="Read the logs on the Dask cluster whose scheduler has this address. Its workers"
            " must see the same files.",
        ),
    ] = ""
    tlparse: Annotated[
        list[str] | None,
        _reading(
            metavar="DIR",
            help="Link to the pages that tlparse has written to DIR; tl_out beside a log is found"
            " without. May be repeated.",
        ),
    ] = None
    label: Annotated[
        str,
        _reading(
            "--as",
            metavar="NAME",
            help="Name the program NAME, not by its script: compare matches by it.",
        ),
    ] = ""


def import_(
    *,
    paths: Annotated[
        list[str],
        typer.Argument(
            metavar="PATH",
            help="Trace logs, folders of them, or URLs; also packed (.gz, .zst).",
            show_default=False,
        ),
    ],
    allowed: Allowed,
    reading: Reading,
    save: Annotated[Path | None, save_option("what was read", "show and compare")] = None,
    words: Words,
) -> None:
    """Read trace logs that torch wrote (TORCH_TRACE), and report as of a recording.

    It needs no torch. A log proves recompiles, limits, failures and graph breaks; it never proves
    reuse, so a budget that nothing exceeds ends with exit code 3.
    """
    from esper_audit.cli.last import shelf_here
    from esper_audit.cli.output import finish
    from esper_audit.cli.places import check_places
    from esper_audit.data.storage import save as save_file
    from esper_audit.data.written import Written
    from esper_audit.program.imported import whole
    from esper_audit.report.formats import parse_outputs, saved
    from esper_audit.traces.places import find_logs

    outputs = parse_outputs(words.output or ())
    places = find_logs(paths)
    check_places([*outputs, *saved(save)], list(map(Path, (*places.logs, *places.same))))
    report = _read(paths[0], places, allowed.budget, reading)
    written = Written()
    if save is not None:
        written.attempt(str(save), partial(save_file, whole(report), save))
    finish(report, words, outputs, written, shelf=shelf_here())


def _read(given: str, places: Places, budget: ProgramBudget, reading: Reading) -> ProgramReport:
    from esper_audit.data.text import encodable
    from esper_audit.program.imported import Import, imported
    from esper_audit.traces.workers import mapped

    asked = Import(
        root=encodable(str(Path.cwd())),
        place=encodable(given),
        budget=budget,
        name=encodable(reading.label),
        pages=reading.tlparse or (),
    )
    return imported(places, asked, mapped(reading.jobs, reading.on, places.size))


COMMAND = command(import_, Allowed, Reading, Words, name="import")
