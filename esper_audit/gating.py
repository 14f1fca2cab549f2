"""A whole gate: audits replayed or loaded, held against the baseline, accepted where that is asked.

And two saved audits side by side.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path

from esper_audit.auditing import Progress, Request, run_audit
from esper_audit.data.audits import ProgramReport, Report
from esper_audit.data.baseline_file import dumps_baseline, load_baseline
from esper_audit.data.changes import ChangeKind, ComparedAudit, ComparisonReport, Entry, GateReport
from esper_audit.data.files import is_there
from esper_audit.data.jobs import was_run
from esper_audit.data.reasons import Reason, Why
from esper_audit.data.storage import write_atomically
from esper_audit.data.text import encodable
from esper_audit.data.verdicts import AuditVerdict
from esper_audit.diagnosis import CHANGES
from esper_audit.diagnosis.ranks import missing_ranks
from esper_audit.errors import UsageError
from esper_audit.gate import (
    NOT_ACCEPTED,
    Declared,
    Measured,
    Side,
    align,
    compare,
    differs,
    hold_against,
    measure,
    updated,
    verdict_of,
)
from esper_audit.gate.locked import locked
from esper_audit.program.saved import is_saved, load_report
from esper_audit.replay.pool import Pool
from esper_audit.report.words.commands import shell, without

Audits = Sequence[Report | ProgramReport]
Replaying = Callable[[], AbstractContextManager[tuple[Pool, Progress]]]
"""Opens the processes that replay, and who hears of them."""

_NOT_ACCEPTING = ("--output", "-o", "--format", "--save", "--fail-on", "--reason")
_NOT_ACCEPTING_FLAGS = (
    *("--allow-improvement", "--update-baseline", "--yes", "-y"),
    *("-q", "--quiet", "-v", "--verbose"),
)
_SAY_NOTHING = (AuditVerdict.ERROR, AuditVerdict.SKIPPED)


@dataclass(frozen=True)
class Baseline:
    """The accepted entries, and the file that holds them."""

    path: Path
    entries: Sequence[Entry]


@dataclass(frozen=True)
class Gated:
    """Audits held against a baseline: the report, and what it takes to accept them."""

    report: GateReport
    baseline: Baseline
    measured: Sequence[Measured]
    fail_on: tuple[str, ...]
    declared: Declared | None

    def update(self, reason: str, is_wanted: Callable[[GateReport], bool]) -> GateReport:
        """Write the baseline that accepts them, unless they are in doubt or it is not wanted.

        The report is then that of the new baseline: what was not accepted is still in it.
        """
        if self.report.doubt is not None:
            return self.report
        before = self.baseline.entries
        entries = self._accepting(before, reason)
        if tuple(entries) != tuple(before):
            if not is_wanted(self.report):
                return self.report
            self._write(reason)
        after = hold_against(self.measured, entries, self.fail_on, self.declared)
        verdict = verdict_of(after)
        if verdict is AuditVerdict.PASSED:
            return replace(self.report, updated=True, verdict=verdict)
        return replace(self.report, results=after, verdict=verdict)

    def _accepting(self, entries: Sequence[Entry], reason: str) -> tuple[Entry, ...]:
        return updated(entries, self.measured, self.report.results, reason)

    def _write(self, reason: str) -> None:
        """Into the file as it is by now: another update may have come first."""
        with locked(self.baseline.path):
            present = load_baseline(self.baseline.path)
            data = dumps_baseline(self._accepting(present, reason))
            write_atomically(self.baseline.path, data)


def gate(audits: Audits, baseline: Baseline, fail_on: tuple[str, ...], root: str) -> Gated:
    """Hold the audits against the baseline. ``root``: of the project, where they say none."""
    measured, declared = measure(audits), declared_in(audits)
    results = hold_against(measured, baseline.entries, fail_on, declared)
    doubt = doubt_of(audits)
    report = GateReport(
        root=audits[0].root or encodable(root),
        baseline=encodable(str(baseline.path.absolute())),
        verdict=verdict_of(results, doubt),
        results=results,
        has_baseline=is_there(baseline.path),
        known=tuple(dict.fromkeys(entry.subject.environment for entry in baseline.entries)),
        runs=len(audits),
        doubt=doubt,
        left_out=_left_out(audits),
    )
    return Gated(report, baseline, measured, fail_on, declared)


def _left_out(audits: Audits) -> tuple[str, ...]:
    files = (file for audit in audits if isinstance(audit, Report) for file in audit.left_out)
    return tuple(dict.fromkeys(files))


def failing_kinds(chosen: Sequence[str], allow_improvement: bool) -> tuple[str, ...]:
    """What fails a gate: the kinds chosen, else every kind of change."""
    allowed = (ChangeKind.IMPROVED,) if allow_improvement else ()
    return tuple(kind for kind in chosen or CHANGES if kind not in allowed)


def saved_among(paths: Sequence[str], repeat: int) -> list[Path]:
    """The paths, where they are of saved audits; none where they are of scenarios.

    Raises UsageError where both are given, or saved audits are to be repeated.
    """
    saved = [Path(path) for path in paths if is_saved(Path(path))]
    if saved and len(saved) < len(paths):
        raise UsageError(
            "gate takes scenarios or saved audits, not both at once.",
            "Run it twice, or save an audit of the scenarios with `esper-audit run --save FILE`.",
        )
    if saved and repeat > 1:
        raise UsageError(
            "--repeat replays scenarios; saved audits are what they are.",
            "Give several audits of the same scenarios instead: they are compared.",
        )
    return saved


def replayed(
    request: Request, replaying: Replaying, repeat: int, baseline: Baseline
) -> list[Report | ProgramReport]:
    """The audits of several runs; of what is as accepted, nobody asks who wrote its state."""
    request = replace(request, is_known=lambda audit: not differs(audit, baseline.entries))
    reports: list[Report | ProgramReport] = []
    with replaying() as (pool, progress):
        for number in range(repeat):
            once = replace(request, provenance=request.provenance and number == 0)
            report = run_audit(once, pool, progress)
            reports.append(report)
            if report.interrupted:
                break
    return reports


def load_audit(path: Path) -> Report | ProgramReport:
    """What was saved, where it is an audit; raises UsageError where it is none."""
    document = load_report(path)
    if not isinstance(document, Report | ProgramReport):
        raise UsageError(
            f"{path} holds no audit.", "Give what `run --save` or `exec --save` saved."
        )
    return document


def declared_in(audits: Audits) -> Declared | None:
    """The scenarios that there are; None where not all of them are known."""
    found: dict[str, dict[str, tuple[str, ...]]] = {}
    for audit in audits:
        if not isinstance(audit, Report) or audit.declared is None:
            return None
        found |= audit.declared
    return found


def doubt_of(audits: Audits) -> Reason | None:
    """Why the audit as a whole proves nothing, whatever its parts say."""
    for audit in audits:
        if isinstance(audit, ProgramReport):
            missing = () if is_logged(audit) else missing_ranks(audit)
            if missing:
                return Reason(why=Why.RANKS_MISSING, names=missing)
        elif audit.interrupted:
            done = sum(map(was_run, audit.audits))
            return Reason(why=Why.RUN_INTERRUPTED, count=done, total=len(audit.audits))
        elif audit.control_missed:
            return Reason(why=Why.NO_CONTROL_CAUGHT)
    return None


def compare_saved(first: Path, second: Path) -> ComparisonReport:
    """Two saved audits side by side."""
    audits = [load_audit(path) for path in (first, second)]
    alike = first.name == second.name
    names = [str(path) if alike else path.name for path in (first, second)]
    called = _one_name(audits)
    sides = [
        Side(name, measure([audit], logs_prove=True, called=called))
        for name, audit in zip(names, audits, strict=True)
    ]
    before, after = align(*sides)
    return ComparisonReport(
        root=audits[1].root or encodable(str(Path.cwd())),
        first=encodable(before.name),
        second=encodable(after.name),
        results=compare(before.audits, after.audits),
        doubt=_doubt_of_sides(sides, audits),
        notes=tuple(
            Reason(why=Why.SIDE_LOGGED, text=encodable(side.name))
            for side, audit in zip(sides, audits, strict=True)
            if is_logged(audit)
        ),
    )


def is_logged(audit: Report | ProgramReport) -> bool:
    """Whether it is made of trace logs."""
    if isinstance(audit, Report):
        return False
    return any(one.recording.trace_log is not None for one in audit.audits)


def _one_name(audits: Audits) -> str:
    """What to call the program of both sides, where a trace log knows but a script of it.

    Empty where they can be told apart by their own names, or have several.
    """
    if not any(map(is_logged, audits)):
        return ""
    named = [_names_of(audit) for audit in audits]
    if named[0] == named[1] or any(len(names) != 1 for names in named):
        return ""
    return min(min(named[0]), min(named[1]), key=len)


def _names_of(audit: Report | ProgramReport) -> set[str]:
    if isinstance(audit, Report):
        return set()
    programs = [one.recording.program for one in audit.audits]
    return {program.name or " ".join(program.argv) for program in programs if program is not None}


def _doubt_of_sides(sides: Sequence[Side], audits: Audits) -> Reason | None:
    for side, audit in zip(sides, audits, strict=True):
        cause = doubt_of([audit])
        if cause is None and all(measured.verdict in _SAY_NOTHING for measured in side.audits):
            cause = Reason(why=Why.NOTHING_JUDGED)
        if cause is not None:
            return Reason(why=Why.SIDE_IN_DOUBT, text=encodable(side.name), cause=cause)
    return None


def accepting(arguments: Sequence[str], results: Sequence[ComparedAudit]) -> str:
    """The command line that accepts the state: ``arguments`` of gate, without what only reports.

    Empty where nothing that fails can be accepted.
    """
    if all(result.kind in NOT_ACCEPTED for result in results if result.fails):
        return ""
    kept = without(arguments, _NOT_ACCEPTING, _NOT_ACCEPTING_FLAGS)
    return shell(("esper-audit", "gate", "--update-baseline", *kept))
