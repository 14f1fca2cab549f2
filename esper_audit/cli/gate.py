"""``esper-audit gate`` and ``esper-audit compare``."""

from __future__ import annotations

import shlex
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from esper_audit.auditing import run_audit
from esper_audit.baseline_file import dumps_baseline, load_baseline
from esper_audit.changes import ChangeKind, ComparisonReport, Entry, GateReport
from esper_audit.cli.options import Gating, Replaying, Words
from esper_audit.cli.output import check_places, leave, stderr, write_files, write_report
from esper_audit.cli.progress import LiveProgress
from esper_audit.cli.run import chosen_paths, opened_pool, request_of
from esper_audit.cli.show import load_report
from esper_audit.config import Config, load_config
from esper_audit.errors import UsageError
from esper_audit.findings import AuditVerdict, ProgramReport, Report
from esper_audit.gate import (
    FAIL_ON,
    NOT_ACCEPTED,
    Side,
    align,
    compare,
    differs,
    hold_against,
    measure,
    updated,
    verdict_of,
)
from esper_audit.report.formats import Format, Output, parse_outputs
from esper_audit.report.gate import print_gate
from esper_audit.storage import check_writable, write_atomically

_DROPPED = ("--output", "-o", "--format", "--save", "--fail-on", "--repeat", "--reason")
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
    check_places([*outputs, *_saved(gating)])
    if gating.update_baseline:
        check_writable(path)
    reports = _audits(paths, gating, replaying, config, baseline)
    if gating.save is not None:  # first of all: an audit takes long
        write_files(reports[0], _saved(gating), words.verbosity)
    measured = measure(reports)
    whole = all(isinstance(each, Report) and each.whole for each in reports)
    results = hold_against(measured, baseline, fail_on, whole)
    report = GateReport(
        root=config.root,
        baseline=str(path),
        verdict=verdict_of(results, doubt := _doubt(reports)),
        results=results,
        known=tuple(dict.fromkeys(entry.subject.environment for entry in baseline)),
        accept=_accepting(sys.argv[1:]),
        runs=len(reports),
        doubt=doubt,
        wall_seconds=time.monotonic() - started,
    )
    if gating.update_baseline and not doubt:
        entries = updated(baseline, measured, results, gating.reason)
        report = _update(report, entries, gating, words)
    try:
        write_report(report, words.format, words.verbosity)
    finally:
        write_files(report, outputs, words.verbosity)
    leave(report)


def _update(
    report: GateReport, entries: Sequence[Entry], gating: Gating, words: Words
) -> GateReport:
    """Write the new baseline; on a terminal, show first what is accepted, and ask."""
    path = Path(report.baseline)
    data = dumps_baseline(entries)
    if data != (path.read_bytes() if path.exists() else b""):
        if not _is_wanted(report, gating, words):
            return report
        write_atomically(path, data)
    refused = tuple(each for each in report.results if each.kind in NOT_ACCEPTED)
    if refused:
        return replace(report, results=refused, verdict=verdict_of(refused))
    return replace(report, updated=True, verdict=AuditVerdict.PASSED)


def _is_wanted(report: GateReport, gating: Gating, words: Words) -> bool:
    if gating.yes or not (sys.stdin.isatty() and sys.stderr.isatty()):
        return True
    print_gate(replace(report, accept=""), stderr(), words.verbosity)
    print(f"\nAccept this into {report.baseline}? [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def _saved(gating: Gating) -> list[Output]:
    return [Output(Format.JSON, gating.save)] if gating.save is not None else []


def _fail_on(gating: Gating) -> tuple[str, ...]:
    """The words of ``--fail-on``; raises UsageError for one that is none."""
    words = tuple(dict.fromkeys(each.strip() for each in gating.fail_on.split(",") if each.strip()))
    for word in words:
        if word not in FAIL_ON:
            raise UsageError(f"--fail-on knows no {word}.", f"It takes {', '.join(FAIL_ON)}.")
    better = (ChangeKind.IMPROVED.value, ChangeKind.STALE_ENTRY.value)
    if not gating.allow_improvement:
        return words
    kinds = words or tuple(kind.value for kind in ChangeKind if kind.value in FAIL_ON)
    return tuple(word for word in kinds if word not in better)


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
    folder = Path(path)
    return folder.is_dir() and any(folder.glob("*.json")) and not any(folder.rglob("*.py"))


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
        if isinstance(each, Report) and each.interrupted:
            return "it was interrupted"
        if isinstance(each, Report) and _control_missed(each):
            return "no negative control was caught, so the audit can't be trusted"
    return ""


def _control_missed(report: Report) -> bool:
    judged = {audit.verdict for audit in report.audits}
    only_errors = report.verdict is AuditVerdict.ERROR
    return bool(
        report.control is not None
        and report.control.required
        and only_errors
        and AuditVerdict.ERROR not in judged
        and judged != {AuditVerdict.SKIPPED}
    )


def _accepting(arguments: Sequence[str]) -> str:
    """The command line that accepts the state: this one, without what only reports."""
    kept: list[str] = []
    rest = iter(arguments[1:])
    for each in rest:
        if each in _DROPPED:
            next(rest, None)
        elif each not in _DROPPED_FLAGS and not each.startswith(
            tuple(f"{name}=" for name in _DROPPED)
        ):
            kept.append(each)
    return shlex.join(["esper-audit", "gate", "--update-baseline", *kept])


def compare_command(first: Path, second: Path, words: Words) -> None:
    """Print two saved audits side by side; ends with 1 where they differ."""
    outputs = parse_outputs(words.output or ())
    check_places(outputs)
    sides = align(*(Side(path.name, measure([_loaded(path)])) for path in (first, second)))
    report = ComparisonReport(
        root=str(Path.cwd()),
        first=sides[0].name,
        second=sides[1].name,
        results=compare(sides[0].audits, sides[1].audits),
    )
    try:
        write_report(report, words.format, words.verbosity)
    finally:
        write_files(report, outputs, words.verbosity)
    leave(report)
