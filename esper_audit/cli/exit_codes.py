"""One table of exit codes: what each verdict ends a command with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from esper_audit.data.audits import ProgramReport
from esper_audit.data.verdicts import AuditVerdict
from esper_audit.errors import ExitCode

if TYPE_CHECKING:
    from collections.abc import Iterable

    from esper_audit.data.storage import Document

CODES: dict[AuditVerdict | None, ExitCode] = {
    None: ExitCode.CLEAN,  # nothing was asked
    AuditVerdict.PASSED: ExitCode.CLEAN,
    AuditVerdict.FAILED: ExitCode.FINDINGS,
    AuditVerdict.SKIPPED: ExitCode.INCOMPLETE,
    AuditVerdict.ERROR: ExitCode.INCOMPLETE,
}


def code_of(document: Document) -> ExitCode:
    """The exit code of a report's verdict; of a program, of the gravest of its ranks."""
    if isinstance(document, ProgramReport):
        if document.differences:
            return ExitCode.FINDINGS
        return gravest(CODES[audit.verdict] for audit in document.audits)
    return CODES[document.verdict]  # type: ignore[union-attr]  # recordings are no reports


def gravest(codes: Iterable[ExitCode]) -> ExitCode:
    """Findings outweigh what could not be judged, and both outweigh what is clean."""
    found = set(codes)
    return ExitCode.FINDINGS if ExitCode.FINDINGS in found else max(found, default=ExitCode.CLEAN)
