"""``esper-audit gate`` and ``esper-audit compare``."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from esper_audit.auditing import run_audit
from esper_audit.cli.options import Gating, Replaying, Words
from esper_audit.cli.output import (
    check_places,
    leave,
    stderr,
    write_files,
    write_report,
)
from esper_audit.cli.progress import LiveProgress
from esper_audit.cli.run import chosen_paths, opened_pool, request_of
from esper_audit.cli.show import load_report
from esper_audit.data.audits import ProgramReport, Report
from esper_audit.data.baseline_file import dumps_baseline, load_baseline
from esper_audit.data.changes import ChangeKind, ComparedAudit, ComparisonReport, Entry, GateReport
from esper_audit.data.config import Config, load_config
from esper_audit.data.storage import check_writable, write_atomically
from esper_audit.data.verdicts import AuditVerdict
from esper_audit.diagnosis import CHANGES, Door, parse_kinds
from esper_audit.diagnosis.ranks import missing_ranks
from esper_audit.errors import UsageError
from esper_audit.gate import (
    NOT_ACCEPTED,
    Declared,
    Side,
    align,
    compare,
    differs,
    hold_against,
    measure,
    updated,
    verdict_of,
)
from esper_audit.recording.journal import SUFFIX
from esper_audit.report.answer import done_of
from esper_audit.report.formats import Format, Output, parse_outputs, print_document
from esper_audit.report.words.commands import printable, shell, without

_SAY_NOTHING = (AuditVerdict.ERROR, AuditVerdict.SKIPPED)
_DROPPED = ("--output", "-o", "--format", "--save", "--fail-on", "--reason")
_DROPPED_FLAGS = (
    *("--allow-improvement", "--update-baseline", "--yes", "-y"),
    *("-q", "--quiet", "-v", "--verbose"),
)


def gate_command(paths: Sequence[str], gating: Gating, replaying: Replaying, words: Words) -> None:
    """Audit or load, compare, update where asked, report, and leave with the exit code."""
    started = time.monotonic()
    config = load_config(Path.cwd())
    path = gating.baseline or Path(config.baseline)
    outputs = parse_outputs(words.output or ())
    fail_on = _fail_on(gating)
    baseline = load_baseline(path)
    check_places([*outputs, *_saved(gating)], [path, *map(Path, paths)])
    if gating.update_baseline:
        check_writable(path)
    reports = _audits(paths, gating, replaying, config, baseline)
    if gating.save is not None:  # first of all: an audit takes long
        write_files(reports[0], _saved(gating), words.verbosity)
    measured = measure(reports)
    results = hold_against(measured, baseline, fail_on, _declared(reports))
    report = GateReport(
        root=reports[0].root or config.root,
        baseline=printable(str(path.absolute())),
        verdict=verdict_of(results, doubt := _doubt(reports)),
        results=results,
        known=tuple(dict.fromkeys(entry.subject.environment for entry in baseline)),
        accept=_accepting(sys.argv[1:], results),
        runs=len(reports),
        doubt=doubt,
        wall_seconds=time.monotonic() - started,
    )
    if gating.update_baseline and not doubt:
        entries = updated(baseline, measured, results, printable(gating.reason))
        after = hold_against(measured, entries, fail_on, _declared(reports))
        report = _update(report, baseline, entries, after, gating, words)
    try:
        write_report(report, words.format, words.verbosity, outputs)
    finally:
        write_files(report, outputs, words.verbosity)
    leave(report)


def _update(
    report: GateReport,
    baseline: Sequence[Entry],
    entries: Sequence[Entry],
    after: tuple[ComparedAudit, ...],
    gating: Gating,
    words: Words,
) -> GateReport:
    """Write the new baseline; on a terminal, show first what is accepted, and ask.

    ``after`` are the results against the new entries: what was not accepted is still there.
    """
    if tuple(entries) != tuple(baseline):
        if not _is_wanted(report, gating, words):
            return report
        write_atomically(gating.baseline or Path(report.baseline), dumps_baseline(entries))
    verdict = verdict_of(after)
    if verdict is AuditVerdict.PASSED:
        return replace(report, updated=True, verdict=verdict)
    return replace(report, results=after, verdict=verdict)


def _is_wanted(report: GateReport, gating: Gating, words: Words) -> bool:
    streams = (sys.stdin, sys.stderr)
    if gating.yes or not all(each is not None and each.isatty() for each in streams):
        return True
    print_document(replace(report, accept=""), stderr(), words.verbosity)
    print(f"\nAccept this into {report.baseline}? [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def _saved(gating: Gating) -> list[Output]:
    return [Output(Format.JSON, gating.save)] if gating.save is not None else []


def _fail_on(gating: Gating) -> tuple[str, ...]:
    """What fails; raises UsageError for a word of ``--fail-on`` that is none."""
    kinds = parse_kinds(gating.fail_on, Door.GATE)
    allowed = (ChangeKind.IMPROVED,) if gating.allow_improvement else ()
    return tuple(kind for kind in kinds or CHANGES if kind not in allowed)


def _declared(reports: Sequence[Report | ProgramReport]) -> Declared | None:
    """The scenarios that there are; None where not all of them are known."""
    found: dict[str, dict[str, tuple[str, ...]]] = {}
    for each in reports:
        if not isinstance(each, Report) or each.declared is None:
            return None
        found |= each.declared
    return found


def _audits(
    paths: Sequence[str],
    gating: Gating,
    replaying: Replaying,
    config: Config,
    baseline: Sequence[Entry],
) -> list[Report | ProgramReport]:
    saved = [path for path in paths if path.endswith((".json", ".partial")) or _is_folder(path)]
    if saved and len(saved) < len(paths):
        raise UsageError(
            "gate takes scenarios or saved audits, not both at once.",
            "Run it twice, or save an audit of the scenarios with `esper-audit run --output FILE`.",
        )
    if saved:
        if gating.repeat > 1:
            raise UsageError(
                "--repeat replays scenarios; saved audits are what they are.",
                "Give several audits of the same scenarios instead: they are compared.",
            )
        return [_loaded(Path(path)) for path in saved]
    request = request_of(chosen_paths(paths, config), replaying, config)
    # Of what is as accepted, nobody will ask who wrote it: the second replay is spared.
    request = replace(request, is_known=lambda audit: not differs(audit, baseline))
    reports: list[Report | ProgramReport] = []
    with opened_pool(replaying) as pool, LiveProgress(stderr()) as progress:
        for number in range(gating.repeat):
            once = replace(request, provenance=request.provenance and number == 0)
            report = run_audit(once, pool, progress)
            reports.append(report)
            if report.interrupted:
                break
    return reports


def _is_folder(path: str) -> bool:
    """A folder of recordings, one for each rank; one of scenarios holds Python files."""
    if not os.path.isdir(path):  # noqa: PTH112  # Path.is_dir raises where a name is too long
        return False
    folder = Path(path)
    saved = any(folder.glob("*.json")) or any(folder.glob(f"*.json{SUFFIX}"))
    return saved and not any(folder.rglob("*.py"))


def _loaded(path: Path) -> Report | ProgramReport:
    document = load_report(path)
    if not isinstance(document, Report | ProgramReport):
        raise UsageError(
            f"{path} holds no audit.", "Give what `run --output` or `exec --save` saved."
        )
    return document


def _doubt(reports: Sequence[Report | ProgramReport]) -> str:
    """Why the audit as a whole proves nothing, whatever its parts say."""
    for each in reports:
        if isinstance(each, ProgramReport):
            missing = missing_ranks(each.audits)
            if missing:
                return f"rank {', '.join(map(str, missing))} left no recording"
        elif each.interrupted:
            return f"it was interrupted: {done_of(each)}"
        elif each.control_missed:
            return "no negative control was caught, so the audit can't be trusted"
    return ""


def _accepting(arguments: Sequence[str], results: Sequence[ComparedAudit]) -> str:
    """The command line that accepts the state: this one, without what only reports.

    Empty where nothing that fails can be accepted.
    """
    if all(each.kind in NOT_ACCEPTED for each in results if each.fails):
        return ""
    kept = without(arguments[1:], _DROPPED, _DROPPED_FLAGS)
    return shell(("esper-audit", "gate", "--update-baseline", *kept))


def compare_command(first: Path, second: Path, words: Words) -> None:
    """Print two saved audits side by side; ends with 1 where they differ."""
    outputs = parse_outputs(words.output or ())
    check_places(outputs, [first, second])
    reports = [_loaded(path) for path in (first, second)]
    paths = (first, second) if first.name == second.name else (Path(first.name), Path(second.name))
    sides = [Side(str(p), measure([each])) for p, each in zip(paths, reports, strict=True)]
    before, after = align(*sides)
    report = ComparisonReport(
        root=reports[1].root or str(Path.cwd()),
        first=printable(before.name),
        second=printable(after.name),
        results=compare(before.audits, after.audits),
        doubt=_comparison_doubt(sides, reports),
    )
    try:
        write_report(report, words.format, words.verbosity, outputs)
    finally:
        write_files(report, outputs, words.verbosity)
    leave(report)


def _comparison_doubt(sides: Sequence[Side], reports: Sequence[Report | ProgramReport]) -> str:
    for side, report in zip(sides, reports, strict=True):
        why = _doubt([report])
        if not why and all(each.verdict in _SAY_NOTHING for each in side.audits):
            why = "nothing in it was judged"
        if why:
            return printable(f"{side.name}: {why}")
    return ""
