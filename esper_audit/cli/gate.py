"""``esper-audit gate``."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from esper_audit.cli.command import command
from esper_audit.cli.options import Words, fail_on_option, save_option
from esper_audit.cli.replaying import Replaying, say_if_torch_fails

if TYPE_CHECKING:
    from esper_audit.auditing import Progress
    from esper_audit.data.changes import GateReport
    from esper_audit.data.config import Config
    from esper_audit.gating import Audits, Baseline
    from esper_audit.replay.pool import Pool

_baseline = partial(typer.Option, rich_help_panel="Baseline")


@dataclass(frozen=True, kw_only=True)
class Gating:
    """What is compared with, and what is done with a difference."""

    baseline: Annotated[
        Path | None,
        _baseline(
            metavar="FILE",
            help="Compare with this file instead of `baseline` of [tool.esper-audit].",
        ),
    ] = None
    update_baseline: Annotated[
        bool, _baseline("--update-baseline", help="Accept the state that is found.")
    ] = False
    yes: Annotated[bool, _baseline("--yes", "-y", help="Update without asking on a terminal.")] = (
        False
    )
    reason: Annotated[
        str, _baseline(metavar="TEXT", help="Keep this text with the new entries as their reason.")
    ] = ""
    repeat: Annotated[
        int,
        typer.Option(
            min=1,
            metavar="N",
            rich_help_panel="How scenarios are replayed",
            help="Replay each scenario N times, and fail where counts differ. The default is 1.",
        ),
    ] = 1
    fail_on: Annotated[
        str | None,
        fail_on_option(
            "every change",
            "recompile, eager, limit, every diagnosis and every kind of change",
            "Bounds decide the verdict that is compared.",
        ),
    ] = None
    allow_improvement: Annotated[
        bool,
        typer.Option(
            "--allow-improvement",
            rich_help_panel="What fails",
            help="Pass what is better than accepted.",
        ),
    ] = False
    save: Annotated[Path | None, save_option("the audit")] = None


def gate(
    *,
    paths: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="PATH",
            help="Scenario files or folders; or .json files, or folders of them, that run and"
            " exec saved.",
            show_default=False,
        ),
    ] = None,
    gating: Gating,
    replaying: Replaying,
    words: Words,
) -> None:
    """Replay scenarios, or load saved audits, and compare them with the committed baseline."""
    from esper_audit.cli.last import shelf_here
    from esper_audit.cli.output import finish, write_files
    from esper_audit.cli.places import check_places, with_recordings
    from esper_audit.data.baseline_file import load_baseline
    from esper_audit.data.config import config_for
    from esper_audit.data.storage import check_writable
    from esper_audit.data.text import encodable
    from esper_audit.data.written import Written
    from esper_audit.diagnosis import Door, parse_kinds
    from esper_audit.gating import Baseline, accepting, failing_kinds, load_audit, saved_among
    from esper_audit.gating import gate as hold
    from esper_audit.report.formats import check_drawable, parse_outputs, saved

    started = time.monotonic()
    scenarios = tuple(paths or ())
    recorded = saved_among(scenarios, gating.repeat)
    config = config_for(() if recorded else scenarios)
    path = gating.baseline or Path(config.baseline)
    outputs, kept = parse_outputs(words.output or ()), saved(gating.save)
    check_drawable(None, (words.format, *(output.format for output in outputs)))
    fail_on = failing_kinds(parse_kinds(gating.fail_on, Door.GATE), gating.allow_improvement)
    baseline = Baseline(path, load_baseline(path))
    check_places([*outputs, *kept], [path, *with_recordings(recorded), *map(Path, scenarios)])
    if gating.update_baseline:
        check_writable(path)
    if recorded:
        replaying.refuse("saved audits are what they are")
        audits: Audits = [load_audit(path) for path in recorded]
    else:
        audits = _replayed(scenarios, gating, replaying, config, baseline)
    written = Written()
    write_files(audits[0], kept, words.verbosity, written)  # first of all: an audit takes long
    gated = hold(audits, baseline, fail_on, config.root)
    accept = accepting(sys.argv[2:], gated.report.results)
    seconds = time.monotonic() - started
    gated = replace(gated, report=replace(gated.report, accept=accept, wall_seconds=seconds))
    report = gated.report
    if gating.update_baseline:
        is_wanted = partial(_is_wanted, gating, words)
        update = partial(gated.update, encodable(gating.reason), is_wanted)
        report = written.attempt("", update) or gated.report  # not updated, it says so
    finish(report, words, outputs, written, shelf=shelf_here())


def _replayed(
    paths: tuple[str, ...],
    gating: Gating,
    replaying: Replaying,
    config: Config,
    baseline: Baseline,
) -> Audits:
    from esper_audit.gating import replayed

    request = replaying.request(paths, config, command="gate")
    reports = replayed(request, partial(_opened, replaying), gating.repeat, baseline)
    say_if_torch_fails(reports, request.options.backends)
    return reports


@contextmanager
def _opened(replaying: Replaying) -> Iterator[tuple[Pool, Progress]]:
    from esper_audit.cli.output import stderr
    from esper_audit.cli.progress import LiveProgress

    with replaying.pool() as pool, LiveProgress(stderr()) as progress:
        yield pool, progress


def _is_wanted(gating: Gating, words: Words, report: GateReport) -> bool:
    """On a terminal, show what would be accepted, and ask."""
    streams = (sys.stdin, sys.stderr)
    if gating.yes or not all(stream is not None and stream.isatty() for stream in streams):
        return True
    from esper_audit.cli.output import stderr
    from esper_audit.data.clean import clean
    from esper_audit.report.formats import print_document

    print_document(replace(report, accept=""), stderr(), words.verbosity)
    question = f"\nAccept this into {clean(report.baseline)}? [y/N] "
    print(question, end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")


COMMAND = command(gate, Gating, Replaying, Words)
