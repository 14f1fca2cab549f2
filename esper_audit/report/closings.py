"""How reports end: the verdict again, where it is seen without scrolling, and what to run next."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from esper_audit.data.audits import ProgramAudit, ProgramReport, Report
from esper_audit.data.findings import Finding
from esper_audit.data.jobs import was_run
from esper_audit.data.recording import Program
from esper_audit.data.verdicts import AuditVerdict
from esper_audit.diagnosis import is_control
from esper_audit.diagnosis.advice import is_tried
from esper_audit.report.answer import done_of
from esper_audit.report.blocks import is_not_recorded
from esper_audit.report.sections import Closing, Line, Next, line
from esper_audit.report.words.commands import (
    Typed,
    explained,
    fix_for,
    no_option,
    shell,
)
from esper_audit.report.words.marks import answer_style
from esper_audit.report.words.numbers import several
from esper_audit.report.words.paths import reachable
from esper_audit.report.words.reasons import all_in_words

TRY = "To try remedies against the causes, and prove one:"

_FIRST_SIGNAL = 128
"""Exit codes from here on are those of signals, in a shell."""

_FURTHER = 8
"""How far above the present number of cache entries a further run sets the limit."""

_RESULTS = {
    AuditVerdict.FAILED: "failed",
    AuditVerdict.ERROR: "not judged",
    AuditVerdict.SKIPPED: "skipped",
    AuditVerdict.PASSED: "passed",
}


def about(findings: Iterable[Finding]) -> Line | None:
    """Where to read about the diagnoses of a report, by the first of its findings."""
    first = next(iter(findings), None)
    return line(f"About a diagnosis: {explained(first.id)}") if first is not None else None


def run_closing(
    report: Report, findings: Iterable[Finding], verbosity: int, typed: Typed
) -> Closing:
    """Of a run that shows ``findings``: how many audits failed, and the command that says why."""
    found = tuple(findings)
    lead, command = _after_run(report, verbosity, typed)
    verdict = line(_run_verdict(report), style=answer_style(report.verdict))
    then = _trying(report, found, typed)
    return Closing(line(_run_facts(report)), about(found), verdict, lead, command, then)


def _trying(report: Report, findings: Iterable[Finding], typed: Typed) -> Next | None:
    """The command that tries remedies on what failed; None where it has none to try."""
    if report.interrupted or not any(is_tried(finding.id) for finding in findings):
        return None
    return Next(TRY, typed.fixing or _fix_of(report))


def _fix_of(report: Report) -> str:
    failed = [
        audit
        for audit in report.audits
        if audit.verdict is AuditVerdict.FAILED and not is_control(audit, report.control)
    ]
    files = [reachable(audit.file, report.root) for audit in failed if audit.file]
    return fix_for(files, [(audit.scenario, audit.parameters) for audit in failed])


def _after_run(report: Report, verbosity: int, typed: Typed) -> tuple[str, str]:
    if report.interrupted:
        is_run = typed.words[:1] == ("run",)
        return "Run it again:", typed.again if is_run else ""
    if report.verdict is AuditVerdict.PASSED or verbosity > 0:
        return "", ""
    if report.verdict is AuditVerdict.FAILED:
        return "Next, for all causes and the evidence of each step:", typed.in_detail
    return "Next, for the logs of what was not judged:", typed.in_detail


def _run_verdict(report: Report) -> str:
    """``Failed: 12 audits failed, 42 passed (beside 18 negative controls).``"""
    if report.interrupted:
        return f"Interrupted: {done_of(report)}."
    if report.control_missed:
        return "Not completed: no negative control was caught, so nothing is proven."
    subjects = [audit for audit in report.audits if not is_control(audit, report.control)]
    found = Counter(audit.verdict for audit in subjects or report.audits)
    words = [(found[verdict], said) for verdict, said in _RESULTS.items() if found[verdict]]
    counts = [f"{number:,} {said}" for number, said in words[1:]]
    first = [f"{several(number, 'audit')} {said}" for number, said in words[:1]]
    verdicts = {AuditVerdict.PASSED: "Passed", AuditVerdict.FAILED: "Failed"}
    said = ", ".join([*first, *counts]) or "nothing was replayed"
    controls = len(report.audits) - len(subjects) if subjects else 0
    beside = f" (beside {several(controls, 'negative control')})" if controls else ""
    return f"{verdicts.get(report.verdict, 'Not completed')}: {said}{beside}."


def _run_facts(report: Report) -> str:
    environment = report.environment
    compiles = [made for audit in report.audits for made in audit.recording.compiles]
    limits = sum(made.count for made in compiles if made.limit_hit)
    return (
        f"{several(sum(map(was_run, report.audits)), 'audit')} in {report.wall_seconds:.0f} s;"
        f" {sum(made.seconds.total for made in compiles):.0f} s of compiling,"
        f" {several(limits, 'limit')} hit;"
        f" torch {environment.torch}, Python {environment.python}, {environment.device}"
    )


def program_closing(report: ProgramReport, facts: Line) -> Closing:
    """Of a program: what failed it, and the run that finds who wrote the state."""
    judged = [audit for audit in report.audits if audit.verdict in _VERDICTS]
    verdict = None
    if judged:
        worst = next((audit for audit in judged if audit.verdict is AuditVerdict.FAILED), judged[0])
        said = f"{_VERDICTS[worst.verdict]}: {all_in_words(worst.reasons)}."
        verdict = line(said, style=answer_style(worst.verdict))
    found = (*report.differences, *(f for audit in report.audits for f in audit.findings))
    first = report.audits[0]
    then = _trying_program(first, found, report.root)
    return Closing(facts, about(found), verdict, *_after_program(first, report.root), then)


def _trying_program(audit: ProgramAudit, found: Iterable[Finding], root: str) -> Next | None:
    """The command that tries remedies on a program; None where it has none, or can't run again."""
    program = audit.recording.program
    if program is None or program.rank is not None or not _can_be_repeated(audit, program):
        return None
    is_worth = any(is_tried(finding.id) and not _is_torchs(finding) for finding in found)
    return Next(TRY, _again(program, ("fix", "--exec"), root)) if is_worth else None


