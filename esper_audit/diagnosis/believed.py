"""What is believed of a saved file: a pass only where what the file holds proves it.

A verdict stands beside its evidence in the file, where anybody can write it. Whatever else a file
claims costs it its pass anyway.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TypeVar

from esper_audit.data.audits import Audit, ProgramAudit, ProgramReport, Report
from esper_audit.data.changes import ComparisonReport, GateReport, verdict_of
from esper_audit.data.recording import Recording
from esper_audit.data.remedies import FixReport
from esper_audit.data.scans import ScanReport
from esper_audit.data.verdicts import AuditVerdict
from esper_audit.diagnosis.audit import judged_again
from esper_audit.diagnosis.controls import misses, overall
from esper_audit.diagnosis.program import judge_program
from esper_audit.diagnosis.ranks import report_of

_WORD = r"""(?:[\w@%+=:,./-]|'[^']*'|"'"|\$'(?:[^'\\]|\\.)*')+"""
_ACCEPTING = re.compile(rf"(?:esper-audit gate --update-baseline(?: {_WORD})*)?", re.ASCII)
"""Words that a shell takes as words, each as `shlex.quote` or bash's ``$'…'`` writes it."""

D = TypeVar(
    "D", Recording, Report, ProgramReport, GateReport, ComparisonReport, FixReport, ScanReport
)


def believed(document: D) -> D:
    """The document; where it claims a pass that it does not prove, with the verdict of today."""
    match document:
        case Report():
            return _report(document)
        case ProgramReport():
            return _programs(document)
        case GateReport():
            return _gate(document)
        case _:
            return document


def _gate(report: GateReport) -> GateReport:
    """Of an update, the results are those before it. A reader pastes the command that accepts."""
    if not _ACCEPTING.fullmatch(report.accept):
        report = replace(report, accept="")
    if report.verdict is not AuditVerdict.PASSED or report.updated:
        return report
    return replace(report, verdict=verdict_of(report.results, report.doubt))


def _report(report: Report) -> Report:
    audits = tuple(map(_audit, report.audits))
    missed = report.control_missed or misses(audits, report.control)
    verdict = report.verdict
    if verdict in (AuditVerdict.PASSED, AuditVerdict.SKIPPED):
        verdict = overall(audits, report.interrupted, report.control)
    return replace(report, audits=audits, control_missed=missed, verdict=verdict)


def _audit(audit: Audit) -> Audit:
    if audit.verdict is not AuditVerdict.PASSED:
        return audit
    again = judged_again(audit)
    return audit if again.verdict is AuditVerdict.PASSED else again


def _programs(report: ProgramReport) -> ProgramReport:
    report = replace(report, audits=tuple(map(_program, report.audits)))
    differences = report.differences or report_of(report.parts).differences
    return replace(report, differences=differences)


def _program(audit: ProgramAudit) -> ProgramAudit:
    if audit.verdict in (AuditVerdict.FAILED, AuditVerdict.ERROR):
        return audit
    again = judge_program(audit.recording, audit.budget)
    return audit if again.verdict is audit.verdict else again
