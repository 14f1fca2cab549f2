"""The command that a report comes from, for its title."""

from __future__ import annotations

from esper_audit.data.audits import ProgramReport, Report
from esper_audit.data.changes import ComparisonReport, GateReport
from esper_audit.data.remedies import FixReport
from esper_audit.data.scans import ScanReport
from esper_audit.data.storage import Document

_COMMANDS: dict[type[Document], str] = {
    Report: "run",
    ProgramReport: "exec",
    GateReport: "gate",
    ComparisonReport: "compare",
    FixReport: "fix",
    ScanReport: "scan",
}


def command_of(document: Document) -> str:
    """``run``; of programs ``exec``, or ``import`` where trace logs are all that is known."""
    if isinstance(document, ProgramReport) and _is_imported(document):
        return "import"
    return _COMMANDS[type(document)]


def _is_imported(report: ProgramReport) -> bool:
    logs = [audit.recording.trace_log for audit in report.audits]
    return bool(logs) and None not in logs