def _is_torchs(finding: Finding) -> bool:
    """Whether torch's own code broke the graph: nothing is to be changed."""
    return finding.breaks is not None and finding.breaks.own


_VERDICTS: dict[AuditVerdict | None, str] = {
    AuditVerdict.FAILED: "Failed",
    AuditVerdict.ERROR: "Not judged",
}


def _after_program(audit: ProgramAudit, root: str) -> tuple[str, str]:
    """What a further run would show, and its command; empty if it would not help or not work."""
    program = audit.recording.program
    if program is None or program.rank is not None or not _can_be_repeated(audit, program):
        return "", ""
    lines = any(map(is_not_recorded, audit.findings))
    limit = _higher_limit(audit)
    if not lines and not limit:
        return "", ""
    watch = ("--provenance",) if lines or audit.recording.watched else ()
    options = ("exec", *watch, *(limit or _same_limit(program)))
    found = ["the lines that wrote the guarded state"] if lines else []
    found += ["the causes that the limit hides"] if limit else []
    return f"Next, to find {' and '.join(found)}:", _again(program, options, root)


def _higher_limit(audit: ProgramAudit) -> tuple[str, ...]:
    """The option that lets compile what a limit kept from it; none where no limit was hit."""
    at = [attempt.cache_entries_before for attempt in audit.recording.compiles if attempt.limit_hit]
    return ("--recompile-limit", str(_FURTHER * max(at))) if at else ()


def _same_limit(program: Program) -> tuple[str, ...]:
    limit = program.recompile_limit
    return ("--recompile-limit", str(limit)) if limit is not None else ()


def _again(program: Program, words: tuple[str, ...], root: str) -> str:
    """The program run again by a command of ours, with its options."""
    script, *rest = program.argv
    named = script if script == "-m" else no_option(script)
    command = shell(("esper-audit", *words, named, *rest))
    is_elsewhere = program.folder not in ("", root)
    return f"{shell(('cd', program.folder))} && {command}" if is_elsewhere else command


def _can_be_repeated(audit: ProgramAudit, program: Program) -> bool:
    """Not what a signal ended, nor what came from a pipe or the keyboard: that is read once."""
    if audit.recording.trace_log is not None:
        return False  # a log tells neither arguments nor folder
    is_whole = audit.recording.complete and (program.exit_code or 0) < _FIRST_SIGNAL
    source = program.argv[0] if program.argv else "-"
    return is_whole and source != "-" and not source.startswith(("/dev/", "/proc/"))
